//! The errors between the gateway and Odoo, and what they mean for the caller.
//!
//! One classification serves all protocols: nothing was sent, Odoo refused it ([`Fault`]), or the outcome is unknown.

use std::time::Duration;

use bytesize::ByteSize;

use super::effect::Effect;
use crate::{
    errors::{Code, Retry},
    odoo::model::fault::Fault,
    policy::{Denied, Malformed},
};

/// An error of an RPC, or of the way to it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No connection was made: nothing was sent.
    #[error("the gateway cannot reach Odoo")]
    Unreachable { url: String, reason: String },
    /// HTTP cannot express the request: nothing was sent.
    #[error("the call cannot be sent to Odoo: {reason}")]
    Unsendable { reason: String },
    /// The circuit breaker is open after failed connections: nothing was sent.
    #[error("the gateway has not reached Odoo for a while, and looks every second whether it is back")]
    Down { reason: String },
    /// The queue is full or its time-out has passed: nothing was sent.
    #[error("{0}; come back later")]
    Busy(Queue),
    /// The call reached its deadline before its first change: nothing was written.
    #[error(
        "the call did not get to its first change within the time that [limits] call_timeout leaves; nothing was written"
    )]
    OutOfTime,
    /// Other calls that may create the same record were under way: nothing was written.
    #[error(
        "other calls that may create or update the same record were under way for as long as this one could wait; nothing was written, send it again"
    )]
    KeyBusy,
    /// The locks that gateways share could not be taken: nothing was written.
    #[error(
        "the database that this gateway shares with others does not answer, so that it cannot be known whether another call makes the same record; nothing was written, send it again"
    )]
    LocksUnavailable { reason: String },
    /// The request was sent, and no answer tells its outcome.
    #[error("{}", no_answer(*effect, why))]
    NoAnswer { effect: Effect, why: Why },
    /// The answer to a write was lost, and Odoo's records do not tell whether it was done.
    #[error("{0}")]
    OutcomeUnknown(Box<Unsettled>),
    /// An earlier attempt of this call may still be at work in Odoo: nothing was sent.
    #[error(
        "an earlier attempt of this call, which a gateway has left, may still be at work in Odoo for {:.0} s; nothing was written, send it again after that",
        .wait.as_secs_f32().ceil()
    )]
    EarlierAttempt { wait: Duration },
    /// Another gateway may make this call by now: nothing was written.
    #[error(
        "the gateway could not extend its right to make this call, so that another one may make it; nothing was written, send it again"
    )]
    RightLost,
    /// Odoo, or a proxy in front of it, refused the request before working on it.
    /// `after` is the time after which it wants to be asked again, where it says one.
    #[error("Odoo is overloaded (HTTP {status})")]
    Overloaded { status: u16, after: Option<Duration> },
    /// Odoo, or a proxy in front of it, redirects the request; it was not worked on.
    #[error("Odoo answers with a redirect; [upstream] url must be the address at which it serves itself")]
    Redirected { to: String },
    /// A proxy in front of Odoo, or Odoo's own HTTP server, rejected the request.
    #[error("the call was turned away before Odoo worked on it: HTTP {status}{}", titled(title))]
    TurnedAway { status: u16, title: String },
    #[error("{}", too_large(*effect, *cap))]
    AnswerTooLarge { effect: Effect, cap: ByteSize },
    #[error("{}", needs_too_much(*effect, *needed, *limit))]
    AnswerNeedsTooMuch { effect: Effect, needed: ByteSize, limit: ByteSize },
    /// Odoo's own refusal: the transaction was rolled back.
    #[error("{}", .0.sentence())]
    Fault(Fault),
    #[error("the model `{0}` does not exist in this Odoo")]
    UnknownModel(String),
    #[error(
        "the session has expired or is not valid; log in again at /web/session/authenticate (an account with two-factor authentication cannot: it needs an API key)"
    )]
    SessionExpired,
    #[error("Odoo does not accept this API key")]
    WrongKey,
    /// The login is not shown: an unknown caller may have sent a password or a key in its place.
    #[error(
        "Odoo does not accept this login with this secret{}",
        words.as_deref().map(|words| format!(": {words}")).unwrap_or_default()
    )]
    WrongLogin { words: Option<String> },
    /// Odoo accepts no logins for a while, correct or not (`base.login_cooldown_duration`, Odoo 14-19).
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
    CredentialNotTaken { credential: &'static str, taken: &'static str },
    #[error("`[upstream] protocol` is JSON-2, which Odoo {version} does not have")]
    NoSuchProtocol { version: u16 },
    /// The policy denies it: nothing was sent.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A search could not be restricted to the caller's domain: nothing was sent.
    #[error("the domain of the search {0}")]
    NoDomain(#[from] Malformed),
    #[error("XML-RPC cannot carry {what}, which stands in the call to {rpc}; [upstream] protocol has other ways")]
    NotInXml { rpc: String, what: &'static str },
    #[error("this session belongs to the database `{theirs}`; this gateway serves `{ours}`")]
    OtherDatabase { theirs: String, ours: String },
    #[error("Odoo does not serve the database `{0}`, or not at this address; see [upstream] database and url")]
    NoSuchDatabase(String),
}

/// A write of which it could not be found out whether it was done.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "it is not known whether {what} was done, which was sent at {at}: {}; {why}. Look for it in Odoo, and put on record what you find with `odoo-gateway log settle`",
    lost.cause()
)]
pub struct Unsettled {
    /// The write, with the values that it can be recognised by.
    pub what: String,
    /// When it was sent, as Odoo's clock says.
    pub at: String,
    /// Why looking for it did not tell.
    pub why: String,
    /// How the answer was lost.
    pub lost: Box<Error>,
}

