//! Why a call was not carried out, and how that is told to the caller.
//!
//! The caller gets a stable code, a sentence that names what to mend, and whether sending the call again can do harm.
//! Odoo's traceback is for the log.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use uuid::Uuid;

use super::auth;
use crate::{
    errors::{Class, Code, Retry},
    execute::{self, Incomplete},
    hook,
    key_texts::mask_keys,
    limits, log,
    odoo::{self, Error as OdooError},
    plan,
    policy::Denied,
    store,
    wire::BodyError,
};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Body(BodyError),
    #[error("{most} requests are under way, as many as [limits] {limit} allows; come back in a moment")]
    TooMany { most: usize, limit: &'static str },
    #[error("the body is no JSON: {0}")]
    NotJson(String),
    #[error("Odoo's service `db` manages whole databases; it is passed on only where [proxy] pass names /web/database")]
    DatabaseService,
    #[error("the body is nested deeper than the {0} levels that [limits] json_depth allows")]
    TooDeep(usize),
    #[error(
        "the body has {values} JSON values, more than the {most} that [limits] values allows; send it in several calls"
    )]
    TooManyValues { values: usize, most: usize },
    #[error("the body must be a JSON object, not {0}")]
    NotAnObject(&'static str),
    #[error("`{0}` is missing")]
    Missing(String),
    #[error("`{name}` stands beside `vals`, where nothing reads it: it belongs in `{home}`")]
    Misplaced { name: String, home: &'static str },
    #[error("`{name}` must be {due}, not {kind}")]
    WrongKind { name: String, due: &'static str, kind: &'static str },
    #[error(transparent)]
    Auth(#[from] auth::Error),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Hook(#[from] hook::Error),
    /// The Odoo account that the operator gave to a client; the caller itself did nothing wrong.
    #[error(
        "Odoo does not accept the account that the gateway uses for the client `{client}`; its operator must renew it"
    )]
    ClientAccount { client: Arc<str>, login: String, source: OdooError },
    /// The caller's patience is over, and the call goes on.
    #[error(
        "the call has not ended within the {} s of [limits] call_timeout and goes on; the log will have its end under the id that `Gateway-Call-Id` says",
        .0.as_secs_f32()
    )]
    StillRunning(Duration),
    #[error(transparent)]
    Plan(plan::Error),
    #[error(transparent)]
    Incomplete(Incomplete),
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("{place} cannot be an idempotency key: {problem}; send 1 to 255 visible characters of ASCII")]
    InvalidKey { place: String, problem: &'static str },
    #[error("this client must send an idempotency key with every call that writes, as the header `Idempotency-Key`")]
    KeyRequired,
    #[error("the idempotency key was used for another request, call {of}; send a new key with another request")]
    KeyReused { of: Uuid },
    #[error(
        "the call with this idempotency key, {of}, has not ended in the time that this one may take; send it again later"
    )]
    KeyInProgress { of: Uuid },
    #[error(
        "only a client whose Odoo account stands in this gateway's configuration can have a call made later (`Prefer: respond-async`), since the gateway keeps no credential"
    )]
    AsyncNeedsClient,
    /// A delivery that comes again, of which nobody knows yet whether it was done.
    #[error(
        "it is not known whether this delivery, taken as call {of}, was done; it is found out, or a person looks into Odoo"
    )]
    DeliveryInDoubt { of: Uuid },
    /// The configuration has it no more.
    #[error("there is no [[hook]] `{0}` any more, by which this delivery came; put it back, or drop the delivery")]
    UnknownHook(String),
    #[error("deliveries with the same key have not ended in the time that this one may take; send it again later")]
    LaneBusy,
    /// Another gateway may have the call by now.
    #[error(
        "this gateway has lost the right to make the call, since the store did not answer for too long; nothing was written"
    )]
    LeaseLost,
    /// There is none, or it is another caller's.
    #[error(
        "the store has no call with this id of yours: a call that has no idempotency key and is not queued is in the log alone, and an end is kept for `[delivery] keep`"
    )]
    UnknownCall,
    /// A call without a key that is perhaps in the queue.
    #[error(
        "{error}; whether it has taken the call {id} is not known, and it is not safe to send it again, since it has no idempotency key: GET /api/calls/{id} tells"
    )]
    MayBeQueued { id: Uuid, error: store::Error },
    /// A queued call that is given up, since nothing came of it in time.
    #[error(
        "the call could not be delivered within the {} h of [delivery] max_age{}; {}",
        max_age.as_secs_f64() / 3600.0,
        last.map(|code| format!(", at last for `{}`", code.as_str())).unwrap_or_default(),
        if *is_unsettled {
            "the gateway ended while it made the call, so that it may have been done: look into Odoo"
        } else {
            "nothing was written"
        }
    )]
    TooOld { max_age: Duration, last: Option<Code>, is_unsettled: bool },
    /// A queued call that is given up, since the gateway ended whenever it made it.
    #[error(
        "the gateway has ended {unfinished} times while it made this call, which is made no more; look into Odoo whether it was done"
    )]
    Poison { unfinished: u32 },
    /// A recorded call that cannot be made again as it stands in the log.
    #[error(
        "parts of its payload were hidden in the log ({}); give them with --edit, since they still read ***",
        .0.join(", ")
    )]
    HiddenValues(Vec<String>),
    /// A mistake of the gateway itself.
    #[error("the gateway failed on this call; its log has the call's id")]
    Internal,
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<auth::Refused> for Error {
    fn from(refused: auth::Refused) -> Self {
        Self::Auth(refused.into())
    }
}

