//! A step of a write that failed, and what is known of its effects.

use super::leftover::{Fate, Leftover};
use crate::{
    errors::Retry,
    odoo::{Effect, Error as OdooError, Rpc, Why},
    plan,
};

/// A step that failed, and its own effects as far as they are known.
pub(super) struct Failed {
    pub(super) cause: plan::Error,
    pub(super) own: Vec<Leftover>,
    /// The call may have been carried out, so what it may refer to is kept.
    pub(super) keeps_the_rest: bool,
}

impl Failed {
    /// Names what the failed call would have created beside its record.
    pub(super) fn with(mut self, within: &[String]) -> Self {
        self.own.iter_mut().for_each(|left| left.with = within.to_vec());
        self
    }
}

impl From<plan::Error> for Failed {
    fn from(cause: plan::Error) -> Self {
        Self { cause, own: Vec::new(), keeps_the_rest: false }
    }
}

impl From<OdooError> for Failed {
    fn from(cause: OdooError) -> Self {
        plan::Error::from(cause).into()
    }
}

/// Whether the answer to a write was lost.
pub(super) fn is_lost(error: &OdooError) -> bool {
    error.retry() == Retry::Unsafe
}

/// The error for an answer without the ids that it should have: what was created is unknown.
pub(super) fn no_id(rpc: &Rpc) -> OdooError {
    let why = Why::Garbled(format!("{}.{} gave no id", rpc.model, rpc.method));
    OdooError::NoAnswer { effect: Effect::Write, why }
}

/// The failure of a call, with its own record where the answer was lost.
pub(super) fn failed(error: OdooError, rpc: &Rpc, keeps_the_rest: bool) -> Failed {
    if is_lost(&error) { lost(error, rpc, keeps_the_rest) } else { error.into() }
}

/// The failure of a call whose answer was lost, so that it may have been carried out.
pub(super) fn lost(error: OdooError, rpc: &Rpc, keeps_the_rest: bool) -> Failed {
    let ids = rpc.ids.clone().unwrap_or_default();
    let own = Leftover {
        model: rpc.model.clone(),
        ids,
        fate: Fate::Unknown,
        why: "Odoo's answer was lost".to_owned(),
        with: Vec::new(),
    };
    Failed { cause: error.into(), own: vec![own], keeps_the_rest }
}
