//! One call from end to end: the addon's interface and what is beyond it, six routes with one form of question and answer.
//!
//! A call is a value that moves through stages, each a type that the next one consumes: [`Incoming`], then `Authenticated`
//! (who calls), `Parsed` (what is asked), `Recorded` (in the log, with the user of Odoo), `Planned`, and at last its
//! [`Outcome`]. A connection, the operator or a queue makes a call by giving an [`Incoming`] to [`Service::start`]. This module
//! knows neither connections nor statuses. It may import execute, hook, plan, log, limits, odoo and what stands below them.

mod answered;
mod answered_before;
pub mod auth;
mod authenticated;
mod captured;
mod claim;
mod delivery;
mod docket;
mod ended;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod hidden;
mod idempotency;
mod incoming;
mod lane;
mod lease;
mod looker;
mod message;
mod open_keys;
mod outcome;
mod parsed;
mod planned;
mod planner;
mod progress;
mod queue_room;
mod queued;
mod recorded;
mod replan;
mod service;
mod settling;
mod stored;
mod stored_calls;
mod traced;

pub use self::{
    answered::{Accepted, Answered},
    answered_before::AnsweredBefore,
    error::Error,
    idempotency::{IDEMPOTENCY_KEY, LONGEST as LONGEST_KEY, WEBHOOK_ID},
    incoming::{Attempt, By, Incoming, Presented, Step, ToHook},
    lane::Turns,
    lease::Lease,
    looker::Eyes,
    message::Call,
    open_keys::OpenKeys,
    outcome::Outcome,
    planner::plan_call,
    queue_room::QueueRoom,
    queued::PREFER,
    service::Service,
    stored::{StoredRequest, Unreadable},
    stored_calls::Asking,
};
