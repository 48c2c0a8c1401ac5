//! How large the parts of a long list are, and how many of them are under way at a time: learned while they are created.
//!
//! The first part is small and alone. Then two parts are under way, and the list goes on so if that is faster. Where it is not,
//! as before an Odoo with one worker, and where the two meet in one row of the database, parts follow one another.

use std::time::{Duration, Instant};

/// The number of records of the first part, with their lines.
const FIRST: usize = 250;
const LARGEST: usize = 2_000;
/// A part should take no longer than this part of the time that Odoo has for one RPC.
const PART_OF_TIMEOUT: u32 = 20;
/// The maximum number of parts that are under way.
const SIDE_BY_SIDE: usize = 2;
/// So many parts are created side by side before it is known whether that is faster.
const TRIED: usize = 4;
/// It is worth the place at Odoo that it takes where it is faster by this factor.
const WORTH: f64 = 1.15;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Pace {
    /// How long a part should take at most.
    most: Duration,
    size: usize,
    width: Width,
}

#[derive(Debug)]
enum Width {
    First,
    /// Two are tried, against so many records a second of one alone.
    Trying {
        alone: f64,
        since: Instant,
        parts: usize,
        records: usize,
    },
    Settled(usize),
}

impl Pace {
    /// `timeout` is the time that Odoo has for one RPC.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { most: timeout / PART_OF_TIMEOUT, size: FIRST, width: Width::First }
    }

    /// The number of records of the next part, with their lines.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// How many parts may be under way.
    pub(super) fn side_by_side(&self) -> usize {
        match self.width {
            Width::First => 1,
            Width::Trying { .. } => SIDE_BY_SIDE,
            Width::Settled(width) => width,
        }
    }

    /// A part was created, which took so long.
    pub(super) fn created(&mut self, records: usize, took: Duration, now: Instant) {
        if took > self.most {
            self.size = (self.size / 2).max(1);
        } else if took < self.most / 2 {
            self.size = (self.size * 2).min(LARGEST);
        }
        match &mut self.width {
            Width::First => {
                let alone = rate(records, took);
                self.width = Width::Trying { alone, since: now, parts: 0, records: 0 };
            }
            Width::Trying { alone, since, parts, records: sum } => {
                *parts += 1;
                *sum += records;
                if *parts == TRIED {
                    let is_worth = rate(*sum, now.duration_since(*since)) > *alone * WORTH;
                    self.width = Width::Settled(if is_worth { SIDE_BY_SIDE } else { 1 });
                }
            }
            Width::Settled(_) => {}
        }
    }

    /// The answer to a part was lost: it may have been too large.
    pub(super) fn lost(&mut self) {
        self.size = (self.size / 4).max(1);
    }

    /// Two parts are not to be under way any more. False where they were not.
    pub(super) fn one_by_one(&mut self) -> bool {
        let were_two = self.side_by_side() > 1;
        self.width = Width::Settled(1);
        were_two
    }
}

/// Records a second.
fn rate(records: usize, took: Duration) -> f64 {
    records as f64 / took.as_secs_f64().max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(150);

    /// The pace after parts at so many records a second, of one alone and of two side by side.
    fn paced(alone: f64, two: f64) -> Pace {
        let (mut pace, mut now) = (Pace::new(TIMEOUT), Instant::now());
        for part in 0..6 {
            let rate = if part == 0 { alone } else { two };
            let records = pace.size();
            let took = Duration::from_secs_f64(records as f64 / rate);
            now += took;
            pace.created(records, took * u32::try_from(pace.side_by_side()).unwrap(), now);
        }
        pace
    }

    #[test]
    fn two_parts_are_under_way_where_that_is_faster_and_one_where_it_is_not() {
        assert_eq!(Pace::new(TIMEOUT).side_by_side(), 1);
        assert_eq!(paced(200.0, 380.0).side_by_side(), 2);
        assert_eq!(paced(200.0, 210.0).side_by_side(), 1);
        let mut pace = paced(200.0, 380.0);
        assert!(pace.one_by_one() && !pace.one_by_one());
        assert_eq!(pace.side_by_side(), 1);
    }

    #[test]
    fn parts_take_well_below_the_time_that_odoo_has_however_slow_it_is() {
        for rate in [1.0, 20.0, 200.0, 2_000.0] {
            let pace = paced(rate, rate * 1.8);
            let took = 2.0 * pace.size() as f64 / (rate * 1.8);
            assert!(took < TIMEOUT.as_secs_f64() / 8.0, "{rate} a second: parts of {} in {took} s", pace.size());
        }
        let (mut pace, now) = (Pace::new(TIMEOUT), Instant::now());
        pace.lost();
        assert_eq!(pace.size(), FIRST / 4);
        (0..20).for_each(|_| pace.created(1, TIMEOUT, now));
        assert_eq!(pace.size(), 1);
    }
}
