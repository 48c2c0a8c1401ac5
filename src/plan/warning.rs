//! What was asked for and not done, though the call went on.
//!
//! A warning is told from another by its [`WarningCode`], never by its text. Where the call is strict, the first one is an
//! error.

use serde_json::{Value, json};

use super::Error;
use crate::{errors::Code, key_texts::mask_keys};

/// Something that was asked for and not done, though the call went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub code: WarningCode,
    /// Where in `vals` it stands, such as `payload.order_line[2].product_id`.
    pub path: String,
    pub message: String,
}

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// The record was written, and could not be read afterwards.
    ResultNotRead,
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
            Self::ResultNotRead => Code::ResultNotRead,
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
            | Self::ResultNotRead => false,
        }
    }
}

impl Warning {
    pub fn to_json(&self) -> Value {
        json!({"code": self.code.code(), "path": self.path, "message": mask_keys(&self.message)})
    }
}

/// The warnings of one call, each of which is an error where the call is strict.
#[derive(Debug)]
pub(crate) struct Warnings {
    strict: bool,
    noted: Vec<Warning>,
}

impl Warnings {
    pub(crate) fn new(strict: bool) -> Self {
        Self { strict, noted: Vec::new() }
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
        let warning = Warning { code, path: path.into(), message: message.into() };
        if self.strict {
            return Err(Error::Strict(warning));
        }
        self.noted.push(warning);
        Ok(())
    }

    /// Adds what the caller should know of something that was done as asked: it is no error in a strict call.
    pub(crate) fn tell(&mut self, code: WarningCode, path: impl Into<String>, message: impl Into<String>) {
        self.noted.push(Warning { code, path: path.into(), message: message.into() });
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.strict
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
