//! Durations in buckets, of which percentiles are told: those of a week do not fit into memory one by one.

/// So many buckets between a duration and its double.
const PARTS_LOG: u32 = 4;
/// Shorter ones are counted with it, in milliseconds.
const SHORTEST: f32 = 0.125;
/// Of [`SHORTEST`]: from there to half an hour it doubles 24 times.
const BUCKETS: usize = 24 << PARTS_LOG;
/// A float's exponent and the first bits of its fraction are the logarithm, rounded down.
const SHIFT: u32 = f32::MANTISSA_DIGITS - 1 - PARTS_LOG;

/// How many calls took how long.
#[derive(Debug, Clone, Default)]
pub(in crate::operations) struct Durations {
    /// Empty as long as there is none.
    buckets: Vec<u32>,
}

impl Durations {
    /// Adds a duration in milliseconds.
    pub(in crate::operations) fn add(&mut self, took: f32) {
        if self.buckets.is_empty() {
            self.buckets = vec![0; BUCKETS];
        }
        let steps = (took.max(SHORTEST).to_bits() >> SHIFT) - (SHORTEST.to_bits() >> SHIFT);
        let at = usize::try_from(steps).unwrap_or(BUCKETS).min(BUCKETS - 1);
        self.buckets[at] = self.buckets[at].saturating_add(1);
    }

    pub(super) fn join(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets = vec![0; BUCKETS];
        }
        for (count, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *count = count.saturating_add(*more);
        }
    }

    /// The durations that so many percent of the calls took at most, each in the middle of its bucket; `None` without calls.
    pub(in crate::operations) fn percentiles<const N: usize>(&self, percents: [u64; N]) -> Option<[f64; N]> {
        let total: u64 = self.buckets.iter().copied().map(u64::from).sum();
        (total > 0).then(|| percents.map(|percent| self.at_rank((total * percent).div_ceil(100).max(1))))
    }

    fn at_rank(&self, rank: u64) -> f64 {
        let mut before = 0;
        let at = self.buckets.iter().position(|count| {
            before += u64::from(*count);
            before >= rank
        });
        let at = u32::try_from(at.unwrap_or_default()).unwrap_or_default();
        let edge = |at: u32| f64::from(f32::from_bits(((SHORTEST.to_bits() >> SHIFT) + at) << SHIFT));
        f64::midpoint(edge(at), edge(at + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_within_a_32nd_of_the_duration_that_was_measured() {
        let mut durations = Durations::default();
        let mut random = fastrand::Rng::with_seed(5);
        let mut all: Vec<f32> = (0..5_000).map(|_| 0.2 + 300.0 * random.f32() / (0.01 + random.f32())).collect();
        all.iter().for_each(|took| durations.add(*took));
        all.sort_by(f32::total_cmp);
        let [half, most] = durations.percentiles([50, 99]).unwrap();
        for (told, measured) in [(half, all[2_499]), (most, all[4_949])] {
            assert!((told / f64::from(measured) - 1.0).abs() <= 1.0 / 32.0, "{told} for {measured}");
        }
        for extreme in [0.0, f32::MAX, f32::INFINITY, f32::NAN, -1.0] {
            durations.add(extreme);
        }
        assert!(durations.percentiles([100]).unwrap()[0] < 3_000_000.0);
        assert_eq!(Durations::default().percentiles([50]), None);
    }
}
