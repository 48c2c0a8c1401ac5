//! Whether Odoo is there: while it is away, one call at a time is tried, and the others stay where they are.
//!
//! The circuit breaker knows an Odoo that cannot be connected to, and its health watch closes it again. An Odoo behind a proxy
//! that answers 502 is known here, by calls that came to nothing one after another.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{self, Instant},
};

/// So many calls that came to nothing one after another close the gate.
const FAILURES: u32 = 3;
/// The pauses between calls that are tried while it is closed.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// How often a breaker that is open is looked at.
const LOOK: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    is_being_tried: bool,
    next: Option<Instant>,
}

/// The right to make one call.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Arc<Gate>,
    is_trial: bool,
}

impl Gate {
    /// Waits until a call may be made. `is_up` is asked whether Odoo can be connected to.
    pub(super) async fn pass(self: &Arc<Self>, is_up: impl Fn() -> bool) -> Pass {
        loop {
            if !is_up() {
                time::sleep(LOOK).await;
                continue;
            }
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let until = match self.take() {
                Ok(pass) => return pass,
                Err(until) => until,
            };
            // The breaker may open meanwhile.
            let _ = time::timeout_at(until.unwrap_or_else(|| Instant::now() + SHORTEST), changed).await;
        }
    }

    /// A pass, or when to ask again: none while somebody else tries.
    fn take(self: &Arc<Self>) -> Result<Pass, Option<Instant>> {
        let mut state = self.state.lock();
        if state.failures < FAILURES {
            return Ok(Pass { gate: self.clone(), is_trial: false });
        }
        if state.is_being_tried {
            return Err(None);
        }
        match state.next.filter(|next| *next > Instant::now()) {
            Some(next) => Err(Some(next)),
            None => {
                state.is_being_tried = true;
                Ok(Pass { gate: self.clone(), is_trial: true })
            }
        }
    }
}

impl Pass {
    /// Odoo has answered the call, whatever it said.
    pub(super) fn was_answered(self) {
        self.gate.state.lock().failures = 0;
    }

    /// Odoo did not answer.
    pub(super) fn was_not_answered(self) {
        let mut state = self.gate.state.lock();
        // Calls that were begun together count once they have closed it.
        if state.failures < FAILURES || self.is_trial {
            state.failures = state.failures.saturating_add(1);
        }
        let longer = 1u32.checked_shl(state.failures.saturating_sub(FAILURES)).unwrap_or(u32::MAX);
        state.next = Some(Instant::now() + SHORTEST.saturating_mul(longer).min(LONGEST));
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_trial {
            self.gate.state.lock().is_being_tried = false;
        }
        self.gate.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_odoo_that_does_not_answer_is_tried_by_one_call_at_a_time() {
        let gate = Arc::<Gate>::default();
        let pass = || gate.pass(|| true).now_or_never();
        let first: Vec<Pass> = (0..8).map(|_| pass().unwrap()).collect();
        first.into_iter().for_each(Pass::was_not_answered);
        assert!(pass().is_none());
        time::advance(SHORTEST).await;
        let trial = pass().unwrap();
        time::advance(SHORTEST * 100).await;
        assert!(pass().is_none());
        trial.was_not_answered();
        time::advance(SHORTEST).await;
        assert!(pass().is_none());
        time::advance(SHORTEST).await;
        // A call that was never made says nothing.
        drop(pass().unwrap());
        pass().unwrap().was_answered();
        let open = [pass().unwrap(), pass().unwrap()];
        drop(open);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_passes_while_odoo_cannot_be_connected_to() {
        let gate = Arc::<Gate>::default();
        let asked = std::cell::Cell::new(0);
        let is_up = || {
            asked.set(asked.get() + 1);
            asked.get() > 8
        };
        let started = Instant::now();
        drop(gate.pass(is_up).await);
        assert_eq!(started.elapsed(), LOOK * 8);
    }
}
