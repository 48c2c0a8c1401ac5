//! The search for a better limit: which one is put on trial, and whether it is kept.
//!
//! What must stay true: a limit is compared with the one before it alone, by measurements that follow each other. What decides is the
//! difference and its standard error; without certainty, the number of trials is bounded, and the lower limit wins.

use super::{Adaptive, Direction, LADDER, Moved, Phase, RESTS, Search, Seconds, Why, rung, window::Estimate};

/// The longest step, in rungs of the ladder.
const LONGEST_STEP: usize = 4;
/// How often a limit is tried before chance may decide.
const TRIALS: usize = 6;
/// How many standard errors make a difference certain.
const CERTAIN: f64 = 2.0;
/// No measurement is better than this.
const PRECISION: f64 = 0.015;
/// A difference that is certainly smaller than this is none.
const NONE: f64 = 0.04;
/// After so many rests, a lower limit is tried, too. Where Odoo has become slower, it is tried at once.
const RESTS_TO_LOWER: u8 = 4;
/// A change of what RPCs usually take by this factor ends the rest.
const DRIFT: f64 = 1.3;

/// The work that a limit has to bring, as a logarithm: the more, the higher it is. Doubling 4 has to bring 3 % more work, doubling
/// 16 6 %.
fn price(limit: usize) -> f64 {
    let limit = limit as f64;
    0.02 * limit.ln() + 0.003 * limit
}

impl Adaptive {
    /// The window is over.
    pub(super) fn conclude(&mut self, now: Seconds) {
        let estimate = self.window.estimate(now);
        match &self.phase {
            Phase::Resting { .. } => self.rest_or_search(now, estimate),
            Phase::Trying { is_on_trial: true, .. } => match (self.known, estimate) {
                // Where more may be sent than calls there are, it is as if that number were the limit.
                (Some(known), Some(trial)) if trial.is_held_back || trial.in_flight > known.in_flight => {
                    self.compare(now, known, trial);
                }
                _ => self.forget_measurements(now),
            },
            Phase::Trying { .. } => match (self.known, estimate) {
                (Some(known), Some(again)) if again.is_held_back => match self.drift(again) {
                    Some(drift) => self.search_after(now, drift, again),
                    None => self.try_again(now, known.and(again)),
                },
                _ => self.forget_measurements(now),
            },
        }
    }

    /// Puts the same limit on trial again.
    fn try_again(&mut self, now: Seconds, known: Estimate) {
        self.known = Some(known);
        if let Phase::Trying { is_on_trial, .. } = &mut self.phase {
            *is_on_trial = true;
        }
        self.open_window(now, true);
    }

    fn rest_or_search(&mut self, now: Seconds, estimate: Option<Estimate>) {
        let Phase::Resting { until, drifts } = self.phase else { return };
        let Some(estimate) = estimate.filter(|estimate| estimate.is_held_back) else {
            self.known = None;
            return self.open_window(now, false);
        };
        let drift = self.drift(estimate);
        match (drift, self.known) {
            // One window alone may be chance.
            (Some(_), Some(_)) if drifts == 0 => self.phase = Phase::Resting { until, drifts: 1 },
            (Some(drift), _) => return self.search_after(now, drift, estimate),
            (None, known) => {
                self.known = Some(known.map_or(estimate, |known| known.and(estimate)));
                self.phase = Phase::Resting { until, drifts: 0 };
                if now >= until && known.is_some() {
                    return self.try_next(now);
                }
            }
        }
        self.open_window(now, false);
    }

    /// By what factor RPCs take longer than they did at the same limit, if that is no chance. Without a measurement at this limit they
    /// should take as long as usual.
    fn drift(&self, estimate: Estimate) -> Option<f64> {
        let (times, variance, bound) = match self.known {
            Some(known) => (known.times, known.variance, DRIFT),
            None if self.weights.are_renewed() => (1.0, 0.0, DRIFT * DRIFT),
            None => return None,
        };
        let drift = estimate.times / times;
        let error = (estimate.variance + variance).sqrt();
        (drift.ln().abs() > bound.ln() + CERTAIN * error).then_some(drift)
    }

    /// Odoo has become slower or faster. Where everything takes twice as long, half as many requests may be enough.
    fn search_after(&mut self, now: Seconds, drift: f64, estimate: Estimate) {
        let (direction, step) = match drift > 1.0 {
            true => (Direction::Down, self.rung - rung((self.kept() as f64 / drift) as usize)),
            false => (Direction::Up, LONGEST_STEP),
        };
        self.search = Search { direction, step: step.max(1), refuted: (false, false), rest: RESTS.0, rests: 0 };
        self.known = Some(estimate);
        self.try_next(now);
    }

