//! The form of a body: a JSON-RPC envelope around `{"model", "vals"}`, read exactly or not at all.

mod envelope;
#[cfg(any(test, fuzzing))]
pub(in crate::call) mod fuzzing;
mod json;

pub use self::envelope::{Call, Envelope};
pub(super) use self::envelope::{take_domain, weigh};
