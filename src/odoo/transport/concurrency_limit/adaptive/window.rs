//! A measurement: how much work Odoo does in a second at one limit.
//!
//! By Little's law, the work done in a second is the mean number of RPCs in flight, divided by how many times as long as usual
//! they took: `in flight × Σ usual / Σ taken`. It is thus known from latencies, and neither the end of the window nor one RPC that
//! outlasts it distorts it much. The first moments after a change of the limit are left out, since RPCs that were sent
//! before are then still under way.

use super::Seconds;

/// An RPC that took more than so many times the usual counts as one that took that much: a lock or a cron job is not the limit.
const MOST_TIMES: f64 = 12.0;
/// The shortest measurement, and how many RPCs end one: a number, and so many for each that is in flight.
const SHORTEST: Seconds = 0.25;
const RPCS: f64 = 24.0;
const RPCS_EACH: f64 = 4.0;
/// With fewer RPCs, a measurement says nothing.
const FEWEST: f64 = 6.0;
/// A measurement ends after so many latencies, and within these bounds, however few RPCs there were.
const LATENCIES: f64 = 8.0;
const LONGEST: (Seconds, Seconds) = (3.0, 60.0);
/// The share of the time for which calls must have waited.
const HELD_BACK: f64 = 0.8;
/// Neighbouring RPCs are alike, so that chance is larger than their number alone says.
const ALIKE: f64 = 1.2;

/// A measurement under way.
#[derive(Debug)]
pub(super) struct Window {
    /// RPCs that were sent before are not counted.
    sent_from: Seconds,
    /// Nor those that ended before.
    measured_from: Seconds,
    latency: Seconds,
    in_flight: f64,
    held_back: Seconds,
    rpcs: f64,
    usual: f64,
    taken: f64,
    /// Sums of products, for the variance.
    usual_usual: f64,
    usual_taken: f64,
    taken_taken: f64,
}

/// What a measurement came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Estimate {
    /// The logarithm of the work in a second.
    pub(super) work: f64,
    /// The variance of that logarithm.
    pub(super) variance: f64,
    /// How many times as long as usual the RPCs took.
    pub(super) times: f64,
    pub(super) in_flight: f64,
    /// Calls waited for the limit nearly all the time.
    pub(super) is_held_back: bool,
}

impl Window {
    /// Begins now; what ends within `settling` is not measured yet. `latency` is that of RPCs lately.
    pub(super) fn new(now: Seconds, settling: Seconds, latency: Seconds) -> Self {
        // What is sent at the moment of a change finds a shorter queue than what follows.
        Self {
            sent_from: now + settling / 4.0,
            measured_from: now + settling,
            latency,
            in_flight: 0.0,
            held_back: 0.0,
            rpcs: 0.0,
            usual: 0.0,
            taken: 0.0,
            usual_usual: 0.0,
            usual_taken: 0.0,
            taken_taken: 0.0,
        }
    }

    /// So many were in flight from one moment to another, and others waited or not.
    pub(super) fn pass(&mut self, from: Seconds, to: Seconds, in_flight: usize, is_held_back: bool) {
        let span = (to - from.max(self.measured_from)).max(0.0);
        self.in_flight += span * in_flight as f64;
        self.held_back += if is_held_back { span } else { 0.0 };
    }

    /// Whether an RPC that was sent then and ends now is one of those that are measured.
    pub(super) fn measures(&self, sent: Seconds, now: Seconds) -> bool {
        sent >= self.sent_from && now >= self.measured_from
    }

    pub(super) fn count(&mut self, usual: Seconds, taken: Seconds) {
        let taken = taken.min(usual * MOST_TIMES);
        self.rpcs += 1.0;
        self.usual += usual;
        self.taken += taken;
        self.usual_usual += usual * usual;
        self.usual_taken += usual * taken;
        self.taken_taken += taken * taken;
    }

    pub(super) fn is_over(&self, now: Seconds, limit: usize) -> bool {
        let span = now - self.measured_from;
        let longest = (self.latency * LATENCIES).clamp(LONGEST.0, LONGEST.1);
        span >= longest || (span >= SHORTEST && self.rpcs >= RPCS.max(RPCS_EACH * limit as f64))
    }

    /// None where too little was seen.
    pub(super) fn estimate(&self, now: Seconds) -> Option<Estimate> {
        let span = now - self.measured_from;
        if self.rpcs < FEWEST || span <= 0.0 || self.taken <= 0.0 || self.in_flight <= 0.0 {
            return None;
        }
        let rate = self.usual / self.taken;
        let residuals = self.usual_usual - 2.0 * rate * self.usual_taken + rate * rate * self.taken_taken;
        let in_flight = self.in_flight / span;
        Some(Estimate {
            work: (in_flight * rate).ln(),
            variance: ALIKE * ALIKE * residuals.max(0.0) / (self.usual * self.usual),
            times: 1.0 / rate,
            in_flight,
            is_held_back: self.held_back >= HELD_BACK * span,
        })
    }
}

impl Estimate {
    /// The mean of this one and a later one at the same limit.
    pub(super) fn and(self, later: Self) -> Self {
        Self {
            work: self.work.midpoint(later.work),
            variance: (self.variance + later.variance) / 4.0,
            times: self.times.midpoint(later.times),
            ..later
        }
    }
}