    /// Puts the next limit on trial; where there is none left, the limit rests.
    fn try_next(&mut self, now: Seconds) {
        loop {
            let Search { direction, step, refuted, .. } = &mut self.search;
            let is_refuted = if *direction == Direction::Up { refuted.0 } else { refuted.1 };
            if refuted.0 && refuted.1 {
                return self.rest(now);
            }
            let to = match direction {
                Direction::Up => (self.rung + *step)
                    .min(self.refusals.ceiling(now).map_or(LADDER.len() - 1, |ceiling| ceiling.saturating_sub(1))),
                Direction::Down => self.rung.saturating_sub(*step),
            };
            let is_possible = if *direction == Direction::Up { to > self.rung } else { to < self.rung };
            if is_possible && !is_refuted {
                *step = to.abs_diff(self.rung);
                self.phase = Phase::Trying { to, is_on_trial: true, differences: Vec::new() };
                return self.open_window(now, true);
            }
            self.refute();
            self.search.step = 1;
        }
    }

    /// The limit is not better in this direction.
    fn refute(&mut self) {
        let Search { direction, refuted, .. } = &mut self.search;
        match direction {
            Direction::Up => refuted.0 = true,
            Direction::Down => refuted.1 = true,
        }
        *direction = if *direction == Direction::Up { Direction::Down } else { Direction::Up };
    }

    fn compare(&mut self, now: Seconds, known: Estimate, trial: Estimate) {
        let Phase::Trying { to, differences, is_on_trial } = &mut self.phase else { return };
        let to = *to;
        let price = price(LADDER[to]) - price(LADDER[self.rung]);
        differences.push((trial.work - known.work - price, trial.variance + known.variance));
        let (mean, error) = summary(differences);
        let has_tried_enough = differences.len() >= TRIALS || mean.abs() + CERTAIN * error < NONE;
        let is_up = to > self.rung;
        // A lower limit that is wrongly taken costs little: that a higher one is better is then certain soon.
        let has_shown = if is_up { has_tried_enough } else { differences.len() >= 3 };
        let is_better =
            mean > CERTAIN * error || (has_shown && mean > error / 2.0) || (!is_up && has_tried_enough && mean > 0.0);
        let is_worse = mean < -CERTAIN * error || (is_up && mean < -error) || has_tried_enough;
        if is_better {
            self.accept(now, to, trial);
        } else if is_worse {
            self.not_better(now);
        } else {
            *is_on_trial = false;
            self.open_window(now, true);
        }
    }

    /// What is on trial is not better.
    pub(super) fn not_better(&mut self, now: Seconds) {
        let Search { direction, step, .. } = &mut self.search;
        if *step == 1 {
            self.refute();
        } else {
            // A step up that was too long mostly ends beyond the best limit, which is below, then.
            *step /= 2;
            *direction = Direction::Down;
        }
        self.try_next(now);
    }

    fn accept(&mut self, now: Seconds, to: usize, trial: Estimate) {
        let is_up = to > self.rung;
        let is_one_step = to.abs_diff(self.rung) == 1;
        self.move_to(to, if is_up { Why::MoreWork } else { Why::AsMuchWork });
        // Where it came from is worse. Between there and here there may be a better one yet.
        self.search.refuted = if is_up { (false, is_one_step) } else { (is_one_step, false) };
        self.search.step = (self.search.step * 2).min(LONGEST_STEP);
        self.search.rest = RESTS.0;
        self.known = Some(trial);
        self.try_next(now);
    }

    pub(super) fn move_to(&mut self, to: usize, why: Why) {
        if to != self.rung {
            self.moved = Some(Moved { from: LADDER[self.rung], to: LADDER[to], why });
            self.rung = to;
        }
    }

    fn rest(&mut self, now: Seconds) {
        // The golden ratio: neighbours in this sequence are far from each other.
        self.jitter = (self.jitter + 0.618_034).fract();
        let until = now + self.search.rest * (0.75 + self.jitter / 2.0);
        self.phase = Phase::Resting { until, drifts: 0 };
        let rest = (self.search.rest * 2.0).min(RESTS.1);
        let rests = (self.search.rests + 1) % RESTS_TO_LOWER;
        let is_lower_refuted = rests != 0 && self.rung > 0;
        self.search = Search { direction: Direction::Up, step: 1, refuted: (false, is_lower_refuted), rest, rests };
        self.known = None;
        self.weights.renew();
        self.open_window(now, true);
    }
}

/// The mean of differences with their variances, and its standard error: the larger of what the variances and their spread say.
fn summary(differences: &[(f64, f64)]) -> (f64, f64) {
    let count = differences.len() as f64;
    let mean = differences.iter().map(|(difference, _)| difference).sum::<f64>() / count;
    let variances = differences.iter().map(|(_, variance)| variance).sum::<f64>() / count;
    let spread = match differences.len() {
        0..=2 => 0.0,
        _ => differences.iter().map(|(difference, _)| (difference - mean).powi(2)).sum::<f64>() / (count - 1.0),
    };
    (mean, ((variances.max(spread) + PRECISION * PRECISION) / count).sqrt())
}