impl From<limits::Error> for Error {
    fn from(error: limits::Error) -> Self {
        Self::Auth(error.into())
    }
}

impl From<plan::Error> for Error {
    fn from(error: plan::Error) -> Self {
        Self::Plan(error)
    }
}

impl From<execute::Error> for Error {
    fn from(error: execute::Error) -> Self {
        match error {
            execute::Error::Refused(error) => Self::Plan(error),
            execute::Error::Incomplete(error) => Self::Incomplete(error),
        }
    }
}

impl From<odoo::Error> for Error {
    fn from(error: odoo::Error) -> Self {
        Self::Plan(plan::Error::Odoo(error))
    }
}

impl Error {
    /// The stable code that callers may branch on.
    pub fn code(&self) -> Code {
        match self {
            Self::Body(BodyError::TooLarge(_) | BodyError::TooLargeForLogin(_)) => Code::BodyTooLarge,
            Self::Body(BodyError::TooMuch { .. }) => Code::BodyTooLarge,
            Self::Body(BodyError::TimedOut(_)) => Code::BodyTimeout,
            Self::Body(BodyError::Broken) => Code::BodyBroken,
            Self::Body(BodyError::NoRoom) => Code::TooBusy,
            Self::Body(BodyError::Encoded(_)) => Code::UnsupportedEncoding,
            Self::TooMany { .. } => Code::TooBusy,
            Self::NotJson(_) => Code::InvalidJson,
            Self::DatabaseService => Code::DatabaseService,
            Self::TooDeep(_) => Code::NestedTooDeep,
            Self::TooManyValues { .. } => Code::TooManyValues,
            Self::NotAnObject(_) | Self::WrongKind { .. } => Code::InvalidEnvelope,
            Self::Missing(_) => Code::MissingParameter,
            Self::Misplaced { .. } => Code::MisplacedParameter,
            Self::Auth(error) => error.code(),
            Self::Denied(denied) => denied.code(),
            Self::Hook(error) => error.code(),
            Self::ClientAccount { .. } => Code::ClientAccount,
            Self::StillRunning(_) => Code::StillRunning,
            Self::Plan(error) => error.code(),
            Self::Incomplete(error) => error.cause.code(),
            Self::Log(log::Error::Full { .. }) => Code::LogFull,
            Self::Log(_) => Code::LogFailed,
            Self::Store(error) => error.code(),
            Self::InvalidKey { .. } => Code::InvalidKey,
            Self::KeyRequired => Code::KeyRequired,
            Self::KeyReused { .. } => Code::KeyReused,
            Self::KeyInProgress { .. } => Code::KeyInProgress,
            Self::AsyncNeedsClient => Code::AsyncNeedsClient,
            Self::LeaseLost => Code::LeaseLost,
            Self::DeliveryInDoubt { .. } => Code::DeliveryInDoubt,
            Self::UnknownHook(_) => Code::UnknownHook,
            Self::LaneBusy => Code::LaneBusy,
            Self::UnknownCall => Code::UnknownCall,
            Self::MayBeQueued { .. } => Code::MayBeQueued,
            Self::TooOld { .. } => Code::TooOld,
            Self::Poison { .. } => Code::Poison,
            Self::HiddenValues(_) => Code::HiddenValues,
            Self::Internal => Code::Internal,
        }
    }

