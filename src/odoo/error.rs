//! What can go wrong between the gateway and Odoo, and what that means for whoever asked.
//!
//! Odoo's errors are told apart by their exception's name, never by text or number: messages are translated, and the
//! number changed between 18 and 19.

use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use super::rpc::Effect;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No connection was made: nothing was sent.
    #[error("the gateway cannot reach Odoo")]
    Unreachable { url: String, reason: String },
    /// No connection was tried, since the last ones failed: nothing was sent.
    #[error("the gateway has not reached Odoo for a while, and looks every second whether it is back")]
    Down { reason: String },
    /// Too many calls wait for their turn with Odoo: nothing was sent.
    #[error("{0}; come back later")]
    Busy(Queue),
    /// The call took too long to get to its first change: nothing was written.
    #[error(
        "the call did not get to its first change within the time that [limits] call_timeout leaves; nothing was written"
    )]
    OutOfTime,
    /// The call was sent, and no answer came that tells what became of it.
    #[error("{}", no_answer(*effect, why))]
    NoAnswer { effect: Effect, why: Why },
    /// Odoo, or a proxy before it, turned the call away before working on it.
    #[error("Odoo is overloaded (HTTP {status})")]
    Overloaded { status: u16 },
    /// What stands before Odoo, or Odoo, sends callers elsewhere; the call was not worked on.
    #[error("Odoo answers with a redirect; [upstream] url must be the address at which it serves itself")]
    Redirected { to: String },
    /// What stands before Odoo, or Odoo's own server, did not let the call in.
    #[error("the call was turned away before Odoo worked on it: HTTP {status}{}", titled(title))]
    TurnedAway { status: u16, title: String },
    #[error("{}", too_large(*effect, *cap))]
    AnswerTooLarge { effect: Effect, cap: ByteSize },
    /// Odoo's own refusal: the transaction was rolled back.
    #[error("{}", .0.message)]
    Fault(Fault),
    #[error("the model `{0}` does not exist in this Odoo")]
    UnknownModel(String),
    #[error(
        "the session has expired or is not valid; log in again at /web/session/authenticate (an account with two-factor authentication cannot: it needs an API key)"
    )]
    SessionExpired,
    #[error("Odoo does not accept this API key")]
    WrongKey,
    #[error(
        "Odoo does not accept this secret for the login `{login}`{}",
        words.as_deref().map(|words| format!(": {words}")).unwrap_or_default()
    )]
    WrongLogin { login: String, words: Option<String> },
    /// Odoo looks at no password for a while, right or wrong (`base.login_cooldown_duration`, Odoo 14-19).
    #[error("Odoo takes no logins at the moment: {words}")]
    LoginsHeld { words: String },
    #[error(
        "the account `{login}` uses two-factor authentication, so its password opens nothing here: make an API key in its Odoo preferences and send that"
    )]
    SecondFactor { login: String },
    #[error(
        "Odoo {version} accepts an API key only together with its user's login: send that in the header `X-Odoo-Login`, or both as `Authorization: Basic`"
    )]
    KeyNeedsLogin { version: u16 },
    #[error("`[upstream] protocol` of this gateway does not take a caller with a {credential}; it takes {taken}")]
    DoorClosed { credential: &'static str, taken: &'static str },
    #[error("`[upstream] protocol` is JSON-2, which Odoo {version} does not have")]
    NoSuchDoor { version: u16 },
    #[error("XML-RPC cannot carry {what}, which stands in the call to {rpc}; [upstream] protocol has other ways")]
    NotInXml { rpc: String, what: &'static str },
    #[error("this session belongs to the database `{theirs}`; this gateway serves `{ours}`")]
    OtherDatabase { theirs: String, ours: String },
    #[error("Odoo does not serve the database `{0}`, or not at this address; see [upstream] database and url")]
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
    /// A page for people, with its title; from a proxy before Odoo, as for maintenance.
    Page { status: u16, title: String },
    /// Odoo lost PostgreSQL, before the transaction was closed or while it was.
    DatabaseLost(Fault),
    /// The call was carried out, and XML-RPC has no form for its result.
    NotInXml(String),
    /// An answer in a compressed form that was not asked for.
    Encoded(String),
    /// An answer that cannot be read.
    Garbled(String),
}

