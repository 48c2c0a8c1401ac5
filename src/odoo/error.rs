//! What can go wrong between the gateway and Odoo, and what that means for whoever asked.
//!
//! Odoo's errors are told apart by their exception's name, never by text or number: messages are translated, and the
//! number changed between 18 and 19.

use std::time::Duration;

use serde::Deserialize;

use super::rpc::Effect;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No connection was made: nothing was sent.
    #[error("Odoo cannot be reached at {url}: {reason}")]
    Unreachable { url: String, reason: String },
    /// The call was sent, and no answer came that tells what became of it.
    #[error("{}", no_answer(*effect, why))]
    NoAnswer { effect: Effect, why: Why },
    /// Odoo, or a proxy before it, turned the call away before working on it.
    #[error("Odoo is overloaded (HTTP {status})")]
    Overloaded { status: u16 },
    /// Odoo's own refusal: the transaction was rolled back.
    #[error("{}", .0.message)]
    Fault(Fault),
    #[error("the model `{0}` does not exist in this Odoo")]
    UnknownModel(String),
    #[error("the session has expired or is not valid; log in again at /web/session/authenticate")]
    SessionExpired,
    #[error("Odoo does not accept this API key")]
    WrongKey,
    #[error(
        "Odoo {version} accepts an API key only together with a login; use the session of /web/session/authenticate"
    )]
    KeyNeedsLogin { version: u16 },
    #[error("`[upstream] protocol` does not allow a caller with a {credential}")]
    DoorClosed { credential: &'static str },
    #[error("this session belongs to the database `{theirs}`; this gateway serves `{ours}`")]
    OtherDatabase { theirs: String, ours: String },
    #[error("Odoo does not serve the database `{0}`; see [upstream] database")]
    NoSuchDatabase(String),
}

/// Why it is not known what became of a call.
#[derive(Debug, Clone)]
pub enum Why {
    /// No answer within this time.
    TimedOut(Duration),
    /// The connection ended before the answer was whole.
    Broken(String),
    /// A status that no Odoo method answers with; from a proxy before Odoo, or from an Odoo that is starting or stopping.
    Status(u16),
    /// An answer that cannot be read.
    Garbled(String),
}

fn no_answer(effect: Effect, why: &Why) -> String {
    let why = match why {
        Why::TimedOut(after) => format!("Odoo did not answer within {} s", after.as_secs_f32()),
        Why::Broken(reason) => format!("the connection to Odoo broke before it answered: {reason}"),
        Why::Status(status) => format!("Odoo answered HTTP {status} instead of a result"),
        Why::Garbled(detail) => format!("Odoo's answer cannot be read: {detail}"),
    };
    match effect {
        Effect::Read => why,
        Effect::Write => format!("{why}; it is not known whether the change was made: look before you send it again"),
    }
}

/// Whether sending the same call again can do harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing was changed, and a later try may succeed.
    Safe,
    /// It is not known whether something was changed.
    Unsafe,
    /// Nothing was changed, and the same call would be refused again.
    No,
}

impl Retry {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
            Self::No => "no",
        }
    }
}

impl Error {
    /// The stable code that callers may branch on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "odoo_unreachable",
            Self::NoAnswer { why: Why::TimedOut(_), .. } => "odoo_timeout",
            Self::NoAnswer { .. } => "odoo_no_answer",
            Self::Overloaded { .. } => "odoo_overloaded",
            Self::Fault(fault) => fault.code(),
            Self::UnknownModel(_) => "unknown_model",
            Self::SessionExpired => "session_expired",
            Self::WrongKey => "wrong_key",
            Self::KeyNeedsLogin { .. } => "key_needs_login",
            Self::DoorClosed { .. } => "credential_not_allowed",
            Self::OtherDatabase { .. } => "other_database",
            Self::NoSuchDatabase(_) => "no_such_database",
        }
    }

    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } | Self::Overloaded { .. } | Self::NoAnswer { effect: Effect::Read, .. } => {
                Retry::Safe
            }
            Self::NoAnswer { effect: Effect::Write, .. } => Retry::Unsafe,
            Self::Fault(fault) => fault.retry(),
            _ => Retry::No,
        }
    }

    /// Odoo refused the credential itself.
    pub fn is_about_credentials(&self) -> bool {
        matches!(
            self,
            Self::SessionExpired
                | Self::WrongKey
                | Self::KeyNeedsLogin { .. }
                | Self::DoorClosed { .. }
                | Self::OtherDatabase { .. }
        )
    }
}

