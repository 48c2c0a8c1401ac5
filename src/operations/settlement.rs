//! Closing a call in doubt.
//!
//! One process writes the log: the gateway that runs records the settlement, or this process where none does. The store is told, too:
//! a key of a call that was done is answered with what is known now, and one of a call that was not is free again.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::{
    calls::Calls,
    gateway::{self, RunningGateway},
    queue::{self, Queue},
};
use crate::{
    call::{Outcome, Service},
    config::Config,
    log::{self, Acted, Action, Log, NotSettled, Operator, Settlement},
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
    /// The log has it, and the store of keys does not.
    #[error("it is settled in the log, but its idempotency key is as it was; settle it with `queue drop` or again")]
    Store(#[source] queue::Error),
}

/// Records that a call was done, or was not. The line is on disk when this comes back.
///
/// # Errors
/// The call is not in doubt, the log cannot be used, or the gateway that writes it cannot be reached.
pub async fn settle(config: &Config, settlement: Settlement) -> Result<(), Error> {
    let told = settlement.clone();
    if log::is_in_use(&config.log.directory) {
        by_gateway(config, settlement).await?;
    } else {
        here(config, settlement).await?;
    }
    let queue = match Queue::open(config).await {
        Ok(queue) => queue,
        Err(queue::Error::None(_)) => return Ok(()),
        Err(error) => return Err(Error::Store(error)),
    };
    in_store(config, &queue, &told).await
}

/// The same within the gateway that this process is.
///
/// # Errors
/// The call is not in doubt, or the log or the store cannot be used.
pub async fn settle_within(calls: &Arc<Service>, operator: &Operator, settlement: Settlement) -> Result<(), Error> {
    let id = settlement.id;
    record(&calls.log, operator, settlement.clone()).await.map_err(|reason| Error::Refused(id, reason))?;
    in_store(&calls.config, &Queue::within(calls.clone()), &settlement).await
}

/// Writes the settlement, and that somebody did it.
///
/// # Errors
/// The call is not in doubt, or the log cannot be used.
pub async fn record(log: &Log, operator: &Operator, settlement: Settlement) -> Result<(), NotSettled> {
    let Settlement { id, why, .. } = settlement.clone();
    log.settle(settlement).await?;
    Ok(log.acted(Acted { of: vec![id], why, ..operator.does(Action::Settled) }).await?)
}

/// Closes the call in the store of keys, where it is in doubt there, too.
async fn in_store(config: &Config, queue: &Queue, settlement: &Settlement) -> Result<(), Error> {
    // What is in doubt may be an attempt of a queued call, which has an id of its own.
    let ids = [Some(settlement.id), accepted(config, settlement.id).await];
    for id in ids.into_iter().flatten() {
        let Some(call) = queue.one(id).await.map_err(Error::Store)? else { continue };
        let outcome = settlement.is_done.then(|| Outcome::settled(&call.model, &settlement.records).to_bytes());
        queue.settle(id, outcome).await.map_err(Error::Store)?;
    }
    Ok(())
}

/// The accepted call that this one is an attempt of, as the log tells.
async fn accepted(config: &Config, id: Uuid) -> Option<Uuid> {
    let calls = Calls::open(&config.log.directory).ok()?;
    let call = calls.one(&id.to_string()).await.ok()?;
    let lines = calls.lines(&call).await.ok()?;
    lines.iter().find_map(|line| line["attempt_of"].as_str()?.parse().ok())
}

async fn here(config: &Config, settlement: Settlement) -> Result<(), Error> {
    let id = settlement.id;
    let log = Log::open(&config.log).map_err(Error::Log)?;
    let operator = Operator::on_command_line(&*settlement.by);
    let settled = record(&log, &operator, settlement).await;
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
        store::{Accepted, Clock, End, NewCall, Place, Spans, Store},
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

    fn keyed(id: Uuid, key: &str) -> NewCall {
        NewCall {
            id,
            caller: "client webshop".to_owned(),
            client: Some("webshop".to_owned()),
            key: Some(key.to_owned()),
            digest: [1; 32],
            route: "create_data".to_owned(),
            model: "res.partner".to_owned(),
            request: b"{}".to_vec(),
            place: Place::AtOnce,
            keep: None,
            delivery: None,
        }
    }

    #[tokio::test]
    async fn the_key_of_a_settled_call_is_answered_or_free() {
        let recorded = Recorded::new();
        let spans = Spans {
            lease: Duration::from_secs(30),
            keep: Duration::from_secs(86_400),
            callback: Duration::from_secs(86_400),
        };
        let folder = &recorded.config.delivery.directory;
        let store = Store::in_folder(folder, spans, Clock::of_this_machine()).await.unwrap();
        let mut ids = Vec::new();
        for key in ["done", "not done"] {
            let (id, entry) = recorded.begin(Some("webshop"), json!({"payload": {}}), None).await;
            drop(entry);
            let accepted = store.accept(keyed(id, key), true).await.unwrap();
            let Accepted::New(Some(ticket)) = accepted else { unreachable!("{accepted:?}") };
            let end = End::InDoubt { outcome: b"{}".to_vec(), error: "outcome_unknown".to_owned() };
            assert!(store.finish(&ticket, end, None).await.unwrap());
            ids.push(id);
        }
        recorded.stop().await;
        settle(&recorded.config, done(ids[0])).await.unwrap();
        let not_done =
            Settlement { is_done: false, records: Vec::new(), why: Some("looked".to_owned()), ..done(ids[1]) };
        settle(&recorded.config, not_done).await.unwrap();
        let again = store.accept(keyed(Uuid::now_v7(), "done"), true).await.unwrap();
        let Accepted::Closed { id, outcome, .. } = again else { unreachable!("{again:?}") };
        let outcome = Outcome::of_bytes(&outcome).unwrap();
        assert_eq!((id, outcome.records["res.partner"].clone()), (ids[0], json!([17])));
        assert!(matches!(store.accept(keyed(Uuid::now_v7(), "not done"), true).await.unwrap(), Accepted::New(Some(_))));
    }
}
