//! What came of a call that was to be made again, and what many of them came to.
//!
//! The command line and the console count by the same rules. What Odoo or a rule has refused again is not done: it is told apart by
//! whether the error is the one that the call had before.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, Failure, NoAnswer};
use crate::log::Call;

/// After so many calls in a row that were not done, no more are sent: what keeps them from being done may keep all of them.
pub const STOP_AFTER: usize = 20;

/// What came of a call that was to be made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Of a dry run: it would be done.
    Done {
        call: String,
    },
    /// With the error that it had before.
    RefusedAgain {
        call: String,
        failure: Failure,
    },
    RefusedDifferently {
        call: String,
        failure: Failure,
    },
    /// Odoo may have done it, or a part of it.
    InDoubt {
        call: String,
        failure: Failure,
    },
    /// Nobody has said whether it was done.
    NoAnswer {
        message: String,
    },
    /// It was not sent.
    Skipped {
        reason: String,
    },
}

/// The outcomes without what belongs to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Done,
    RefusedAgain,
    RefusedDifferently,
    InDoubt,
    NoAnswer,
    Skipped,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Done, Self::RefusedAgain, Self::RefusedDifferently, Self::InDoubt, Self::NoAnswer, Self::Skipped];

    /// For a person.
    pub const fn words(self, is_dry_run: bool) -> &'static str {
        match (self, is_dry_run) {
            (Self::Done, false) => "done",
            (Self::Done, true) => "would be done",
            (Self::RefusedAgain, false) => "refused again",
            (Self::RefusedAgain, true) => "would be refused again",
            (Self::RefusedDifferently, false) => "refused differently",
            (Self::RefusedDifferently, true) => "would be refused differently",
            (Self::InDoubt, _) => "in doubt",
            (Self::NoAnswer, _) => "no answer",
            (Self::Skipped, _) => "skipped",
        }
    }

    /// For a program.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::RefusedAgain => "refused_again",
            Self::RefusedDifferently => "refused_differently",
            Self::InDoubt => "in_doubt",
            Self::NoAnswer => "no_answer",
            Self::Skipped => "skipped",
        }
    }
}

impl Outcome {
    /// What an answer says of a call that ended with this error before; an empty one stands for none.
    pub fn of(answer: &Result<Answer, NoAnswer>, error: &str) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error @ NoAnswer::NoCall) => return Self::Skipped { reason: error.to_string() },
            Err(error) => return Self::NoAnswer { message: error.to_string() },
        };
        let (call, failure) = (answer.id.clone(), answer.failure());
        match answer.is_done() {
            true => Self::Done { call },
            false if failure.is_in_doubt => Self::InDoubt { call, failure },
            false if failure.code == error => Self::RefusedAgain { call, failure },
            false => Self::RefusedDifferently { call, failure },
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Done { .. } => Kind::Done,
            Self::RefusedAgain { .. } => Kind::RefusedAgain,
            Self::RefusedDifferently { .. } => Kind::RefusedDifferently,
            Self::InDoubt { .. } => Kind::InDoubt,
            Self::NoAnswer { .. } => Kind::NoAnswer,
            Self::Skipped { .. } => Kind::Skipped,
        }
    }

    /// The id of the new call.
    pub fn call(&self) -> Option<&str> {
        match self {
            Self::Done { call }
            | Self::RefusedAgain { call, .. }
            | Self::RefusedDifferently { call, .. }
            | Self::InDoubt { call, .. } => Some(call),
            Self::NoAnswer { .. } | Self::Skipped { .. } => None,
        }
    }

    /// The stable code of the error; none of a call that was done or not sent.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::RefusedAgain { failure, .. }
            | Self::RefusedDifferently { failure, .. }
            | Self::InDoubt { failure, .. } => Some(&failure.code),
            Self::NoAnswer { .. } => Some("no_answer"),
            Self::Done { .. } | Self::Skipped { .. } => None,
        }
    }

    /// Why it was not done; empty where it was.
    pub fn message(&self) -> &str {
        match self {
            Self::Done { .. } => "",
            Self::RefusedAgain { failure, .. }
            | Self::RefusedDifferently { failure, .. }
            | Self::InDoubt { failure, .. } => &failure.message,
            Self::NoAnswer { message } => message,
            Self::Skipped { reason } => reason,
        }
    }

    /// For a program: the call that was to be repeated, and what came of it.
    pub fn to_json(&self, of: &Call) -> Value {
        let mut told = json!({
            "call": of.id, "route": of.route, "model": of.model, "error_before": of.error, "outcome": self.kind().name(),
        });
        if let Some(call) = self.call() {
            told["new_call"] = json!(call);
        }
        if let Some(code) = self.code() {
            told["error"] = json!(code);
        }
        if !self.message().is_empty() {
            told["message"] = json!(self.message());
        }
        told
    }
}

