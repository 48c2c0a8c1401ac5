//! Circuit breaker: stops connection attempts to an Odoo that cannot be reached.
//!
//! The breaker opens after [`FAILURES_TO_OPEN`] consecutive connections that could not be made. While it is open, new calls
//! fail at once instead of waiting for a connection time-out each. The health watch (`health/watch.rs`) probes Odoo past the
//! breaker; the first connection that is made closes it. A call that has begun to write is never refused here.

use tokio::{
    sync::watch,
    time::{self, Instant},
};

use crate::odoo::model::error::{Error, Why};

pub(super) const FAILURES_TO_OPEN: u32 = 5;

/// The circuit breaker of one Odoo.
#[derive(Debug, Default)]
pub struct CircuitBreaker {
    state: watch::Sender<BreakerState>,
}

/// The outcome of the latest connections.
#[derive(Debug, Clone, Default)]
pub(in crate::odoo) struct BreakerState {
    consecutive_failures: u32,
    /// Why the last connection could not be made.
    reason: String,
}

impl BreakerState {
    /// The last connection could not be made. The breaker need not be open yet.
    pub(in crate::odoo) fn has_failures(&self) -> bool {
        self.consecutive_failures > 0
    }

    fn is_open(&self) -> bool {
        self.consecutive_failures >= FAILURES_TO_OPEN
    }
}

impl CircuitBreaker {
    /// # Errors
    /// [`Error::Down`] while the breaker is open.
    pub(super) fn check(&self) -> Result<(), Error> {
        let state = self.state.borrow();
        if state.is_open() { Err(Error::Down { reason: state.reason.clone() }) } else { Ok(()) }
    }

    /// Records whether a connection was made.
    pub fn record<T>(&self, outcome: &Result<T, Error>) {
        match outcome {
            Err(Error::Unreachable { reason, .. }) => self.state.send_modify(|state| {
                state.consecutive_failures = state.consecutive_failures.saturating_add(1);
                state.reason.clone_from(reason);
            }),
            // A call that timed out may not have been connected yet.
            Err(Error::OutOfTime | Error::NoAnswer { why: Why::TimedOut(_), .. }) => {}
            _ => {
                self.state.send_if_modified(|state| {
                    let had_failures = state.has_failures();
                    *state = BreakerState::default();
                    had_failures
                });
            }
        }
    }

    /// Whether calls are refused at once.
    pub fn is_open(&self) -> bool {
        self.state.borrow().is_open()
    }

    /// Whether the last connection was made.
    pub fn is_up(&self) -> bool {
        !self.state.borrow().has_failures()
    }

    /// Waits until a connection is made again, until `until` at the latest.
    pub(in crate::odoo) async fn wait_until_up(&self, until: Instant) {
        let mut state = self.subscribe();
        let is_up = async { state.wait_for(|state| !state.has_failures()).await.map(drop) };
        let _ = time::timeout_at(until, is_up).await;
    }

    pub(in crate::odoo) fn subscribe(&self) -> watch::Receiver<BreakerState> {
        self.state.subscribe()
    }
}