/// Why the outcome of a request is unknown.
#[derive(Debug, Clone)]
pub enum Why {
    /// No answer within this time.
    TimedOut(Duration),
    /// The connection ended before the answer was whole.
    Broken(String),
    /// A status that no Odoo method answers with: from a proxy in front of Odoo, or from an Odoo that is starting or stopping.
    Status(u16),
    /// An HTML page, with its title: from a proxy in front of Odoo, as during maintenance.
    Page { status: u16, title: String },
    /// Odoo lost its connection to PostgreSQL before or during the commit.
    DatabaseLost(Fault),
    /// The call was executed, and XML-RPC cannot express its result.
    NotInXml(String),
    /// The record was created in a batch with those of other calls, and cannot be told from them.
    Indistinguishable { model: String, ids: String },
    /// An answer with a content coding that was not requested.
    Encoded(String),
    /// An answer that cannot be read.
    Garbled(String),
}

/// Why a request did not get a permit.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum Queue {
    #[error("Odoo is busy, and {0} calls wait for it already, as many as [upstream] queue allows")]
    Full(usize),
    #[error("Odoo was busy with other calls for {:.1} s, as long as a call may wait for its turn", .0.as_secs_f32())]
    TooLong(Duration),
    #[error("the calls under way fill the memory that [limits] bodies allows, so that Odoo's answer has no room")]
    NoMemory,
}

fn no_answer(effect: Effect, why: &Why) -> String {
    let why = why.words();
    match effect {
        Effect::Read => why,
        Effect::Write => format!("{why}; it is not known whether the change was made: look before you send it again"),
    }
}

impl Why {
    fn words(&self) -> String {
        match self {
            Self::TimedOut(after) => format!("Odoo did not answer within {:.1} s", after.as_secs_f32()),
            Self::Broken(reason) => format!("the connection to Odoo broke before it answered: {reason}"),
            Self::Status(status) => format!("Odoo answered HTTP {status} instead of a result"),
            Self::Page { status, title } => {
                format!("a web page came back instead of Odoo's answer: HTTP {status}{}", titled(title))
            }
            Self::DatabaseLost(fault) => {
                format!("Odoo lost its database: {}", fault.message.lines().next().unwrap_or(""))
            }
            Self::NotInXml(detail) => {
                format!("the call was carried out, but Odoo cannot put its result into XML-RPC: {detail}")
            }
            Self::Indistinguishable { model, ids } => format!(
                "the record was made in one call with those of other callers, and cannot be told from them: it is one of {model} {ids}"
            ),
            Self::Encoded(coding) => {
                format!("the answer came back as {coding}, which nobody asked for; a proxy before Odoo compresses it")
            }
            Self::Garbled(detail) => format!("Odoo's answer cannot be read: {detail}"),
        }
    }
}

