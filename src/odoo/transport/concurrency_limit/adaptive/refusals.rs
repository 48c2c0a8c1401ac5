//! Refusals: Odoo, or what stands before it, takes fewer requests than it is given.
//!
//! An nginx answers 503 beyond its `limit_conn`, a load balancer 429, a full backlog resets connections, and PostgreSQL has a
//! number of connections. One refusal says nothing: Odoo also cuts a request when it ends a worker (`limit_time_real`,
//! `limit_memory_hard`). Several within a second that are a noticeable part of all requests say that the limit is too high.
//!
//! Where nothing is answered any more, Odoo is away, which says nothing about the limit.

use super::Seconds;

/// The time in which half of what was counted is forgotten.
const HALF_LIFE: Seconds = 1.0;
/// So many refusals, and this share of all ends, are too many.
const MANY: f64 = 1.5;
const SHARE: f64 = 0.05;
/// So many connections that were not made, with no answer in between, are an outage.
const OUTAGE: u32 = 3;
/// How long the limit stays below where refusals began: at first, and at most.
const CEILING: (Seconds, Seconds) = (30.0, 600.0);

#[derive(Debug, Default)]
pub(super) struct Refusals {
    refused: f64,
    answered: f64,
    counted_at: Seconds,
    unreachable: u32,
    /// The limit was lowered then.
    gave_way_at: Option<Seconds>,
    ceiling: Option<Ceiling>,
}

#[derive(Debug, Clone, Copy)]
struct Ceiling {
    rung: usize,
    until: Seconds,
    lasts: Seconds,
}

impl Refusals {
    /// Odoo has answered. Whether that is after an outage.
    pub(super) fn answered(&mut self, now: Seconds) -> bool {
        self.decay(now);
        self.answered += 1.0;
        let was_away = self.unreachable >= OUTAGE;
        if was_away {
            *self = Self { counted_at: now, ..Self::default() };
        }
        // Connections that were not made beside others that were: the backlog is full.
        self.refused += f64::from(std::mem::take(&mut self.unreachable));
        was_away
    }

    pub(super) fn refused(&mut self, now: Seconds) {
        self.decay(now);
        self.refused += 1.0;
    }

    pub(super) fn unreachable(&mut self) {
        self.unreachable = self.unreachable.saturating_add(1);
    }

    /// Whether the limit has to be lowered now, which it is once in the time that it takes to show.
    pub(super) fn are_too_many(&self, now: Seconds, latency: Seconds) -> bool {
        let is_soon = self.gave_way_at.is_some_and(|at| now - at < latency.max(HALF_LIFE));
        let is_away = self.unreachable > 0 || self.answered < 0.5;
        !is_soon && !is_away && self.refused >= MANY && self.refused >= SHARE * (self.refused + self.answered)
    }

    /// The limit was lowered from this rung.
    pub(super) fn gave_way(&mut self, now: Seconds, rung: usize) {
        let lasted = self.ceiling.filter(|ceiling| now - ceiling.until < ceiling.lasts).map(|ceiling| ceiling.lasts);
        let lasts = lasted.map_or(CEILING.0, |lasted| (lasted * 2.0).min(CEILING.1));
        self.ceiling = Some(Ceiling { rung, until: now + lasts, lasts });
        self.gave_way_at = Some(now);
        (self.refused, self.answered) = (0.0, 0.0);
    }

    /// The rung that the limit has to stay below for now.
    pub(super) fn ceiling(&self, now: Seconds) -> Option<usize> {
        self.ceiling.filter(|ceiling| now < ceiling.until).map(|ceiling| ceiling.rung)
    }

    fn decay(&mut self, now: Seconds) {
        let part = (-(now - self.counted_at).max(0.0) / HALF_LIFE).exp2();
        self.refused *= part;
        self.answered *= part;
        self.counted_at = now;
    }
}
