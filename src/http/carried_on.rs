//! Work that is done within the task of its connection, and goes on in one of its own where the caller hangs up.
//!
//! Most callers wait for their answers, so that a task for each request, which another thread may have to be woken for, is not
//! worth its price. Nothing is cut off: what is left when the connection drops the work is spawned.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// Work that ends whether or not it is waited for; gives what the work gives, or its panic.
pub(super) struct CarriedOn<F: Future<Output: Send> + Send + Unpin + 'static, K: Clone + Send + 'static> {
    /// Until it has ended.
    work: Option<F>,
    /// Kept until the work has ended, or this has been dropped.
    kept: K,
    /// A stop waits for it.
    counted: TaskTrackerToken,
}

impl<F: Future<Output: Send> + Send + Unpin + 'static, K: Clone + Send + 'static> CarriedOn<F, K> {
    /// It counts as one of these tasks. Work that goes on keeps `kept`.
    pub(super) fn new(work: F, kept: K, tasks: &TaskTracker) -> Self {
        Self { work: Some(work), kept, counted: tasks.token() }
    }
}

// What is pinned is behind the work, which can be moved.
impl<F: Future<Output: Send> + Send + Unpin + 'static, K: Clone + Send + 'static> Unpin for CarriedOn<F, K> {}

impl<F: Future<Output: Send> + Send + Unpin + 'static, K: Clone + Send + 'static> Future for CarriedOn<F, K> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let polled = match catch_unwind(AssertUnwindSafe(|| Pin::new(work).poll(context))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(done)) => Ok(done),
            Err(panic) => Err(panic),
        };
        self.work = None;
        Poll::Ready(polled)
    }
}

impl<F: Future<Output: Send> + Send + Unpin + 'static, K: Clone + Send + 'static> Drop for CarriedOn<F, K> {
    fn drop(&mut self) {
        // At the very end of the process there is no runtime left.
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            let kept = (self.kept.clone(), self.counted.clone());
            runtime.spawn(async move {
                drop(work.await);
                drop(kept);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{iter, time::Duration};

    use tokio::{sync::oneshot, time};

    use super::*;

    #[tokio::test]
    async fn what_is_left_when_nobody_waits_any_more_is_done_and_waited_for() {
        let tasks = TaskTracker::new();
        let (go, gone) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let mut work = Box::pin(CarriedOn::new(
            Box::pin(async move {
                gone.await.unwrap();
                done.send(7).unwrap();
            }),
            (),
            &tasks,
        ));
        assert!(time::timeout(Duration::from_millis(1), work.as_mut()).await.is_err());
        drop(work);
        tasks.close();
        assert!(time::timeout(Duration::from_millis(1), tasks.wait()).await.is_err());
        go.send(()).unwrap();
        tasks.wait().await;
        assert_eq!(is_done.await, Ok(7));
    }

    #[tokio::test]
    async fn a_panic_is_told_and_its_work_is_not_tried_again() {
        let tasks = TaskTracker::new();
        assert!(
            CarriedOn::new(
                Box::pin(async { iter::empty::<()>().next().expect("a fault of the gateway's own") }),
                (),
                &tasks
            )
            .await
            .is_err()
        );
        tasks.close();
        tasks.wait().await;
    }
}
