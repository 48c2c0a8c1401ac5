//! How fast calls are sent: at most so many in a time, as `--rate` says it.

use std::{str::FromStr, time::Duration};

use tokio::time::{Interval, MissedTickBehavior, interval};

/// So many calls in a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cli) struct Rate {
    between: Duration,
}

/// What was given is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give a number and a time, such as 5/s, 30/min or 200/h")]
pub(in crate::cli) struct NoRate;

impl FromStr for Rate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        let (number, unit) = text.split_once('/').ok_or(NoRate)?;
        let number: f64 = number.trim().parse().map_err(|_| NoRate)?;
        let time = match unit.trim() {
            "s" | "sec" | "second" => 1.0,
            "m" | "min" | "minute" => 60.0,
            "h" | "hour" => 3600.0,
            _ => return Err(NoRate),
        };
        let between = Duration::try_from_secs_f64(time / number).map_err(|_| NoRate)?;
        if number > 0.0 && !between.is_zero() { Ok(Self { between }) } else { Err(NoRate) }
    }
}

impl Rate {
    /// Its first tick comes at once, and no later one comes early.
    pub(in crate::cli) fn ticks(self) -> Interval {
        let mut ticks = interval(self.between);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        for (text, between) in [("5/s", 200), ("30/min", 2000), ("3600/h", 1000), ("0.5/s", 2000)] {
            assert_eq!(text.parse(), Ok(Rate { between: Duration::from_millis(between) }), "{text}");
        }
        for text in ["5", "x/s", "0/s", "-1/s", "5/day", "nan/s", "inf/s"] {
            assert_eq!(text.parse::<Rate>(), Err(NoRate), "{text}");
        }
    }
}
