//! A call as it comes in: from a connection, from the operator who has a recorded one made again, or from the gateway itself.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;
use uuid::Uuid;

use super::lease::Lease;
use crate::{
    hook::{Hook, RequestLine, Sent},
    odoo::{RotatedCookie, TraceParent},
    route::Route,
    store::Earlier,
    wire::BodyError,
};

/// What is asked, and what proves who asks. It may hold credentials, so it has no `Debug`.
pub struct Incoming {
    /// The call's id, in the log and in the answer.
    pub id: Uuid,
    pub route: Route,
    /// The hook by which it came: its template makes the call of what was sent.
    pub hook: Option<ToHook>,
    pub presented: Presented,
    pub by: By,
    pub address: IpAddr,
    pub traceparent: Option<TraceParent>,
    /// `{"model", "vals"}`, alone or in a JSON-RPC envelope; of a hook, whatever its sender sends.
    pub body: Result<Bytes, BodyError>,
    /// When its time began.
    pub began: Instant,
    /// Where the answer finds a session that Odoo rotated during the call.
    pub rotated: RotatedCookie,
}

/// A delivery to a hook.
pub struct ToHook {
    pub hook: Arc<Hook>,
    /// What came, where the gateway has kept it; else it is what is presented, and the body.
    pub kept: Option<Sent>,
}

/// What proves who calls.
pub enum Presented {
    /// Line and headers of a request. `client` is the name in the URL of the client whose signature it has.
    Headers { line: RequestLine, headers: HeaderMap, client: Option<String> },
    /// The name of a `[[client]]` that the call is made for. Only the gateway and its operator can present that.
    Client(String),
}

/// Who has the call made.
#[derive(Debug, Clone)]
pub enum By {
    /// The caller that presents the credential.
    Caller,
    /// The operator, from this machine: limits of callers do not apply. `name` is the person's,
    /// `replay_of` the recorded call that it repeats, and `is_hidden` says that the log has hidden values of it, which read `***` now.
    /// That it is a dry run is known before its body is read.
    Operator { name: String, replay_of: Option<Uuid>, is_hidden: bool, is_dry_run: bool },
    /// A worker, for the client that had the call accepted.
    Queue(Attempt),
    /// The gateway, for a delivery whose template made several calls.
    Step(Step),
}

/// One call of a delivery of several.
#[derive(Debug, Clone)]
pub struct Step {
    /// The delivery, in the log.
    pub of: Uuid,
    /// The attempt to make the delivery, where it is in the queue.
    pub attempt: Option<u32>,
    /// Its place among the calls, from 1.
    pub number: u32,
    pub hook: String,
    /// What attempts before this one may have done of this call.
    pub earlier: Option<Earlier>,
    /// The right to make it, where the delivery is in the store.
    pub lease: Option<Arc<Lease>>,
}

/// An attempt to make a call of the queue.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The call that was accepted.
    pub of: Uuid,
    /// Its number, from 1.
    pub number: u32,
    /// The hook that the call came by. What its template made of it is the body.
    pub hook: Option<String>,
    /// What attempts before this one may have done.
    pub earlier: Option<Earlier>,
    /// The right to make it: without it nothing is written.
    pub lease: Arc<Lease>,
}

impl By {
    /// Whether the operator has it made.
    pub fn is_operator(&self) -> bool {
        matches!(self, Self::Operator { .. })
    }

    /// The name of the operator that has it made.
    pub fn operator(&self) -> Option<&str> {
        match self {
            Self::Operator { name, .. } => Some(name),
            Self::Caller | Self::Queue(_) | Self::Step(_) => None,
        }
    }

    /// The recorded call that it repeats.
    pub fn replay_of(&self) -> Option<Uuid> {
        match self {
            Self::Caller | Self::Queue(_) | Self::Step(_) => None,
            Self::Operator { replay_of, .. } => *replay_of,
        }
    }

    /// Whether it is known to be a dry run before its body is read.
    pub fn is_dry_run(&self) -> bool {
        matches!(self, Self::Operator { is_dry_run: true, .. })
    }

    /// The attempt that it is, of a call of the queue.
    pub fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Queue(attempt) => Some(attempt),
            Self::Caller | Self::Operator { .. } | Self::Step(_) => None,
        }
    }

    /// The call of a delivery that it is.
    pub fn step(&self) -> Option<&Step> {
        match self {
            Self::Step(step) => Some(step),
            Self::Caller | Self::Operator { .. } | Self::Queue(_) => None,
        }
    }

    /// Whether a worker makes it, that makes other calls while this one waits.
    pub fn is_queued(&self) -> bool {
        match self {
            Self::Queue(_) => true,
            Self::Step(step) => step.attempt.is_some(),
            Self::Caller | Self::Operator { .. } => false,
        }
    }

    /// The right to make a call of the store, and what attempts before may have done, where it was accepted before.
    pub fn taken(&self) -> (Option<Arc<Lease>>, Option<Earlier>) {
        match self {
            Self::Queue(attempt) => (Some(attempt.lease.clone()), attempt.earlier),
            Self::Step(step) => (step.lease.clone(), step.earlier),
            Self::Caller | Self::Operator { .. } => (None, None),
        }
    }

    /// Whether values of the recorded call were hidden in the log.
    pub fn has_hidden_values(&self) -> bool {
        matches!(self, Self::Operator { is_hidden: true, .. })
    }
}
