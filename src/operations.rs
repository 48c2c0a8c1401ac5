//! What an operator does with recorded calls: list and read them, replay them, settle those in doubt.
//!
//! The rules stand here, apart from the command line: options, outcomes and errors are types, and nothing prints. The layer is
//! above [`crate::call`] and [`crate::app`] and below [`crate::cli`].
//!
//! Invariant: a function that is `async` blocks no thread of the runtime; it reads the log in `spawn_blocking`.

pub mod acts;
pub mod backup;
pub mod calls;
pub mod filter;
pub mod gateway;
pub mod live;
pub mod near;
pub mod overview;
pub mod queue;
#[cfg(test)]
mod recorded;
pub mod replay;
pub mod settlement;
pub mod shadow;
pub mod statistics;
pub mod status;
pub mod tried;
pub mod usage;

use crate::log;

/// Runs what reads the log on a thread that may block.
///
/// # Errors
/// Those of the work; [`log::Error::Closed`] where the runtime ends before it.
async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<log::Error> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(log::Error::Closed.into()),
        },
    }
}
