//! The limit that finds itself: as many requests at a time as make Odoo do most work.
//!
//! It is a gradient limit, as Netflix's `Gradient2Limit` and Envoy's adaptive concurrency are: it compares latencies. Those two compare
//! the latency of now with that of an unloaded server, which is learnt once in a while (Envoy lets three requests through for that) or
//! is the average of long ago. Neither can be had from Odoo: it may never be unloaded, its database gets slower by itself, and a
//! quarter more latency at one request more says nothing where Odoo has threads, and a GIL. So this one compares the latencies at two
//! neighbouring limits that were in force one after the other ([`window`]), each kind of RPC with itself ([`weights`]). It is a hill
//! climb on the work that is done in a second.
//!
//! A limit is on trial for some tenths of a second up to some seconds, once or, where chance may have decided, up to six
//! times, in turn with the limit that was there before. It stays where it makes Odoo do more work than its price
//! ([`search`]); so of limits that are equally good, the lowest is taken, and people who use the same Odoo in their browser are not crowded
//! out for a percent. What is found doubles the next step. Where neither one step more nor one less is better, the limit rests, each time
//! for longer, up to a minute.
//!
//! AIMD alone was not taken: Odoo refuses nothing. It accepts any number (threads), or lets requests wait in the backlog of its
//! socket (workers). Refusals (a proxy's 429 or 503, a PostgreSQL without connections) lower the limit all the same, at once and by a quarter
//! ([`refusals`]), and for a while it does not rise to where they began.
//!
//! What must stay true: it knows no clock and no lock; times come with the events. It learns only while calls wait for the limit.
//! It is never below 1 or above 64. One RPC, however slow, changes nothing by itself.

mod refusals;
mod search;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod weights;
mod window;

pub use self::weights::Kind;
use self::{
    refusals::Refusals,
    weights::Weights,
    window::{Estimate, Window},
};

/// A moment or a span, in seconds.
pub(super) type Seconds = f64;

/// The limits that are tried.
const LADDER: [usize; 17] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64];
/// The first limit.
pub(super) const FIRST: usize = 4;
/// How long the limit rests where no step is better: at first, and at most.
const RESTS: (Seconds, Seconds) = (4.0, 40.0);
/// After a silence of so many latencies, and at least this long, what was measured is dropped.
const SILENCE: (f64, Seconds) = (4.0, 1.0);
/// A lower limit is given up when nothing has ended for so many latencies, and at least this long.
const STALL: (f64, Seconds) = (4.0, 0.25);
/// How long after a change of the limit nothing is measured: in latencies, and at most.
const SETTLING: (f64, Seconds) = (1.2, 5.0);

/// The limit, and what it has learnt.
#[derive(Debug)]
pub(super) struct Adaptive {
    rung: usize,
    phase: Phase,
    search: Search,
    window: Window,
    weights: Weights,
    refusals: Refusals,
    /// What was measured at the limit that is kept while another is tried.
    known: Option<Estimate>,
    /// The mean time of an RPC lately.
    latency: Seconds,
    in_flight: usize,
    /// Up to here, time has been counted.
    at: Seconds,
    last_end: Seconds,
    is_held_back: bool,
    /// A batch was held back lately: until then, calls count as waiting.
    held_until: Seconds,
    moved: Option<Moved>,
    /// Where in the sequence of pauses it is: no two gateways have the same.
    jitter: f64,
}

/// A change of the limit that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) why: Why,
}

/// Why the limit was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Odoo did more work with more requests at a time.
    MoreWork,
    /// Odoo did as much work with fewer.
    AsMuchWork,
    /// Odoo, or a proxy before it, refused requests.
    Refused,
    /// Odoo was away, and may have come back with another number of workers.
    Away,
}

impl Why {
    pub fn words(self) -> &'static str {
        match self {
            Self::MoreWork => "Odoo does more work so",
            Self::AsMuchWork => "Odoo does as much work so",
            Self::Refused => "Odoo refused requests",
            Self::Away => "Odoo was away",
        }
    }
}