/// An exception that Odoo raised.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    /// The Python class with its module, such as `odoo.exceptions.ValidationError`.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub message: String,
    /// Odoo's traceback: for the log, never for a caller.
    #[serde(default)]
    pub debug: String,
}

impl Fault {
    /// What Odoo says of a method that is not there.
    pub(super) fn unknown_method(model: &str, method: &str) -> Self {
        Self {
            name: "builtins.AttributeError".to_owned(),
            message: format!("The method '{model}.{method}' does not exist"),
            debug: String::new(),
        }
    }

    pub fn code(&self) -> &'static str {
        match self.name.as_str() {
            // Odoo 18 and later have methods that are private by decoration, whatever their name.
            "odoo.exceptions.AccessError" if self.message.starts_with("Private methods") => "private_method",
            "odoo.exceptions.AccessError" => "access_error",
            "odoo.exceptions.AccessDenied" => "access_denied",
            "odoo.exceptions.MissingError" => "missing_record",
            "odoo.exceptions.ValidationError" => "validation_error",
            "odoo.exceptions.UserError" | "odoo.exceptions.RedirectWarning" => "user_error",
            // An unknown model has been told from an unknown method before; see `is_unknown_model`.
            "builtins.AttributeError" | "werkzeug.exceptions.NotFound" => "unknown_method",
            _ if self.is_unknown_field() => "unknown_field",
            _ if self.is_conflict() => "conflict",
            _ => "odoo_error",
        }
    }

    fn retry(&self) -> Retry {
        if self.is_conflict() { Retry::Safe } else { Retry::No }
    }

    /// Two transactions met, or Odoo had no database connection left. Odoo has tried again itself before it says so.
    fn is_conflict(&self) -> bool {
        matches!(
            self.name.as_str(),
            "psycopg2.errors.SerializationFailure"
                | "psycopg2.errors.DeadlockDetected"
                | "psycopg2.errors.LockNotAvailable"
                | "psycopg2.extensions.TransactionRollbackError"
                | "psycopg2.pool.PoolError"
                | "odoo.exceptions.ConcurrencyError"
                | "odoo.exceptions.LockError"
        )
    }

    /// Odoo knows no such field: what is remembered of the model may be out of date. The sentence is never translated.
    pub fn is_unknown_field(&self) -> bool {
        self.name == "builtins.ValueError" && self.message.starts_with("Invalid field")
    }

    /// `call_kw` wanted record ids as the first argument and found none: the method was not run. Odoo 14-19 raise this at
    /// the same line, and the line is looked at since a method may raise an IndexError of its own.
    pub(super) fn wants_ids(&self) -> bool {
        let is_source = |line: &&str| !line.trim_matches([' ', '^', '~']).is_empty();
        let raised_at = self.debug.trim_end().lines().rev().skip(1).find(is_source);
        self.name == "builtins.IndexError"
            && raised_at.is_some_and(|line| line.trim() == "ids, args = args[0], args[1:]")
    }

    /// JSON-2 was given ids for a model method: the method was not run.
    pub(super) fn refuses_ids(&self, model: &str, method: &str) -> bool {
        self.name == "werkzeug.exceptions.UnprocessableEntity"
            && self.message.contains(&format!("cannot call {model}.{method} with ids"))
    }

    /// Neither door names the model in a machine-readable way: `call_kw` answers a bare 404 (18, 19) or a KeyError of the
    /// model's name (14-17), JSON-2 a sentence about the model.
    pub(super) fn is_unknown_model(&self, model: &str) -> bool {
        match self.name.as_str() {
            "werkzeug.exceptions.NotFound" => !self.message.starts_with("The method"),
            "builtins.KeyError" => self.message.trim_matches('\'') == model,
            _ => false,
        }
    }
}
