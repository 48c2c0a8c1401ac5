//! What decides on the number of permits: the configuration, or the limit that finds itself ([`adaptive`](super::adaptive)).
//!
//! It gives the state machine the times, and the fair queue the number of permits. It is shared by old and new configuration, as the
//! fair queue is. What must stay true: the number of permits is that of the control, since it is changed under the control's lock.
//! That lock is taken before the fair queue's, never the other way round.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    adaptive::{Adaptive, FIRST, How, Moved, Seconds, Why},
    fair_queue::{FairQueue, Permit},
};
use crate::config::MaxInFlight;

/// The number of permits, and what moves it.
#[derive(Debug)]
pub(super) struct Control {
    queue: Arc<FairQueue>,
    /// The times of the state machine are since then.
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    permits: usize,
    changed: Option<Change>,
    /// The limit that the process log has told of last.
    told: usize,
}

#[derive(Debug)]
enum Mode {
    Fixed,
    Auto(Box<Adaptive>),
}

/// A change of the limit that the gateway has found.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    pub at: Timestamp,
    pub from: usize,
    pub to: usize,
    pub why: Why,
}

/// The limit as it is.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// How many requests Odoo is given at a time, at this moment.
    pub permits: usize,
    /// The limit finds itself.
    pub is_auto: bool,
    /// How it has changed last.
    pub changed: Option<Change>,
}

/// A place among the requests that Odoo works on. When it is dropped, its permit goes to the next one, and the limit learns how the
/// request ended.
#[derive(Debug)]
pub struct Place {
    control: Arc<Control>,
    sent: Instant,
    how: How,
    _permit: Permit,
}

impl Control {
    pub(super) fn new(queue: Arc<FairQueue>, wanted: MaxInFlight) -> Arc<Self> {
        let state = State { mode: Mode::Fixed, permits: 0, changed: None, told: FIRST };
        let new = Arc::new(Self { queue, began: Instant::now(), state: Mutex::new(state) });
        new.apply(wanted);
        new
    }

    /// What the configuration wants counts from now on. A limit that finds itself goes on from the number that there is.
    pub(super) fn apply(&self, wanted: MaxInFlight) {
        let mut state = self.state.lock();
        match (wanted, &state.mode) {
            (MaxInFlight::Auto, Mode::Auto(_)) => {}
            (MaxInFlight::Auto, Mode::Fixed) => {
                let first = if state.permits == 0 { FIRST } else { state.permits };
                let seed = RandomState::new().hash_one(self.began.elapsed());
                let mut adaptive = Adaptive::new(first, seed);
                let (in_flight, _) = self.queue.load();
                adaptive.found_in_flight(self.now(), in_flight);
                state.permits = adaptive.limit();
                state.mode = Mode::Auto(Box::new(adaptive));
            }
            (MaxInFlight::Fixed(number), _) => {
                (state.mode, state.permits, state.changed) = (Mode::Fixed, usize::from(number.get()), None);
            }
        }
        self.queue.resize(state.permits);
    }

    pub(super) fn limit(&self) -> Limit {
        let state = self.state.lock();
        Limit { permits: state.permits, is_auto: matches!(state.mode, Mode::Auto(_)), changed: state.changed }
    }

    pub(super) fn permits(&self) -> usize {
        self.state.lock().permits
    }

    /// A request gets its place.
    pub(super) fn place(self: &Arc<Self>, permit: Permit) -> Place {
        let waits = self.queue.is_waited_for();
        self.learn(|limit, now| limit.begun(now, waits));
        Place { control: self.clone(), sent: Instant::now(), how: How::Nothing, _permit: permit }
    }

    /// A batch has taken this long, and jobs would have gone beside it if the limit had been higher.
    pub(super) fn hold_back(&self, took: Duration) {
        self.learn(|limit, now| limit.held_back(now, now + took.as_secs_f64()));
    }

    /// Odoo refused something that it had begun.
    pub(super) fn refused(&self) {
        self.learn(|limit, now| limit.refused(now));
    }

    /// Time has passed.
    pub(super) fn tick(&self) {
        self.learn(|limit, now| limit.tick(now));
    }

    fn learn(&self, event: impl FnOnce(&mut Adaptive, Seconds)) {
        let mut state = self.state.lock();
        let Mode::Auto(limit) = &mut state.mode else { return };
        event(limit, self.now());
        let (permits, moved) = (limit.limit(), limit.take_moved());
        if let Some(Moved { from, to, why }) = moved {
            state.changed = Some(Change { at: Timestamp::now(), from, to, why });
            state.tell(to, why);
        }
        if permits != state.permits {
            state.permits = permits;
            self.queue.resize(permits);
        }
    }

    fn now(&self) -> Seconds {
        self.began.elapsed().as_secs_f64()
    }
}

impl State {
    /// The process log has what is noteworthy: refusals, outages, and every doubling or halving.
    fn tell(&mut self, to: usize, why: Why) {
        let is_noteworthy = to >= self.told * 2 || to * 2 <= self.told;
        let from = self.told;
        match why {
            Why::Refused => tracing::warn!(limit = to, "Odoo refuses requests, so that it is given fewer at a time"),
            Why::Away => tracing::info!(limit = to, "Odoo is back; how many requests it takes at a time is found anew"),
            Why::MoreWork | Why::AsMuchWork if is_noteworthy => {
                tracing::info!(from, limit = to, "Odoo is given another number of requests at a time: {}", why.words());
            }
            Why::MoreWork | Why::AsMuchWork => return,
        }
        self.told = to;
    }
}

impl Place {
    /// The request has ended in this way.
    pub(in crate::odoo) fn note(&mut self, how: How) {
        self.how = how;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (how, waits) = (self.how, self.control.queue.is_waited_for());
        let took = self.sent.elapsed().as_secs_f64();
        self.control.learn(|limit, now| limit.ended(now, waits, now - took, how));
    }
}
