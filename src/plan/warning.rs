//! What was asked for and not done, though the call went on.
//!
//! A warning is told from another by its [`WarningCode`], never by its text. Where the call is strict, the first one is an
//! error. A call that is refused answers what was noted before: [`Noted`] keeps it beside the plan, which a refusal drops.

use std::{collections::HashSet, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Error, hints::Meant};
use crate::{errors::Code, key_texts::mask_keys};

/// Something that was asked for and not done, though the call went on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Warning {
    pub code: WarningCode,
    /// Where in `vals` it stands, such as `payload.order_line[2].product_id`.
    pub path: String,
    pub message: String,
    /// The name that may be meant, which the message has, too.
    pub meant: Meant,
}

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WarningCode {
    /// The call has no such parameter.
    UnknownParameter,
    /// The model has no such field.
    UnknownField,
    /// Odoo fills the field itself.
    FieldNotWritten,
    /// A lookup takes its first key alone.
    LookupKeyIgnored,
    /// A lookup found nothing, and others of the same field something.
    NoMatch,
    /// The search key matched no record.
    NothingMatched,
    /// The search key of an update matched several records, and the policy has no limit.
    SeveralMatched,
    /// A record is made beside an archived one that matches.
    ArchivedMatch,
    /// A key of an upsert does not go into the new record.
    SearchKeyNotWritten,
    /// The record was written, and could not be read afterwards.
    ResultNotRead,
    /// The record was written without the external id that marks it as this call's.
    MarkerNotWritten,
    /// The method answered an action, such as a wizard that asks for more.
    OdooAsksBack,
    /// Lines that were there and are not in the list were removed.
    LinesRemoved,
}

impl WarningCode {
    /// Its row in the table of errors: where the call is strict, it is the error's.
    pub fn code(self) -> Code {
        match self {
            Self::UnknownParameter => Code::UnknownParameter,
            Self::UnknownField => Code::UnknownField,
            Self::FieldNotWritten => Code::FieldNotWritten,
            Self::LookupKeyIgnored => Code::LookupKeyIgnored,
            Self::NoMatch => Code::NoMatch,
            Self::NothingMatched => Code::NothingMatched,
            Self::SeveralMatched => Code::SeveralMatched,
            Self::ArchivedMatch => Code::ArchivedMatch,
            Self::SearchKeyNotWritten => Code::SearchKeyNotWritten,
            Self::ResultNotRead => Code::ResultNotRead,
            Self::MarkerNotWritten => Code::MarkerNotWritten,
            Self::OdooAsksBack => Code::OdooAsksBack,
            Self::LinesRemoved => Code::LinesRemoved,
        }
    }

    /// Whether nothing of what stands at the warning's path was used.
    pub fn is_unused(self) -> bool {
        match self {
            Self::UnknownParameter | Self::UnknownField | Self::LookupKeyIgnored => true,
            Self::FieldNotWritten
            | Self::NoMatch
            | Self::NothingMatched
            | Self::SeveralMatched
            | Self::ArchivedMatch
            | Self::SearchKeyNotWritten
            | Self::ResultNotRead
            | Self::MarkerNotWritten
            | Self::OdooAsksBack
            | Self::LinesRemoved => false,
        }
    }
}

impl Warning {
    pub fn to_json(&self) -> Value {
        let mut told = json!({"code": self.code.code(), "path": self.path, "message": mask_keys(&self.message)});
        if let Some(meant) = self.meant.name() {
            told["did_you_mean"] = json!([meant]);
        }
        told
    }
}

/// Everything that was noted while a call was planned, for its refusal. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Noted(Arc<Mutex<Vec<Warning>>>);

impl Noted {
    /// The warnings, each once, in the order in which they were noted. A payload is read again with each schema that it needs,
    /// so one warning is noted several times.
    pub fn take(&self) -> Vec<Warning> {
        let noted = std::mem::take(&mut *self.0.lock());
        let mut seen = HashSet::new();
        noted.into_iter().filter(|warning| seen.insert(warning.clone())).collect()
    }
}

/// The warnings of one call, each of which is an error where the call is strict.
#[derive(Debug)]
pub(crate) struct Warnings {
    strict: bool,
    noted: Vec<Warning>,
    for_refusal: Noted,
}

impl Warnings {
    #[cfg(test)]
    pub(crate) fn new(strict: bool) -> Self {
        Self::noting(strict, Noted::default())
    }

    /// Warnings that a refusal of the call answers, too.
    pub(crate) fn noting(strict: bool, for_refusal: Noted) -> Self {
        Self { strict, noted: Vec::new(), for_refusal }
    }

    /// No warnings, of the same call: for a part that may be read again.
    pub(crate) fn anew(&self) -> Self {
        Self::noting(self.strict, self.for_refusal.clone())
    }

    /// Adds a warning.
    ///
    /// # Errors
    /// The call is strict.
    pub(crate) fn note(
        &mut self,
        code: WarningCode,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Result<(), Error> {
        self.note_meant(code, path, message, Meant::default())
    }

    /// Adds a warning of a name that is not known. `meant` becomes the end of its message.
    ///
    /// # Errors
    /// The call is strict.
    pub(crate) fn note_meant(
        &mut self,
        code: WarningCode,
        path: impl Into<String>,
        message: impl Into<String>,
        meant: Meant,
    ) -> Result<(), Error> {
        let message = format!("{}{meant}", message.into());
        let warning = Warning { code, path: path.into(), message, meant };
        if self.strict {
            return Err(Error::Strict(warning));
        }
        self.add(warning);
        Ok(())
    }

    /// Adds what the caller should know of something that was done as asked: it is no error in a strict call.
    pub(crate) fn tell(&mut self, code: WarningCode, path: impl Into<String>, message: impl Into<String>) {
        self.add(Warning { code, path: path.into(), message: message.into(), meant: Meant::default() });
    }

    fn add(&mut self, warning: Warning) {
        self.for_refusal.0.lock().push(warning.clone());
        self.noted.push(warning);
    }

    /// Adds the warning that Odoo will not keep a field's value.
    ///
    /// # Errors
    /// The call is strict.
    pub(crate) fn note_unwritten(&mut self, model: &str, field: &str, path: &str) -> Result<(), Error> {
        let message = format!("`{path}` was not written: Odoo fills `{field}` of `{model}` itself");
        self.note(WarningCode::FieldNotWritten, path, message)
    }

    /// Drops the warnings about fields that are not written.
    pub(crate) fn without_unwritten(mut self) -> Self {
        self.noted.retain(|warning| warning.code != WarningCode::FieldNotWritten);
        self
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.noted.extend(other.noted);
    }

    pub(crate) fn into_vec(self) -> Vec<Warning> {
        self.noted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_before_a_refusal_is_answered_once() {
        let noted = Noted::default();
        let warnings = Warnings::noting(false, noted.clone());
        for _ in 0..2 {
            let mut part = warnings.anew();
            part.note(WarningCode::UnknownField, "payload.naem", "no such field").unwrap();
        }
        assert_eq!(noted.take().len(), 1);
        assert!(noted.take().is_empty());
    }
}
