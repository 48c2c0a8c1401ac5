//! How fast the other side takes what it is sent, by the rule that holds for bodies: within each `body_timeout` as much as
//! `body_rate` asks for. Time counts only while something waits to be taken.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use crate::config::Limits;

/// What must be taken: `share` bytes within each `patience`.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct MinThroughput {
    patience: Duration,
    share: u64,
}

/// What is taken of one answer, or on one connection.
pub(in crate::http) struct Throughput {
    min: MinThroughput,
    /// The end of the present patience, while something waits.
    deadline: Option<Pin<Box<Sleep>>>,
    /// What was taken within the present patience.
    taken: u64,
}

impl MinThroughput {
    pub(in crate::http) fn of(limits: &Limits) -> Self {
        let patience = limits.body_timeout;
        Self { patience, share: limits.body_rate.as_u64().saturating_mul(patience.as_secs().max(1)) }
    }
}

impl Throughput {
    pub(in crate::http) fn new(min: MinThroughput) -> Self {
        Self { min, deadline: None, taken: 0 }
    }

    /// Something waits. Ready when too little was taken; else wakes the task when it is time to look again.
    pub(in crate::http) fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let MinThroughput { patience, share } = self.min;
        let deadline = self.deadline.get_or_insert_with(|| {
            self.taken = 0;
            Box::pin(tokio::time::sleep(patience))
        });
        while deadline.as_mut().poll(context).is_ready() {
            if self.taken < share {
                return Poll::Ready(());
            }
            self.taken = 0;
            deadline.as_mut().reset(Instant::now() + patience);
        }
        Poll::Pending
    }

    /// So many bytes were taken, and more may wait.
    pub(in crate::http) fn took(&mut self, bytes: usize) {
        self.taken += bytes as u64;
    }

    /// Nothing waits any more.
    pub(in crate::http) fn rest(&mut self) {
        self.deadline = None;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time;

    use crate::http::serve::throughput::*;

    const PACE: MinThroughput = MinThroughput { patience: Duration::from_secs(6), share: 600 };

    /// Whether it is too slow before so much time is over.
    async fn is_too_slow(taking: &mut Throughput, within: u64) -> bool {
        time::timeout(Duration::from_secs(within), poll_fn(|context| taking.poll_too_slow(context))).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_little_now_and_then_is_too_slow_and_enough_is_not() {
        let mut taking = Throughput::new(PACE);
        for _ in 0..10 {
            assert!(!is_too_slow(&mut taking, 2).await);
            taking.took(300);
        }
        let mut slow = Throughput::new(PACE);
        assert!(!is_too_slow(&mut slow, 3).await);
        slow.took(299);
        assert!(is_too_slow(&mut slow, 4).await);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nothing_waits_does_not_count() {
        let mut taking = Throughput::new(PACE);
        for _ in 0..10 {
            assert!(!is_too_slow(&mut taking, 4).await);
            taking.took(1);
            taking.rest();
            time::sleep(Duration::from_secs(60)).await;
        }
    }
}