/// Why a call did not get its turn.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum Queue {
    #[error("Odoo is busy, and {0} calls wait for it already, as many as [upstream] queue allows")]
    Full(usize),
    #[error("Odoo was busy with other calls for {:.1} s, as long as a call may wait for its turn", .0.as_secs_f32())]
    TooLong(Duration),
}

fn no_answer(effect: Effect, why: &Why) -> String {
    let why = match why {
        Why::TimedOut(after) => format!("Odoo did not answer within {:.1} s", after.as_secs_f32()),
        Why::Broken(reason) => format!("the connection to Odoo broke before it answered: {reason}"),
        Why::Status(status) => format!("Odoo answered HTTP {status} instead of a result"),
        Why::Page { status, title } => {
            format!("a web page came back instead of Odoo's answer: HTTP {status}{}", titled(title))
        }
        Why::DatabaseLost(fault) => format!("Odoo lost its database: {}", fault.message.lines().next().unwrap_or("")),
        Why::NotInXml(detail) => {
            format!("the call was carried out, but Odoo cannot put its result into XML-RPC: {detail}")
        }
        Why::Encoded(coding) => {
            format!("the answer came back as {coding}, which nobody asked for; a proxy before Odoo compresses it")
        }
        Why::Garbled(detail) => format!("Odoo's answer cannot be read: {detail}"),
    };
    match effect {
        Effect::Read => why,
        Effect::Write => format!("{why}; it is not known whether the change was made: look before you send it again"),
    }
}

fn titled(title: &str) -> String {
    if title.is_empty() { String::new() } else { format!(", titled \u{201c}{title}\u{201d}") }
}

fn too_large(effect: Effect, cap: ByteSize) -> String {
    let words = format!("Odoo's answer is larger than the {cap} that [upstream] max_answer allows");
    match effect {
        Effect::Read => format!("{words}; ask for less, with `limit` or fewer fields"),
        Effect::Write => format!("{words}; the call itself has most likely been carried out"),
    }
}