/// How an RPC ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Odoo answered: an RPC of this kind, with so many items.
    Answered(Kind, u32),
    /// Odoo answered something that is compared with nothing.
    Unmeasured,
    /// Odoo or a proxy turned it away, or cut it.
    Refused,
    /// No connection was made.
    Unreachable,
    /// It was given up, or never sent.
    Nothing,
}

#[derive(Debug)]
enum Phase {
    /// The limit rests, for so long under load.
    Resting { until: Seconds, drifts: u8 },
    /// Another limit is on trial, or the one before it is measured again in between.
    Trying { to: usize, is_on_trial: bool, differences: Vec<(f64, f64)> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// Where the next better limit is looked for.
#[derive(Debug)]
struct Search {
    direction: Direction,
    step: usize,
    /// One step up, and one down, is not better.
    refuted: (bool, bool),
    rest: Seconds,
    rests: u8,
}

impl Adaptive {
    /// Begins at `first`. Two with another `seed` rest for other times.
    pub(super) fn new(first: usize, seed: u64) -> Self {
        Self {
            rung: rung(first),
            phase: Phase::Resting { until: 0.0, drifts: 0 },
            search: Search { direction: Direction::Up, step: 4, refuted: (false, false), rest: RESTS.0, rests: 0 },
            window: Window::new(0.0, 0.0, 0.0),
            weights: Weights::new(),
            refusals: Refusals::default(),
            known: None,
            latency: 0.0,
            in_flight: 0,
            at: 0.0,
            last_end: 0.0,
            is_held_back: false,
            held_until: 0.0,
            moved: None,
            jitter: (seed % 1024) as f64 / 1024.0,
        }
    }

    /// The limit that is in force.
    pub(super) fn limit(&self) -> usize {
        match &self.phase {
            Phase::Trying { to, is_on_trial: true, .. } => LADDER[*to],
            _ => LADDER[self.rung],
        }
    }

    /// The limit that is kept, whatever is on trial.
    pub(super) fn kept(&self) -> usize {
        LADDER[self.rung]
    }

    /// The last change that was kept, once.
    pub(super) fn take_moved(&mut self) -> Option<Moved> {
        self.moved.take()
    }

    /// A request is sent now; others wait for the limit, or not.
    pub(super) fn begun(&mut self, now: Seconds, is_held_back: bool) {
        let silence = (self.latency * SILENCE.0).max(SILENCE.1);
        if self.in_flight == 0 && now - self.at > silence {
            self.forget_measurements(now);
        }
        self.pass(now, is_held_back);
        self.in_flight += 1;
    }

    /// So many requests are under way already, which are not measured.
    pub(super) fn found_in_flight(&mut self, now: Seconds, in_flight: usize) {
        self.in_flight = in_flight;
        self.at = now;
        self.open_window(now, true);
    }

    /// Odoo refused something beside the request that carried it, such as a connection to its database.
    pub(super) fn refused(&mut self, now: Seconds) {
        self.refusals.refused(now);
        if self.refusals.are_too_many(now, self.latency) {
            self.pass(now, self.is_held_back);
            self.give_way(now);
        }
    }

    /// Calls wait for a batch that the limit holds back, and will for about as long.
    pub(super) fn held_back(&mut self, now: Seconds, until: Seconds) {
        self.pass(now, self.is_held_back);
        self.held_until = self.held_until.max(until);
    }

    /// Time has passed. A lower limit that is on trial while nothing ends is given up: a single slow request may hold all places.
    pub(super) fn tick(&mut self, now: Seconds) {
        let silence = (self.latency * STALL.0).max(STALL.1);
        let is_lower = self.limit() < self.kept();
        if is_lower && self.in_flight >= self.limit() && now - self.last_end > silence {
            self.pass(now, self.is_held_back);
            self.not_better(now);
        } else if matches!(self.phase, Phase::Trying { .. }) && self.in_flight == 0 && now - self.at > SILENCE.1 {
            self.forget_measurements(now);
        }
    }

    /// A request that was sent at `sent` has ended.
    pub(super) fn ended(&mut self, now: Seconds, is_held_back: bool, sent: Seconds, how: How) {
        self.pass(now, is_held_back);
        self.in_flight = self.in_flight.saturating_sub(1);
        self.last_end = now;
        match how {
            How::Answered(..) | How::Unmeasured if self.refusals.answered(now) => self.came_back(now),
            How::Answered(kind, items) => self.measure(now, sent, kind, items),
            How::Unmeasured => {}
            How::Refused => self.refusals.refused(now),
            How::Unreachable => self.refusals.unreachable(),
            How::Nothing => {}
        }
        if self.refusals.are_too_many(now, self.latency) {
            self.give_way(now);
        } else if self.window.is_over(now, self.limit()) {
            self.conclude(now);
        }
    }

    fn pass(&mut self, now: Seconds, is_held_back: bool) {
        let was_held_back = self.is_held_back || self.at < self.held_until;
        self.window.pass(self.at, now, self.in_flight, was_held_back);
        (self.at, self.is_held_back) = (now, is_held_back);
    }

    fn measure(&mut self, now: Seconds, sent: Seconds, kind: Kind, items: u32) {
        let taken = (now - sent).max(1e-6);
        self.latency = if self.latency == 0.0 { taken } else { self.latency + (taken - self.latency) / 32.0 };
        if let Some(usual) = self.weights.note(kind, f64::from(items.max(1)), taken)
            && self.window.measures(sent, now)
        {
            self.window.count(usual, taken);
        }
    }

    /// Begins to measure; where the limit has just changed, from when requests take as long as they do at the new one.
    fn open_window(&mut self, now: Seconds, is_changed: bool) {
        let higher = self.limit() as f64 / self.kept() as f64;
        let settling = if is_changed { (self.latency * SETTLING.0 * higher.max(1.0)).min(SETTLING.1) } else { 0.0 };
        self.window = Window::new(now, settling, self.latency);
    }

    /// What is being measured is not to be compared with what comes. A trial that is cut short is followed by a rest, and a silence is no
    /// part of one: calls that come in bursts would meet a trial in each.
    fn forget_measurements(&mut self, now: Seconds) {
        match &mut self.phase {
            Phase::Resting { until, .. } => *until += now - self.at,
            Phase::Trying { .. } => self.phase = Phase::Resting { until: now + RESTS.0, drifts: 0 },
        }
        self.known = None;
        self.open_window(now, false);
    }

    /// Odoo refuses requests.
    fn give_way(&mut self, now: Seconds) {
        let refused = rung(self.limit());
        self.refusals.gave_way(now, refused);
        // What was there before the trial was not refused.
        let below = if refused > self.rung { self.rung } else { rung(LADDER[refused] * 3 / 4) };
        self.move_to(below, Why::Refused);
        self.search = Search { direction: Direction::Up, step: 1, refuted: (false, false), rest: RESTS.0, rests: 0 };
        self.phase = Phase::Resting { until: now + RESTS.0, drifts: 0 };
        self.known = None;
        self.open_window(now, true);
    }

    /// Odoo answers again after an outage.
    fn came_back(&mut self, now: Seconds) {
        self.move_to(self.rung.min(rung(FIRST)), Why::Away);
        self.search = Search { direction: Direction::Up, step: 2, refuted: (false, false), rest: RESTS.0, rests: 0 };
        self.phase = Phase::Resting { until: now, drifts: 0 };
        self.known = None;
        self.open_window(now, true);
    }
}

/// The highest rung that is not above a limit.
fn rung(limit: usize) -> usize {
    LADDER.iter().rposition(|known| *known <= limit).unwrap_or(0)
}
