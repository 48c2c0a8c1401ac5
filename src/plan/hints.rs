//! What a caller may have meant: hints beside a refusal or a warning, such as the field that a misspelt name is close to.
//!
//! What must stay true: a hint names nothing that the caller may not read, none is looked for while nothing is refused, and
//! one that cannot be had is left out in silence. `renamed` and `field_names` are pure, `nearby` asks Odoo.

mod field_names;
mod nearby;
mod renamed;

pub(super) use self::field_names::meant;
pub use self::{
    field_names::{Meant, Unknown},
    nearby::Nearby,
};