    /// Whether to send the call again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Plan(plan::Error::Odoo(error)) => error.retry(),
            Self::Plan(plan::Error::Overtaken(_)) => Retry::Safe,
            Self::Auth(error) => error.retry(),
            Self::Incomplete(_) | Self::TooOld { is_unsettled: true, .. } => Retry::Unsafe,
            error => error.code().retry(),
        }
    }

    /// After how many seconds it may be sent again, where somebody has said so.
    pub(super) fn retry_after(&self) -> Option<u32> {
        // Rounded up: it is not asked before.
        let after = self.odoo()?.retry_after()?;
        u32::try_from(after.as_millis().div_ceil(1000)).ok()
    }

    /// What it means for HTTP.
    pub fn class(&self) -> Class {
        match self {
            Self::NotAnObject(_) => Class::BadRequest,
            Self::Auth(error) => error.class(),
            error if matches!(error.odoo(), Some(OdooError::Down { .. })) => Class::Unavailable,
            error => error.code().class(),
        }
    }

    /// What went wrong between the gateway and Odoo, if that is where it did.
    pub fn odoo(&self) -> Option<&OdooError> {
        match self {
            Self::Plan(plan::Error::Odoo(error))
            | Self::Incomplete(Incomplete { cause: plan::Error::Odoo(error), .. }) => Some(error),
            _ => None,
        }
    }

    /// The rule of the policy that refused.
    fn rule(&self) -> Option<&str> {
        match self {
            Self::Denied(denied) => Some(denied.rule()),
            Self::Plan(error) | Self::Incomplete(Incomplete { cause: error, .. }) => error.rule(),
            _ => None,
        }
    }

    /// Odoo or the plan has looked at the call and refused it; everything else never came to a decision.
    pub fn is_decision(&self) -> bool {
        match self {
            Self::Plan(_) | Self::Incomplete(_) => {
                let decides = |error: &OdooError| {
                    matches!(
                        error,
                        OdooError::Fault(_)
                            | OdooError::UnknownModel(_)
                            | OdooError::NotInXml { .. }
                            | OdooError::Denied(_)
                            | OdooError::NoDomain(_)
                    )
                };
                self.odoo().is_none_or(decides)
            }
            _ => false,
        }
    }

    /// For the log alone: what the caller is not told. A traceback stands under its Odoo call.
    pub fn detail(&self) -> Option<String> {
        match self.odoo() {
            Some(error @ (OdooError::Unreachable { .. } | OdooError::Down { .. } | OdooError::Redirected { .. })) => {
                Some(error.for_operator())
            }
            None if let Self::ClientAccount { login, source, .. } = self => {
                Some(format!("{} (its `odoo_login` is `{login}`)", source.for_operator()))
            }
            _ => None,
        }
    }

    /// As the addon answers what was refused, with the gateway's `error` beside it.
    pub(super) fn as_result(&self) -> Value {
        json!({"is_success": false, "messages": self.sentence(), "error": self.facts()})
    }

    /// As Odoo answers what never reached a method: a JSON-RPC error object. Odoo's clients know a session that is gone by
    /// its number 100.
    pub(super) fn as_error(&self) -> Value {
        let message = self.sentence();
        let code = match self.odoo() {
            Some(OdooError::SessionExpired) => 100,
            _ => 200,
        };
        let mut data = self.facts();
        data["name"] = json!(format!("odoo_gateway.{}", self.code().as_str()));
        data["message"] = json!(message);
        json!({"code": code, "message": message, "data": data})
    }

    /// The sentence as it is told: no text in it has the form of a key.
    pub fn sentence(&self) -> String {
        mask_keys(&self.to_string()).into_owned()
    }

    /// The code, and what else a program may want to know: where the mistake is, which records it may be about, what is
    /// left in Odoo.
    fn facts(&self) -> Value {
        let mut facts = json!({"code": self.code(), "retry": self.retry().as_str()});
        if let Some(rule) = self.rule() {
            facts["rule"] = json!(rule);
        }
        let refused = match self {
            Self::Plan(error) | Self::Incomplete(Incomplete { cause: error, .. }) => error,
            _ => {
                facts["hint"] = json!(self.code().row().remedy);
                return facts;
            }
        };
        for (name, value) in refused.details() {
            facts[name] = value;
        }
        if self.is_decision() {
            facts["errors"] = json!(refused.each_told());
            if refused.more() > 0 {
                facts["more"] = json!(refused.more());
            }
        }
        if let Self::Incomplete(error) = self {
            let left = error.left.iter();
            let left = left
                .map(|left| json!({"model": left.model, "ids": left.ids, "fate": left.fate.as_str(), "why": left.why, "with": left.with}));
            facts["left"] = left.collect();
        }
        facts
    }
}
