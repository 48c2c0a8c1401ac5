//! What becomes of a queued call after an attempt, by the cause.
//!
//! Only what Odoo, the plan or the caller's policy has decided is final. What concerns the way to Odoo, the gateway itself or the
//! client's account is tried again, also where a caller would be told that the same call would be refused again: the operator
//! mends it meanwhile. This file is pure.

use std::time::Duration;

use crate::{
    call::Outcome,
    errors::{Class, Code, Retry},
};

/// The pause before the second try, at most; it doubles with each further one.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause, where the cause lies in this call or its record.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The longest where Odoo as a whole is away: then one call at a time is tried, and when Odoo is back none should wait for long.
const LONGEST_WHILE_AWAY: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_millis(50);
/// A call that has ended its process so often is not made again.
pub(super) const MOST_UNFINISHED: u32 = 5;

/// What is known of a call beside its outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tried {
    /// How often it was tried, with the last time.
    pub(super) attempts: u32,
    /// How long ago it was accepted.
    pub(super) age: Duration,
    pub(super) max_age: Duration,
}

/// What becomes of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Done,
    Again {
        after: Duration,
    },
    /// The queue of its client stops until the reason is gone; the call is the first then.
    Stop(Stop),
    Dead,
    /// It was not delivered in time.
    TooOld,
    InDoubt,
}

/// Why the queue of a client stops. It is kept in the store by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stop {
    /// Odoo does not accept the account.
    Account,
    /// The configuration has no such client.
    Unknown,
    Revoked,
    Expired,
}

impl Stop {
    const ALL: [Self; 4] = [Self::Account, Self::Unknown, Self::Revoked, Self::Expired];

    /// The code of the error that stops it, as it is kept.
    pub(super) fn code(self) -> Code {
        match self {
            Self::Account => Code::ClientAccount,
            Self::Unknown => Code::UnknownClient,
            Self::Revoked => Code::ClientRevoked,
            Self::Expired => Code::ClientExpired,
        }
    }

    /// The one with this name; none where a person has paused the queue.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stop| stop.code().as_str() == name)
    }
}

/// What becomes of a call that ended so. `chance` is a random number between 0 and 1.
pub(super) fn next(outcome: &Outcome, tried: Tried, chance: f64) -> Next {
    let Some(refusal) = outcome.error else { return Next::Done };
    if refusal.retry == Retry::Unsafe {
        return Next::InDoubt;
    }
    if let Some(stop) = Stop::ALL.into_iter().find(|stop| stop.code() == refusal.code) {
        return Next::Stop(stop);
    }
    if refusal.retry == Retry::No && is_final(outcome.class, refusal.code) {
        return Next::Dead;
    }
    let longest = if is_away(refusal.code) { LONGEST_WHILE_AWAY } else { LONGEST };
    let asked = Duration::from_secs(refusal.after.unwrap_or_default().into());
    let after = pause(tried.attempts, longest, chance).max(asked);
    if tried.age.saturating_add(after) > tried.max_age { Next::TooOld } else { Next::Again { after } }
}

/// Whether Odoo as a whole did not answer, so that another call would not be answered either.
pub(super) fn is_away(code: Code) -> bool {
    matches!(
        code,
        Code::OdooUnreachable
            | Code::OdooOverloaded
            | Code::OdooNoAnswer
            | Code::OdooTimeout
            | Code::OdooRedirects
            | Code::NoSuchDatabase
            | Code::LogFailed
            | Code::LogFull
    )
}

/// Whether a refusal that would be the same again is about the call, not about the way to Odoo.
fn is_final(class: Class, code: Code) -> bool {
    match class {
        Class::BadGateway | Class::Unavailable | Class::GatewayTimeout | Class::TooManyRequests => {
            matches!(code, Code::NotSendable | Code::AnswerTooLarge)
        }
        _ => true,
    }
}

