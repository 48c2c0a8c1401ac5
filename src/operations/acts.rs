//! What an operator has done, on the record of the log: by the gateway that writes it, or by this process where none does.

use std::time::Duration;

use super::gateway::{self, RunningGateway};
use crate::{
    config::Config,
    log::{self, Acted, Log},
};

/// A line is written.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why what was done is not in the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
    #[error("the gateway did not record it")]
    Refused,
}

/// Records what another process than the gateway has done. The line is on disk when this comes back.
///
/// # Errors
/// The log cannot be used, or the gateway that writes it cannot be reached.
pub async fn record(config: &Config, acted: Acted) -> Result<(), Error> {
    if log::is_in_use(&config.log.directory) {
        let gateway = RunningGateway::find(&config.log.directory, PATIENCE)?;
        let answer = gateway.post("/acted", &acted).await?;
        return if answer.status.is_success() { Ok(()) } else { Err(Error::Refused) };
    }
    let log = Log::open(&config.log)?;
    let recorded = log.acted(acted).await;
    log.close().await;
    Ok(recorded?)
}
