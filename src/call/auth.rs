//! Who calls: credentials in the headers of a request, `[[client]]` entries with their keys, signatures of bodies.
//!
//! It looks at a request and at the configuration alone; whether Odoo accepts a credential of its own, Odoo says later.

mod callback;
pub mod clients;
mod error;
#[cfg(any(test, fuzzing))]
pub(in crate::call) mod fuzzing;
mod headers;
mod signature;

pub use self::{
    error::Error,
    headers::{API_KEY, LOGIN, SESSION, session_of},
    signature::{Refused, Signed},
};
pub(super) use self::{
    headers::{Shown, is_json, shown},
    signature::Delivery,
};
