//! Trying again, where that does no harm and may help: with pauses that grow and vary, and within a budget.
//!
//! The budget is a share of all calls, so that an Odoo that fails much is not given more to do because of it.

use std::{fmt, time::Duration};

use tokio::time::Instant;
use tower::{
    retry::{
        backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, InvalidBackoff, MakeBackoff},
        budget::{Budget, TpsBudget},
    },
    util::rng::HasherRng,
};

use super::error::Error;
use crate::config;

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How much longer than its due a pause may be.
const JITTER: f64 = 0.5;
/// For how long a call counts towards the budget.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Repetitions a second that are free, so that a gateway with few calls may repeat one at all.
const FREE_PER_SECOND: u32 = 1;

pub(super) struct Retries {
    most: u8,
    budget: TpsBudget,
    pauses: ExponentialBackoffMaker,
}

impl Retries {
    pub(super) fn build(config: &config::Upstream) -> Result<Self, InvalidBackoff> {
        Ok(Self {
            most: config.retries,
            budget: TpsBudget::new(REMEMBERED, FREE_PER_SECOND, config.retry_budget),
            pauses: ExponentialBackoffMaker::new(SHORTEST_PAUSE, LONGEST_PAUSE, JITTER, HasherRng::new())?,
        })
    }

    /// For one call. No repetition of it begins after `until`.
    pub(super) fn begin(&self, until: Instant) -> Tries<'_> {
        self.budget.deposit();
        Tries { retries: self, left: self.most, until, pauses: self.pauses.clone().make_backoff() }
    }
}

/// What one call may still try.
pub(super) struct Tries<'r> {
    retries: &'r Retries,
    left: u8,
    until: Instant,
    pauses: ExponentialBackoff,
}

impl Tries<'_> {
    /// Whether the call is worth another try after this outcome; waits before it says so.
    pub(super) async fn again<T>(&mut self, outcome: &Result<T, Error>) -> bool {
        let is_passing = matches!(outcome, Err(error) if error.is_passing());
        if !is_passing || self.left == 0 || !self.retries.budget.withdraw() {
            return false;
        }
        let pause = self.pauses.next_backoff();
        if pause.deadline() > self.until {
            return false;
        }
        self.left -= 1;
        pause.await;
        true
    }
}

impl fmt::Debug for Retries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retries").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odoo::{Effect, Why};

    fn retries(most: u8, retry_budget: f32) -> Retries {
        let text = format!(
            "[upstream]\nurl = \"http://o\"\ndatabase = \"d\"\nretries = {most}\nretry_budget = {retry_budget:?}"
        );
        Retries::build(&config::Config::parse(&text, "gateway.toml".as_ref()).unwrap().upstream).unwrap()
    }

    async fn tries(retries: &Retries, error: Error) -> u32 {
        tries_within(Duration::from_secs(60), retries, error).await
    }

    async fn tries_within(time: Duration, retries: &Retries, error: Error) -> u32 {
        let mut tries = retries.begin(Instant::now() + time);
        let mut made = 1;
        while tries.again(&Err::<(), _>(error.clone())).await {
            made += 1;
        }
        made
    }

    fn refused() -> Error {
        Error::Unreachable { url: String::new(), reason: String::new() }
    }

    fn broken(effect: Effect) -> Error {
        Error::NoAnswer { effect, why: Why::Broken(String::new()) }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_safe_and_may_pass_is_repeated() {
        let retries = retries(2, 1.0);
        assert_eq!(tries(&retries, refused()).await, 3);
        assert_eq!(tries(&retries, broken(Effect::Read)).await, 3);
        assert_eq!(tries(&retries, broken(Effect::Write)).await, 1);
        assert_eq!(tries(&retries, Error::WrongKey).await, 1);
        let late = Error::NoAnswer { effect: Effect::Read, why: Why::TimedOut(Duration::ZERO) };
        assert_eq!(tries(&retries, late).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn repetitions_keep_to_their_budget() {
        let retries = retries(5, 0.0);
        let mut all = 0;
        for _ in 0..100 {
            all += tries(&retries, refused()).await;
        }
        // A hundred calls, and what is free in the time that they took.
        assert!((101..200).contains(&all), "{all}");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_repeated_when_the_time_is_up() {
        assert_eq!(tries_within(Duration::from_millis(10), &retries(9, 1.0), refused()).await, 1);
    }
}