fn titled(title: &str) -> String {
    if title.is_empty() { String::new() } else { format!(", titled \u{201c}{title}\u{201d}") }
}

fn too_large(effect: Effect, cap: ByteSize) -> String {
    let words = format!("Odoo's answer is larger than the {cap} that [upstream] max_answer allows");
    with_advice(&words, effect)
}

fn needs_too_much(effect: Effect, needed: ByteSize, limit: ByteSize) -> String {
    let words = format!("Odoo's answer needs {needed} of memory, more than the {limit} that [limits] bodies allows");
    with_advice(&words, effect)
}

fn with_advice(words: &str, effect: Effect) -> String {
    match effect {
        Effect::Read => format!("{words}; ask for less, with `limit` or fewer fields"),
        Effect::Write => format!("{words}; the call itself has most likely been carried out"),
    }
}

/// What it means to repeat an RPC after Odoo has refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeatable {
    /// The same as sending it once: its only transaction was rolled back.
    Whole,
    /// Possibly more: a method may commit by itself, or send a mail.
    InPart,
}

impl Error {
    /// How the answer was lost, without what that means for the call.
    fn cause(&self) -> String {
        match self {
            Self::NoAnswer { why, .. } => why.words(),
            error => error.to_string(),
        }
    }

    /// The stable code that callers may branch on.
    pub fn code(&self) -> Code {
        match self {
            Self::Unreachable { .. } | Self::Down { .. } => Code::OdooUnreachable,
            Self::Busy(_) => Code::TooBusy,
            Self::OutOfTime => Code::OutOfTime,
            Self::Unsendable { .. } => Code::NotSendable,
            Self::KeyBusy => Code::KeyBusy,
            Self::LocksUnavailable { .. } => Code::StoreUnavailable,
            Self::Redirected { .. } => Code::OdooRedirects,
            Self::TurnedAway { .. } => Code::TurnedAway,
            Self::AnswerTooLarge { .. } | Self::AnswerNeedsTooMuch { .. } => Code::AnswerTooLarge,
            Self::NoAnswer { why: Why::TimedOut(_), .. } => Code::OdooTimeout,
            Self::NoAnswer { .. } => Code::OdooNoAnswer,
            Self::OutcomeUnknown(_) => Code::OutcomeUnknown,
            Self::EarlierAttempt { .. } => Code::EarlierAttempt,
            Self::RightLost => Code::LeaseLost,
            Self::Overloaded { .. } => Code::OdooOverloaded,
            Self::Fault(fault) => fault.code(),
            Self::UnknownModel(_) => Code::UnknownModel,
            Self::SessionExpired => Code::SessionExpired,
            Self::WrongKey => Code::WrongKey,
            Self::WrongLogin { .. } => Code::WrongLogin,
            Self::LoginsHeld { .. } => Code::LoginsHeld,
            Self::SecondFactor { .. } => Code::SecondFactor,
            Self::KeyNeedsLogin { .. } => Code::KeyNeedsLogin,
            Self::CredentialNotTaken { .. } => Code::CredentialNotAllowed,
            Self::NoSuchProtocol { .. } => Code::NoSuchDoor,
            Self::Denied(denied) => denied.code(),
            Self::NoDomain(_) => Code::InvalidDomain,
            Self::NotInXml { .. } => Code::NotInXml,
            Self::OtherDatabase { .. } => Code::OtherDatabase,
            Self::NoSuchDatabase(_) => Code::NoSuchDatabase,
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
            | Self::KeyBusy
            | Self::EarlierAttempt { .. }
            | Self::RightLost
            | Self::LocksUnavailable { .. }
            | Self::Overloaded { .. }
            | Self::NoAnswer { effect: Effect::Read, .. } => Retry::Safe,
            Self::OutcomeUnknown(_)
            | Self::NoAnswer { effect: Effect::Write, .. }
            | Self::AnswerTooLarge { effect: Effect::Write, .. }
            | Self::AnswerNeedsTooMuch { effect: Effect::Write, .. } => Retry::Unsafe,
            Self::Fault(fault) => fault.retry(),
            _ => Retry::No,
        }
    }