/// How many calls came to what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    counts: BTreeMap<Kind, usize>,
    /// Those that were sent and not done, by the code of their error.
    pub codes: BTreeMap<String, usize>,
    /// Those that were not sent, by the reason.
    pub reasons: BTreeMap<String, usize>,
    /// So many of the last ones that were sent were not done, without one between them that was.
    in_a_row: usize,
}

impl Tally {
    pub fn add(&mut self, outcome: &Outcome) {
        *self.counts.entry(outcome.kind()).or_default() += 1;
        match outcome {
            Outcome::Done { .. } => self.in_a_row = 0,
            Outcome::Skipped { reason } => *self.reasons.entry(reason.clone()).or_default() += 1,
            _ => {
                self.in_a_row += 1;
                *self.codes.entry(outcome.code().unwrap_or_default().to_owned()).or_default() += 1;
            }
        }
    }

    pub fn of(&self, kind: Kind) -> usize {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    /// How many have had their turn.
    pub fn turned(&self) -> usize {
        self.counts.values().sum()
    }

    /// How many were sent.
    pub fn sent(&self) -> usize {
        self.turned() - self.of(Kind::Skipped)
    }

    /// How many were sent and not done.
    pub fn failed(&self) -> usize {
        self.sent() - self.of(Kind::Done)
    }

    /// Whether no more are to be sent: it is not known what came of the last one, or so many in a row were not done. Without a
    /// number, these do not matter.
    pub fn stops(&self, after: Option<usize>) -> bool {
        self.of(Kind::NoAnswer) > 0 || after.is_some_and(|after| self.in_a_row >= after)
    }
}

/// Calls that came to the same: their outcome, route, model and errors are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alike {
    pub kind: Kind,
    pub route: String,
    pub model: String,
    pub error_before: String,
    pub error: String,
    /// Why they were not sent; empty where they were.
    pub reason: String,
}

impl Alike {
    pub fn of(call: &Call, outcome: &Outcome) -> Self {
        let reason = if outcome.kind() == Kind::Skipped { outcome.message() } else { "" };
        Self {
            kind: outcome.kind(),
            route: call.route.to_string(),
            model: call.model.clone(),
            error_before: call.error.clone(),
            error: outcome.code().unwrap_or_default().to_owned(),
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: &str, retry: &str) -> Result<Answer, NoAnswer> {
        let body = json!({"result": {"is_success": false, "messages": "no", "error": {"code": code, "retry": retry}}});
        Ok(Answer::of("new", body))
    }

    #[test]
    fn what_was_refused_again_is_not_done_and_told_from_other_refusals() {
        let kind = |answer: &Result<Answer, NoAnswer>| Outcome::of(answer, "no_match").kind();
        assert_eq!(kind(&Ok(Answer::of("new", json!({"result": {"is_success": true}})))), Kind::Done);
        assert_eq!(kind(&answer("no_match", "no")), Kind::RefusedAgain);
        assert_eq!(kind(&answer("unknown_field", "no")), Kind::RefusedDifferently);
        assert_eq!(kind(&answer("no_match", "unsafe")), Kind::InDoubt);
        assert_eq!(kind(&Err(NoAnswer::WrongToken)), Kind::NoAnswer);
        assert_eq!(kind(&Err(NoAnswer::NoCall)), Kind::Skipped);
    }

    #[test]
    fn a_tally_stops_after_failures_in_a_row_and_after_a_call_without_an_answer() {
        let mut tally = Tally::default();
        let done = Outcome::Done { call: "new".to_owned() };
        for outcome in
            [&Outcome::of(&answer("no_match", "no"), "no_match"), &done, &Outcome::of(&answer("x", "no"), "")]
        {
            tally.add(outcome);
        }
        tally.add(&Outcome::Skipped { reason: "why".to_owned() });
        assert_eq!((tally.turned(), tally.sent(), tally.failed(), tally.of(Kind::Done)), (4, 3, 2, 1));
        assert!(tally.stops(Some(1)) && !tally.stops(Some(2)) && !tally.stops(None));
        assert_eq!((tally.codes["no_match"], tally.codes["x"], tally.reasons["why"]), (1, 1, 1));
        tally.add(&Outcome::NoAnswer { message: String::new() });
        assert!(tally.stops(None));
    }
}
