//! The table of errors: each code that a caller may get has one row, with all that is fixed about it.
//!
//! From a row come the answer (code, retry, HTTP status) and docs/errors.md, which a test holds against the table. A new error
//! is a row in `table.rs` and a variant of a module's error enum whose `code()` names it. This module knows no other.

mod table;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

pub use self::table::Code;

/// Whether sending the same call again is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retry {
    /// Nothing was written, and another try may succeed.
    Safe,
    /// Something was written, or it is not known whether it was.
    Unsafe,
    /// The same call would be refused again.
    No,
}

/// What an error means for HTTP, without HTTP's numbers: `wire/status.rs` makes a status of it, one for the routes and one for
/// the senders of hooks, who read nothing but the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The call was carried out.
    Done,
    /// Odoo, or the plan, looked at the call and refused it.
    Refused,
    /// The caller did not prove who it is.
    Unauthenticated,
    /// A policy does not let this caller do it.
    Denied,
    /// The delivery was taken before, or there is nothing to do: its sender need not send it again.
    Taken,
    /// The delivery was taken before, and is being worked on.
    UnderWay,
    /// The call was accepted, and will be made later.
    Accepted,
    BadRequest,
    /// Another call with the same key is being worked on.
    Conflict,
    /// The key was used for another request.
    Unprocessable,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    TooLarge,
    UriTooLong,
    UnsupportedMedia,
    TooManyRequests,
    HeadTooLarge,
    Internal,
    BadGateway,
    Unavailable,
    GatewayTimeout,
}

/// A part of docs/errors.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Request,
    Credentials,
    Policy,
    Hooks,
    Payload,
    Odoo,
    Upstream,
    Warnings,
}

/// The row of a code.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub section: Section,
    /// The stable text that callers may branch on.
    pub text: &'static str,
    /// What it means for HTTP. Where there are several, the first is the usual one and an error names another.
    pub classes: &'static [Class],
    /// Whether to send it again. Where there are several, the first is the usual one and an error names another.
    pub retries: &'static [Retry],
    /// Why a caller gets it.
    pub cause: &'static str,
    /// What to do about it: the `hint` of an answer.
    pub remedy: &'static str,
}

impl Retry {
    /// The text in an answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
            Self::No => "no",
        }
    }
}

impl Code {
    /// The stable text that callers may branch on.
    pub fn as_str(self) -> &'static str {
        self.row().text
    }

    /// The usual class of this code.
    pub fn class(self) -> Class {
        self.row().classes[0]
    }

    /// The usual retry of this code.
    pub fn retry(self) -> Retry {
        self.row().retries[0]
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Of a text that two rows have, the later one is a call's.
        let found = Self::ALL.iter().rev().find(|code| code.as_str() == text);
        found.copied().ok_or_else(|| D::Error::custom(format!("`{text}` is no error code of this version")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_text_is_one_code_but_for_the_two_kinds_of_method_that_are_not_allowed() {
        let mut codes = HashMap::<&str, Vec<Code>>::new();
        for code in Code::ALL {
            codes.entry(code.as_str()).or_default().push(*code);
        }
        codes.retain(|_, codes| codes.len() > 1);
        assert_eq!(codes, HashMap::from([("method_not_allowed", vec![Code::WrongHttpMethod, Code::MethodNotAllowed])]));
    }

    #[test]
    fn every_code_says_what_to_do() {
        for code in Code::ALL {
            assert!(!code.row().remedy.is_empty(), "{code:?}");
        }
    }

    #[test]
    fn a_code_is_read_back_as_it_was_written() {
        for code in Code::ALL.iter().filter(|code| **code != Code::WrongHttpMethod) {
            let written = serde_json::to_string(code).unwrap();
            assert_eq!(serde_json::from_str::<Code>(&written).unwrap(), *code);
        }
        assert!(serde_json::from_str::<Code>("\"no_such_code\"").is_err());
    }
}