    /// After which time the same call may be sent again, where somebody has said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { after, .. } => *after,
            Self::EarlierAttempt { wait } => Some(*wait),
            _ => None,
        }
    }

    /// Whether another attempt at once may help: nothing was changed, and the cause may be gone in a moment. This excludes
    /// time-outs, and refusals by the gateway itself.
    pub(in crate::odoo) fn is_transient(&self, rpc: Repeatable) -> bool {
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

    /// Whether the error is due to what a batch contains, so that the calls of the batch may succeed one by one. Any other error
    /// would meet each of them alike: then splitting a batch would only multiply the requests, at a time when Odoo can be
    /// overloaded.
    pub fn splits_batch(&self) -> bool {
        match self {
            Self::Fault(fault) => !fault.is_out_of_connections(),
            // XML-RPC may be unable to carry the value of one call, and the answer to one call may be small enough.
            Self::NotInXml { .. }
            | Self::NoAnswer { effect: Effect::Read, why: Why::NotInXml(_) }
            | Self::AnswerTooLarge { effect: Effect::Read, .. }
            | Self::AnswerNeedsTooMuch { effect: Effect::Read, .. } => true,
            // The policy of the leader does not concern the others.
            Self::Denied(_) | Self::NoDomain(_) => true,
            _ => false,
        }
    }

    /// Whether the error is about the deadline or the queue position of one call, which concerns no other call.
    pub(in crate::odoo) fn concerns_only_its_call(&self) -> bool {
        matches!(self, Self::OutOfTime | Self::Busy(_) | Self::NoAnswer { why: Why::TimedOut(_), .. })
    }

    /// Whether Odoo does not accept the credential, or the configured protocol does not take it.
    pub fn is_about_credentials(&self) -> bool {
        matches!(
            self,
            Self::SessionExpired
                | Self::OtherDatabase { .. }
                | Self::KeyNeedsLogin { .. }
                | Self::CredentialNotTaken { .. }
                | Self::NoSuchProtocol { .. }
        ) || self.is_refused_secret()
    }

    /// Whether Odoo knows no such key, login or session.
    pub fn is_wrong_credential(&self) -> bool {
        matches!(self, Self::WrongKey | Self::WrongLogin { .. } | Self::SessionExpired)
    }

    /// The message for the operator, with the address of Odoo.
    pub fn for_operator(&self) -> String {
        match self {
            Self::Unreachable { url, reason } => format!("Odoo cannot be reached at {url}: {reason}"),
            Self::Down { reason } | Self::LocksUnavailable { reason } => format!("{self} ({reason})"),
            Self::Redirected { to } => format!("{self} (to {to})"),
            error => error.to_string(),
        }
    }

    /// Odoo's traceback; empty where it gave none.
    pub fn traceback(&self) -> &str {
        match self {
            Self::Fault(fault) | Self::NoAnswer { why: Why::DatabaseLost(fault), .. } => &fault.debug,
            _ => "",
        }
    }

    /// Whether Odoo refuses a key or login, and will still refuse it a moment later.
    pub(in crate::odoo) fn is_refused_secret(&self) -> bool {
        matches!(self, Self::WrongKey | Self::WrongLogin { .. } | Self::SecondFactor { .. })
    }
}
