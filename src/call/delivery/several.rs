//! The calls of a delivery whose template makes several: one after another, each with an entry of its own in the log.
//!
//! What must stay true:
//! - A call is made only after all before it are done; the first that is not stops the delivery.
//! - What the calls came to is in the store before the next one begins, so that another attempt goes on from there.
//! - The template sees it as `$results`, and is run again for it: nothing of what a sender wrote is taken for a result.
//! - Only the first call of an attempt may have been begun by an attempt before.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::{self, Instant};
use uuid::Uuid;

use super::Delivery;
use crate::{
    call::{By, Error, Incoming, Outcome, Presented, Service, Step, ended::Ended, lease::Lease},
    hook::{Made, MadeCall},
    log::State,
    odoo::RotatedCookie,
    store::Earlier,
};

/// How long the store is asked to take what came of a call.
const KEEPING: Duration = Duration::from_secs(60);
const KEEPING_PAUSE: Duration = Duration::from_millis(500);

/// What came of one call, as the next ones see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CallResult {
    call: Uuid,
    route: String,
    model: String,
    state: State,
    /// The record that it is about, where it is one.
    id: Value,
    ids: Vec<i64>,
    result: Value,
}

/// The calls of a delivery that is being made.
pub(in crate::call) struct Several<'i> {
    pub(in crate::call) incoming: &'i Incoming,
    pub(in crate::call) delivery: Delivery,
    pub(in crate::call) calls: Vec<MadeCall>,
    /// The right to make it, where it is in the store.
    pub(in crate::call) lease: Option<Arc<Lease>>,
    /// What attempts before this one may have done.
    pub(in crate::call) earlier: Option<Earlier>,
}

impl Several<'_> {
    /// Makes the calls.
    ///
    /// Also whether any of them is done, now or by an attempt before.
    ///
    /// # Errors
    /// The right to make them is lost, the store does not answer, or the template fails where it is run again.
    pub(in crate::call) async fn make(mut self, service: &Arc<Service>) -> (Result<Ended, Error>, bool) {
        let mut results = self.done_before();
        let ended = self.go_on(service, &mut results).await;
        (ended, !results.is_empty())
    }

    async fn go_on(&mut self, service: &Arc<Service>, results: &mut Vec<CallResult>) -> Result<Ended, Error> {
        if !results.is_empty() {
            self.run_again(results).await?;
        }
        let mut earlier = self.earlier.take();
        while let Some(call) = self.calls.get(results.len()).cloned() {
            let (route, model, number) = (call.route, call.model.clone(), results.len() + 1);
            let incoming = self.incoming_of(call, number, earlier.take());
            let id = incoming.id;
            let outcome = match service.start(incoming, ()).await {
                Ok(answered) => answered.outcome,
                Err(error) => {
                    tracing::error!(call = %id, %error, "a call of a delivery failed inside the gateway");
                    Outcome::refused(&Error::Internal)
                }
            };
            if outcome.error.is_some() {
                return Ok(Ended::Several(outcome.of_delivery(number, self.calls.len())));
            }
            results.push(CallResult::of(id, route.name(), model, &outcome));
            self.keep(service, results).await?;
            if self.calls.len() > results.len() {
                self.run_again(results).await?;
            }
        }
        Ok(Ended::Several(Outcome::several(json!(results), records(results))))
    }

    /// What attempts before this one have done.
    fn done_before(&self) -> Vec<CallResult> {
        let progress = self.lease.as_ref().and_then(|lease| lease.ticket().progress());
        progress.and_then(|progress| serde_json::from_slice(progress).ok()).unwrap_or_default()
    }

    /// Runs the template again, with the results.
    async fn run_again(&mut self, results: &[CallResult]) -> Result<(), Error> {
        let hook = &self.delivery.hook;
        if !hook.sees_results() {
            return Ok(());
        }
        let input = self.delivery.input.clone().with("results", json!(results));
        self.calls = match hook.calls(input).await? {
            Made::Several(calls) => calls,
            Made::One(call) => vec![call],
            Made::Ignored(_) => Vec::new(),
        };
        Ok(())
    }

    async fn keep(&self, service: &Service, results: &[CallResult]) -> Result<(), Error> {
        let Some(lease) = &self.lease else { return Ok(()) };
        // JSON can be written of whatever was JSON.
        let results = serde_json::to_vec(results).unwrap_or_default();
        let until = Instant::now() + KEEPING;
        loop {
            match service.store.keep_progress(lease.ticket(), results.clone()).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Error::LeaseLost),
                Err(error) if Instant::now() >= until => {
                    tracing::error!(call = %lease.ticket().id, %error, "the store does not know what a delivery has come to");
                    // Another attempt would make the call again that was just made.
                    return Err(Error::Internal);
                }
                Err(error) => {
                    tracing::warn!(call = %lease.ticket().id, %error, "what a delivery has come to could not be stored yet");
                    time::sleep(KEEPING_PAUSE).await;
                }
            }
        }
    }

    fn incoming_of(&self, call: MadeCall, number: usize, earlier: Option<Earlier>) -> Incoming {
        let MadeCall { route, model, vals } = call;
        let Incoming { id, by, address, traceparent, .. } = self.incoming;
        let attempt = by.attempt();
        let body = serde_json::to_vec(&json!({"model": model, "vals": vals})).unwrap_or_default();
        let step = Step {
            of: attempt.map_or(*id, |attempt| attempt.of),
            attempt: attempt.map(|attempt| attempt.number),
            number: u32::try_from(number).unwrap_or(u32::MAX),
            hook: self.delivery.hook.name().to_owned(),
            earlier,
            lease: self.lease.clone(),
        };
        Incoming {
            id: Uuid::now_v7(),
            route,
            hook: None,
            presented: Presented::Client(self.delivery.hook.entry.client.clone()),
            by: By::Step(step),
            address: *address,
            traceparent: *traceparent,
            body: Ok(Bytes::from(body)),
            began: Instant::now(),
            rotated: RotatedCookie::default(),
        }
    }
}

impl CallResult {
    fn of(call: Uuid, route: &str, model: String, outcome: &Outcome) -> Self {
        let result = outcome.result();
        let of_result = result.get("id").and_then(Value::as_i64);
        let written = outcome.records.get(&model).and_then(Value::as_array);
        let mut ids: Vec<i64> = written.into_iter().flatten().filter_map(Value::as_i64).collect();
        if let (true, Some(id)) = (ids.is_empty(), of_result) {
            ids.push(id);
        }
        let id = of_result.or_else(|| ids.first().copied()).map_or(Value::Null, Value::from);
        Self { call, route: route.to_owned(), model, state: outcome.state, id, ids, result }
    }
}

/// The records that all of them wrote.
fn records(results: &[CallResult]) -> Map<String, Value> {
    let mut records = Map::new();
    for CallResult { model, ids, .. } in results {
        let of_model = records.entry(model.clone()).or_insert_with(|| json!([]));
        let Value::Array(of_model) = of_model else { continue };
        for id in ids {
            let id = Value::from(*id);
            if !of_model.contains(&id) {
                of_model.push(id);
            }
        }
    }
    records.retain(|_, ids| ids.as_array().is_some_and(|ids| !ids.is_empty()));
    records
}
