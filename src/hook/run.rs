//! Waits for a worker that runs a filter.
//!
//! What must stay true: the filters that run at the same time are bounded in number, memory and time, and none outlives its limit.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time};

use super::{
    Error,
    input::Input,
    template::{Code, Ran},
    worker::{self, Run, TIME_LIMIT},
};
use crate::memory::{self, Full};

/// The time that a worker may take beyond its filter's, to start and to receive the body.
const GRACE: Duration = Duration::from_secs(10);
/// The slots for running filters, each with memory of its own.
static SLOTS: Semaphore = Semaphore::const_new(8);

/// Runs a filter in a worker process, within the limits of memory and time.
///
/// # Errors
/// It fails, takes more than it may, or all slots are busy.
pub(super) async fn run(code: Code, input: Input) -> Result<Ran, Error> {
    let place = time::timeout(TIME_LIMIT, SLOTS.acquire()).await;
    let place = place.map_err(|_| Error::Busy)?.map_err(|_| Error::Busy)?;
    let run = Arc::new(Run::default());
    let this_run = run.clone();
    let made = tokio::task::spawn_blocking(move || {
        let made = worker::run(&code, &input, &this_run);
        drop(place);
        made
    });
    // A worker ends itself in time. One that cannot is killed, since it would keep its slot.
    let made = time::timeout(TIME_LIMIT + GRACE, made).await.map_err(|_| {
        run.end();
        Error::Endless
    })?;
    let ran = made.map_err(|_| Error::Failed("it broke down".to_owned()))??;
    if let Ran::Results(results) = &ran {
        let size = results.iter().map(String::len).sum();
        let parsed = results.iter().map(|result| memory::weigh(result.as_bytes()).in_call(0)).sum::<usize>();
        memory::take(parsed.saturating_add(size)).map_err(|full| match full {
            Full::Now { .. } => Error::Busy,
            Full::Always { .. } => Error::TooMuch,
        })?;
    }
    Ok(ran)
}
