//! Retries of requests that failed without an effect, with exponential backoff, jitter and a retry budget.
//!
//! The budget is a share of all calls, so that retries do not multiply the load of an Odoo that fails often.

use std::{fmt, time::Duration};

use tokio::time::Instant;
use tower::{
    retry::{
        backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, InvalidBackoff, MakeBackoff},
        budget::{Budget, TpsBudget},
    },
    util::rng::HasherRng,
};

use crate::{
    config,
    odoo::model::error::{Error, Repeatable},
};

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The maximum jitter, as a fraction of the pause.
const JITTER: f64 = 0.5;
/// How long a call counts towards the budget.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Retries per second outside the budget, so that a gateway with few calls may retry at all.
const FREE_PER_SECOND: u32 = 1;

pub(in crate::odoo) struct Retries {
    most: u8,
    budget: TpsBudget,
    pauses: ExponentialBackoffMaker,
}

impl Retries {
    pub(in crate::odoo) fn build(config: &config::Upstream) -> Result<Self, InvalidBackoff> {
        Ok(Self {
            most: config.retries,
            budget: TpsBudget::new(REMEMBERED, FREE_PER_SECOND, config.retry_budget),
            pauses: ExponentialBackoffMaker::new(SHORTEST_PAUSE, LONGEST_PAUSE, JITTER, HasherRng::new())?,
        })
    }

    /// The retries of one call.
    pub(in crate::odoo) fn begin(&self) -> Tries<'_> {
        self.budget.deposit();
        Tries { retries: self, left: self.most, pauses: self.pauses.clone().make_backoff() }
    }
}

/// The remaining retries of one call.
pub(in crate::odoo) struct Tries<'r> {
    retries: &'r Retries,
    left: u8,
    pauses: ExponentialBackoff,
}

/// Whether a retry counts towards the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::odoo) enum Cost {
    Budgeted,
    /// It is always allowed: half of a write is in Odoo.
    Unlimited,
}

impl Tries<'_> {
    /// Whether to retry the call after this outcome. Waits for the backoff pause first, never beyond `until`.
    pub(in crate::odoo) async fn again<T>(
        &mut self,
        outcome: &Result<T, Error>,
        rpc: Repeatable,
        cost: Cost,
        until: Instant,
    ) -> bool {
        if !matches!(outcome, Err(error) if error.is_transient(rpc)) || self.left == 0 {
            return false;
        }
        let pause = self.pauses.next_backoff();
        if pause.deadline() > until || (cost == Cost::Budgeted && !self.retries.budget.withdraw()) {
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
    use futures_util::future::join_all;

    use super::*;
    use crate::odoo::model::{effect::Effect, error::Why, fault::Fault};

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
        let (mut tries, until) = (retries.begin(), Instant::now() + time);
        let mut made = 1;
        while tries.again(&Err::<(), _>(error.clone()), Repeatable::InPart, Cost::Budgeted, until).await {
            made += 1;
        }
        made
    }

    fn fault(name: &str) -> Error {
        Error::Fault(Fault { name: name.to_owned(), message: String::new(), debug: String::new() })
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
        // Odoo runs a method again after the one, and not after the other.
        assert_eq!(tries(&retries, fault("psycopg2.errors.SerializationFailure")).await, 3);
        assert_eq!(tries(&retries, fault("odoo.exceptions.LockError")).await, 1);
        let late = Error::NoAnswer { effect: Effect::Read, why: Why::TimedOut(Duration::ZERO) };
        assert_eq!(tries(&retries, late).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn repetitions_keep_to_their_budget() {
        let retries = retries(5, 0.0);
        // At once: one after another, their pauses take so long that a second's free retry is there for each.
        let all: u32 = join_all((0..100).map(|_| tries(&retries, refused()))).await.into_iter().sum();
        // A hundred calls, and what is free in the time that they took.
        assert!((101..200).contains(&all), "{all}");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_repeated_when_the_time_is_up() {
        assert_eq!(tries_within(Duration::from_millis(10), &retries(9, 1.0), refused()).await, 1);
    }
}
