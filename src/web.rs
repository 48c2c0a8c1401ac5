//! What all pages share: the frame around them, the style sheet and the script, the headers of their answers, forms, cookies.
//!
//! A page needs no script but for what is live, and nothing from another address: the policy that each answer carries
//! (`Content-Security-Policy`, [`page`]) forbids inline scripts and styles, frames, and every other origin. A text that a caller
//! wrote is escaped by its template. The layer knows neither calls nor Odoo.

pub mod assets;
pub mod cookie;
pub mod form;
pub mod frame;
pub mod host;
pub mod page;
pub mod show;
pub mod text;

pub use self::{
    form::Form,
    frame::{Frame, Link, Person},
    page::{Problem, page, redirect},
};