/// What running a call again comes to, after Odoo has refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeatable {
    /// The same as running it once: its one transaction was rolled back.
    Whole,
    /// Perhaps more: a method may close a transaction of its own, or send a mail.
    InPart,
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
            Self::Unreachable { .. } | Self::Down { .. } => "odoo_unreachable",
            Self::Busy(_) => "too_busy",
            Self::OutOfTime => "out_of_time",
            Self::Redirected { .. } => "odoo_redirects",
            Self::TurnedAway { .. } => "turned_away",
            Self::AnswerTooLarge { .. } => "answer_too_large",
            Self::NoAnswer { why: Why::TimedOut(_), .. } => "odoo_timeout",
            Self::NoAnswer { .. } => "odoo_no_answer",
            Self::Overloaded { .. } => "odoo_overloaded",
            Self::Fault(fault) => fault.code(),
            Self::UnknownModel(_) => "unknown_model",
            Self::SessionExpired => "session_expired",
            Self::WrongKey => "wrong_key",
            Self::WrongLogin { .. } => "wrong_login",
            Self::LoginsHeld { .. } => "logins_held",
            Self::SecondFactor { .. } => "second_factor",
            Self::KeyNeedsLogin { .. } => "key_needs_login",
            Self::DoorClosed { .. } => "credential_not_allowed",
            Self::NoSuchDoor { .. } => "no_such_door",
            Self::NotInXml { .. } => "not_in_xml",
            Self::OtherDatabase { .. } => "other_database",
            Self::NoSuchDatabase(_) => "no_such_database",
        }
    }

    pub fn retry(&self) -> Retry {
        match self {
            // The same call would give the same result.
            Self::NoAnswer { effect: Effect::Read, why: Why::NotInXml(_) } => Retry::No,
            Self::Unreachable { .. }
            | Self::Down { .. }
            | Self::LoginsHeld { .. }
            | Self::Busy(_)
            | Self::OutOfTime
            | Self::Overloaded { .. }
            | Self::NoAnswer { effect: Effect::Read, .. } => Retry::Safe,
            Self::NoAnswer { effect: Effect::Write, .. } | Self::AnswerTooLarge { effect: Effect::Write, .. } => {
                Retry::Unsafe
            }
            Self::Fault(fault) => fault.retry(),
            _ => Retry::No,
        }
    }

    /// Worth another try at once: nothing was changed, and what stood in the way may be gone in a moment. Not so where the
    /// time is up, or where the gateway itself holds calls back.
    pub(super) fn is_passing(&self, rpc: Repeatable) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Overloaded { .. } => true,
            Self::NoAnswer { why, .. } => {
                let may_pass = matches!(why, Why::Broken(_) | Why::Status(502..=504) | Why::DatabaseLost(_));
                self.retry() == Retry::Safe && may_pass
            }
            Self::Fault(fault) => fault.is_repeated_by_odoo() || (rpc == Repeatable::Whole && fault.is_conflict()),
            _ => false,
        }
    }

    /// It was the time or the turn of the one who asked that was over, which says nothing to others who ask the same.
    pub(super) fn is_of_the_asker(&self) -> bool {
        matches!(self, Self::OutOfTime | Self::Busy(_) | Self::NoAnswer { why: Why::TimedOut(_), .. })
    }

    /// Odoo does not accept the credential, or no longer, or its door is closed.
    pub fn is_about_credentials(&self) -> bool {
        matches!(
            self,
            Self::SessionExpired
                | Self::OtherDatabase { .. }
                | Self::KeyNeedsLogin { .. }
                | Self::DoorClosed { .. }
                | Self::NoSuchDoor { .. }
        ) || self.is_refused_secret()
    }

    /// With what only the operator should read: where Odoo is.
    pub fn for_operator(&self) -> String {
        match self {
            Self::Unreachable { url, reason } => format!("Odoo cannot be reached at {url}: {reason}"),
            Self::Down { reason } => format!("{self} ({reason})"),
            Self::Redirected { to } => format!("{self} (to {to})"),
            error => error.to_string(),
        }
    }

    /// Odoo does not accept a key or a login, and will not a moment later.
    pub(super) fn is_refused_secret(&self) -> bool {
        matches!(self, Self::WrongKey | Self::WrongLogin { .. } | Self::SecondFactor { .. })
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

    /// Two transactions met. Odoo itself runs the whole method again for these (14-19), so it may be run again from here.
    fn is_repeated_by_odoo(&self) -> bool {
        matches!(
            self.name.as_str(),
            "psycopg2.errors.SerializationFailure"
                | "psycopg2.errors.DeadlockDetected"
                | "psycopg2.errors.LockNotAvailable"
                | "psycopg2.extensions.TransactionRollbackError"
                | "odoo.exceptions.ConcurrencyError"
        )
    }

    /// Odoo's connection to PostgreSQL broke. Where that was in the middle of a commit, the commit may stand.
    pub(super) fn is_database_lost(&self) -> bool {
        matches!(
            self.name.as_str(),
            "psycopg2.OperationalError"
                | "psycopg2.InterfaceError"
                | "psycopg2.errors.AdminShutdown"
                | "psycopg2.errors.CrashShutdown"
                | "psycopg2.errors.ConnectionException"
                | "psycopg2.errors.ConnectionFailure"
        )
    }

    /// Two transactions met, or Odoo had no database connection left. Odoo has tried again itself before it says so.
    fn is_conflict(&self) -> bool {
        self.is_repeated_by_odoo()
            || matches!(self.name.as_str(), "psycopg2.pool.PoolError" | "odoo.exceptions.LockError")
    }

    /// Odoo knows no such field: what is remembered of the model may be out of date. The sentence is never translated.
    pub fn is_unknown_field(&self) -> bool {
        self.name == "builtins.ValueError" && self.message.starts_with("Invalid field")
    }

    /// `call_kw` wanted record ids as the first argument and found none: the method was not run. Odoo 14-19 raise this at
    /// the same line, and the line is looked at since a method may raise an IndexError of its own.
    pub(super) fn wants_ids(&self) -> bool {
        self.name == "builtins.IndexError" && self.raised_at() == Some("ids, args = args[0], args[1:]")
    }

    /// The source line at which the exception was raised.
    fn raised_at(&self) -> Option<&str> {
        // Odoo 14 and 15 raise what a JSON controller raised once more, and give the first traceback as the cause of that.
        const AGAIN: &str = "raise exception.with_traceback(None) from new_cause";
        let is_source = |line: &&str| !line.trim_matches([' ', '^', '~']).is_empty();
        let tracebacks = self.debug.rsplit("The above exception was the direct cause of the following exception:");
        let mut lines = tracebacks.filter_map(|traceback| traceback.trim_end().rsplit('\n').skip(1).find(is_source));
        lines.find(|line| line.trim() != AGAIN).map(str::trim)
    }

    /// JSON-2 was given ids for a model method: the method was not run.
    pub(super) fn refuses_ids(&self, model: &str, method: &str) -> bool {
        self.name == "werkzeug.exceptions.UnprocessableEntity"
            && self.message.contains(&format!("cannot call {model}.{method} with ids"))
    }

    /// JSON-2 binds arguments by the names that the method's last override gives them (Odoo 19), and this one has another
    /// name for an argument: the method was not run.
    pub(super) fn refuses_names(&self) -> bool {
        // A method that raises the same by itself does so at another line.
        self.name == "werkzeug.exceptions.UnprocessableEntity"
            && self.raised_at() == Some("raise UnprocessableEntity(exc.args[0])")
            && (self.message.contains("missing a required argument")
                || self.message.contains("got an unexpected keyword argument"))
    }

    /// No door names the model in a machine-readable way: `call_kw` answers a bare 404 (18, 19) or a KeyError of the model's
    /// name (14-17), JSON-2 a sentence about the model, JSON-RPC and XML-RPC a UserError that is raised before there is a
    /// language to translate it into.
    pub(super) fn is_unknown_model(&self, model: &str) -> bool {
        match self.name.as_str() {
            "werkzeug.exceptions.NotFound" => !self.message.starts_with("The method"),
            "builtins.KeyError" => self.message.trim_matches('\'') == model,
            "odoo.exceptions.UserError" => self.message == format!("Object {model} doesn't exist"),
            _ => false,
        }
    }

    /// PostgreSQL has no such database. Its name stands in the sentence in whatever language that is.
    pub(super) fn is_missing_database(&self, database: &str) -> bool {
        self.name == "psycopg2.OperationalError" && self.message.contains(&format!("\"{database}\""))
    }

    /// The login and secret that came with the call were not accepted, or the method itself denies something.
    pub(super) fn is_access_denied(&self) -> bool {
        self.name == "odoo.exceptions.AccessDenied"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index_error(debug: &str) -> Fault {
        Fault { name: "builtins.IndexError".to_owned(), message: String::new(), debug: debug.to_owned() }
    }

    /// The ends of tracebacks of a real Odoo 19, and of a real Odoo 14.
    #[test]
    fn a_call_without_the_ids_it_needs_is_known_by_the_line_that_missed_them() {
        let odoo_19 = "Traceback (most recent call last):\n  File \"/odoo/service/model.py\", line 82, in call_kw\n    ids, args = args[0], args[1:]\n                ~~~~^^^\nIndexError: list index out of range\n";
        let odoo_14 = "Traceback (most recent call last):\n  File \"/odoo/api.py\", line 379, in _call_kw_multi\n    ids, args = args[0], args[1:]\nException\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"/odoo/http.py\", line 315, in _handle_exception\n    raise exception.with_traceback(None) from new_cause\nIndexError: tuple index out of range\n";
        assert!(index_error(odoo_19).wants_ids() && index_error(odoo_14).wants_ids());
        for own in [odoo_19, odoo_14].map(|text| text.replace("ids, args = args[0], args[1:]", "first = rows[0]")) {
            assert!(!index_error(&own).wants_ids(), "{own}");
        }
        assert!(!index_error("").wants_ids());
    }
}
