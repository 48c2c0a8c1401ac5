//! Closing a call in doubt.
//!
//! One process writes the log: the gateway that runs records the settlement, or this process where none does.

use std::time::Duration;

use uuid::Uuid;

use super::gateway::{self, RunningGateway};
use crate::{
    config::Config,
    log::{self, Log, NotSettled, Settlement},
};

/// The log is read from its end to the call, and a line is written.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why a call was not settled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} is not settled")]
    Refused(Uuid, #[source] NotSettled),
    #[error("{0} is not settled: {1}")]
    RefusedByGateway(Uuid, String),
    /// The log cannot be opened.
    #[error(transparent)]
    Log(log::Error),
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
}

/// Records that a call was done, or was not. The line is on disk when this comes back.
///
/// # Errors
/// The call is not in doubt, the log cannot be used, or the gateway that writes it cannot be reached.
pub async fn settle(config: &Config, settlement: Settlement) -> Result<(), Error> {
    if log::is_in_use(&config.log.directory) {
        by_gateway(config, settlement).await
    } else {
        here(config, settlement).await
    }
}

async fn here(config: &Config, settlement: Settlement) -> Result<(), Error> {
    let id = settlement.id;
    let log = Log::open(&config.log).map_err(Error::Log)?;
    let settled = log.settle(settlement).await;
    log.close().await;
    settled.map_err(|reason| Error::Refused(id, reason))
}

async fn by_gateway(config: &Config, settlement: Settlement) -> Result<(), Error> {
    let gateway = RunningGateway::find(&config.log.directory, PATIENCE)?;
    let answer = gateway.post("/settle", &settlement).await?;
    if answer.status.is_success() {
        return Ok(());
    }
    let body = answer.json().await?;
    let reason = body["error"]["message"].as_str().unwrap_or("the gateway gives no reason").to_owned();
    Err(Error::RefusedByGateway(settlement.id, reason))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        log::{CallState, State},
        operations::recorded::Recorded,
    };

    fn done(id: Uuid) -> Settlement {
        Settlement { id, is_done: true, records: vec![17], by: "operator".to_owned(), why: None }
    }

    #[tokio::test]
    async fn a_call_in_doubt_is_settled_once_where_no_gateway_runs() {
        let recorded = Recorded::new();
        let failed = recorded.call(State::Failed).await;
        let (in_doubt, entry) = recorded.begin(Some("webshop"), json!({"payload": {}}), None).await;
        drop(entry);
        recorded.stop().await;
        settle(&recorded.config, done(in_doubt)).await.unwrap();
        let call = recorded.calls().one(&in_doubt.to_string()).await.unwrap();
        assert_eq!((call.state, call.records), (CallState::Done, vec![("res.partner".to_owned(), 17)]));
        let again = settle(&recorded.config, done(in_doubt)).await.unwrap_err();
        assert!(matches!(again, Error::Refused(id, NotSettled::Settled { .. }) if id == in_doubt));
        let settled = settle(&recorded.config, done(failed)).await.unwrap_err();
        assert!(matches!(settled, Error::Refused(id, NotSettled::Failed) if id == failed));
    }

    #[tokio::test]
    async fn a_gateway_that_does_not_say_where_it_is_cannot_settle() {
        let recorded = Recorded::new();
        let (running, _entry) = recorded.begin(None, json!({"payload": {}}), None).await;
        let refused = settle(&recorded.config, done(running)).await.unwrap_err();
        assert!(matches!(refused, Error::Gateway(gateway::Error::NoControl(_))));
    }
}