/// Exponential, with full jitter.
pub(super) fn pause(attempts: u32, longest: Duration, chance: f64) -> Duration {
    let doubled = 1u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    let most = FIRST.saturating_mul(doubled).min(longest);
    most.mul_f64(chance.clamp(0.0, 1.0)).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(code: Code, class: Class, retry: Retry) -> Outcome {
        let kept = json!({
            "state": "failed", "class": class, "error": {"code": code, "retry": retry}, "body": {"refused": {}},
        });
        serde_json::from_value(kept).unwrap()
    }

    const FRESH: Tried = Tried { attempts: 1, age: Duration::from_secs(5), max_age: Duration::from_secs(3600) };

    #[test]
    fn what_becomes_of_a_call_follows_from_the_cause() {
        let again = Next::Again { after: FIRST };
        for (code, class, retry, expected) in [
            (Code::OdooUnreachable, Class::BadGateway, Retry::Safe, again),
            (Code::OdooTimeout, Class::GatewayTimeout, Retry::Safe, again),
            (Code::OdooTimeout, Class::GatewayTimeout, Retry::Unsafe, Next::InDoubt),
            (Code::Conflict, Class::Refused, Retry::Safe, again),
            (Code::KeyBusy, Class::Unavailable, Retry::Safe, again),
            (Code::RecordsRefused, Class::Refused, Retry::Safe, again),
            (Code::RecordsRefused, Class::Refused, Retry::Unsafe, Next::InDoubt),
            (Code::RecordsRefused, Class::Refused, Retry::No, Next::Dead),
            // The operator may mend these.
            (Code::NoSuchDatabase, Class::BadGateway, Retry::No, again),
            (Code::TurnedAway, Class::BadGateway, Retry::No, again),
            (Code::OdooRedirects, Class::BadGateway, Retry::No, again),
            (Code::LogFull, Class::Unavailable, Retry::Safe, again),
            (Code::NotSendable, Class::BadGateway, Retry::No, Next::Dead),
            (Code::AnswerTooLarge, Class::BadGateway, Retry::No, Next::Dead),
            (Code::NoMatch, Class::Refused, Retry::No, Next::Dead),
            (Code::ValidationError, Class::Refused, Retry::No, Next::Dead),
            (Code::ModelNotAllowed, Class::Denied, Retry::No, Next::Dead),
            (Code::InvalidJson, Class::BadRequest, Retry::No, Next::Dead),
            (Code::Internal, Class::Internal, Retry::Unsafe, Next::InDoubt),
            (Code::ClientAccount, Class::BadGateway, Retry::Safe, Next::Stop(Stop::Account)),
            (Code::UnknownClient, Class::Unauthenticated, Retry::No, Next::Stop(Stop::Unknown)),
            (Code::ClientRevoked, Class::Unauthenticated, Retry::No, Next::Stop(Stop::Revoked)),
            (Code::ClientExpired, Class::Unauthenticated, Retry::No, Next::Stop(Stop::Expired)),
        ] {
            assert_eq!(next(&outcome(code, class, retry), FRESH, 1.0), expected, "{code:?} {retry:?}");
        }
        let done: Outcome = serde_json::from_value(json!({
            "state": "done", "class": "done", "body": {"done": {"result": 7, "messages": ""}},
        }))
        .unwrap();
        assert_eq!(next(&done, FRESH, 1.0), Next::Done);
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_are_spread_over_it() {
        let seconds = |attempts, chance| {
            let tried = Tried { attempts, age: Duration::ZERO, max_age: Duration::MAX };
            let next = next(&outcome(Code::Conflict, Class::Refused, Retry::Safe), tried, chance);
            let after = if let Next::Again { after } = next { Some(after) } else { None };
            after.expect("another try").as_secs_f64()
        };
        let pauses = [1, 2, 3, 10, 11, 40, u32::MAX].map(|attempts| seconds(attempts, 1.0));
        assert_eq!(pauses, [1.0, 2.0, 4.0, 512.0, 900.0, 900.0, 900.0]);
        assert_eq!((seconds(3, 0.25), seconds(3, 0.0)), (1.0, 0.05));
        let mut busy = outcome(Code::OdooOverloaded, Class::Unavailable, Retry::Safe);
        busy.error.as_mut().unwrap().after = Some(120);
        assert_eq!(next(&busy, FRESH, 0.5), Next::Again { after: Duration::from_secs(120) }, "Odoo has said when");
        let away = Tried { attempts: 20, age: Duration::ZERO, max_age: Duration::MAX };
        let unreachable = outcome(Code::OdooUnreachable, Class::BadGateway, Retry::Safe);
        assert_eq!(next(&unreachable, away, 1.0), Next::Again { after: LONGEST_WHILE_AWAY });
    }

    #[test]
    fn a_call_whose_next_try_would_come_too_late_is_given_up() {
        let old = Tried { attempts: 9, age: Duration::from_secs(3500), max_age: Duration::from_secs(3600) };
        let conflict = outcome(Code::Conflict, Class::Refused, Retry::Safe);
        assert_eq!(next(&conflict, old, 1.0), Next::TooOld);
        assert_eq!(next(&conflict, old, 0.1), Next::Again { after: Duration::from_millis(25_600) });
    }

    #[test]
    fn a_reason_to_stop_is_known_again_by_its_name() {
        for stop in Stop::ALL {
            assert_eq!(Stop::named(stop.code().as_str()), Some(stop));
        }
        assert_eq!(Stop::named("stocktaking until noon"), None);
    }
}
