//! What the log tells of a long list of records while it is written.
//!
//! A line is written every few seconds, and more rarely the longer the call takes, so that there are some hundred at most. It is
//! not waited for, and one that the log does not take changes nothing of the call.

use std::{convert::Infallible, pin::pin, time::Duration};

use futures_util::future::{self, Either};
use tokio::time::{Instant, sleep};

use crate::{execute::Progress, log::Entry};

/// The shortest time between two lines. A list that is written sooner has none.
const EVERY: Duration = Duration::from_secs(2);
/// The time between two lines is at least this part of what the call has taken so far.
const PART: u32 = 20;

/// Writes a list, and tells meanwhile how far it is.
pub(super) async fn told<T>(written: impl Future<Output = T> + Unpin, entry: &Entry, progress: &Progress) -> T {
    match future::select(written, pin!(tell(entry, progress))).await {
        Either::Left((written, _)) => written,
        Either::Right((never, _)) => match never {},
    }
}

/// Tells again and again how far the list is. It never ends by itself.
async fn tell(entry: &Entry, progress: &Progress) -> Infallible {
    let (started, mut told) = (Instant::now(), None);
    loop {
        sleep(pause(started.elapsed())).await;
        let reached = progress.reached();
        if let Some(now) = reached.filter(|_| reached != told)
            && entry.progress(now.written, now.failed, now.of).await.is_ok()
        {
            told = reached;
        }
    }
}

/// The time to the next line, of a call that has taken so long.
fn pause(taken: Duration) -> Duration {
    (taken / PART).max(EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_a_day_has_some_hundred_lines_and_one_of_a_minute_some_ten() {
        let lines_within = |whole: Duration| {
            let mut taken = Duration::ZERO;
            (0..).find(|_| {
                taken += pause(taken);
                taken > whole
            })
        };
        assert_eq!(lines_within(Duration::from_secs(60)), Some(28));
        assert!(lines_within(Duration::from_secs(86_400)).is_some_and(|lines| lines < 200));
    }
}
