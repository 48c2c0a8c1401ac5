//! Batched creates, as the calls of a batch perform them: the leader creates all records and assigns them to their calls.

use std::{borrow::Cow, sync::atomic::Ordering::Relaxed, time::Instant};

use serde_json::{Value, json};

use super::Caller;
use crate::{
    errors::Retry,
    odoo::{
        batch::{
            Batching,
            batcher::{Batch, Dispatch},
            creates::{Answer, Creates, Key, Record, batchable_record, has_same_shape},
            learned::UserModel,
            record_matching::{self, MatchValues},
        },
        model::{
            effect::Effect,
            error::{Error, Why},
            rpc::Rpc,
            schema::Field,
            trace::Made,
        },
        transport::retries::Cost,
    },
    policy::Touch,
};

/// The first version with an RPC that creates records and reads them.
const CREATES_AND_READS: u16 = 17;

impl Caller {
    /// Makes one RPC. The creation of a single record may share one `create` with those of other calls; every other RPC is sent
    /// as it is. The result is that of the RPC alone: for a create, a list of one id.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn call_batched(&self, rpc: &Rpc) -> Result<Value, Error> {
        let rpc = &*self.in_context(Cow::Borrowed(rpc));
        let (Some(batching), Some(values)) = (self.batching(), batchable_record(rpc)) else {
            return self.call(rpc).await;
        };
        self.policy.decide(Touch::Model(&rpc.model))?;
        let (own, learned) = (self.with_model(&rpc.model), &batching.learned);
        if learned.is_unbatched(&own) || learned.can_read_own(&own).await == Some(false) {
            return self.call(rpc).await;
        }
        let schema = self.schema(&rpc.model).await?;
        let started = Instant::now();
        let context = Value::Object(rpc.context.clone()).to_string();
        let key = Key { credential: self.access.credential.fingerprint(), model: rpc.model.clone(), context };
        let policy = &self.policy;
        // A related field may show a field that is hidden.
        let is_readable = |name: &str, field: &Field| {
            (field.related.is_none() || !policy.narrows_fields())
                && policy.decide(Touch::Read { model: &rpc.model, field: name }).is_ok()
        };
        let record = || Record { values: values.clone(), match_values: MatchValues::of(values, &schema, is_readable) };
        match batching.creates.join(key, record, self.until).await? {
            Dispatch::Immediate(slot) => {
                let created = self.call(rpc).await;
                if slot.has_waiters() {
                    self.note_reader(batching, &rpc.model, &created).await;
                }
                created
            }
            Dispatch::Lead(batch) if batch.jobs.len() == 1 => {
                let created = self.call(rpc).await;
                if batch.slot.has_waiters() {
                    self.note_reader(batching, &rpc.model, &created).await;
                }
                created
            }
            Dispatch::Lead(batch) if self.can_tell_apart(batching, &rpc.model, &batch.jobs).await => {
                self.create_all(batching, rpc, batch).await
            }
            Dispatch::Lead(batch) => {
                // The followers create their records alone. The slot is held until it is known whether the user can read them.
                drop(batch.followers);
                let created = self.call(rpc).await;
                self.note_reader(batching, &rpc.model, &created).await;
                created
            }
            Dispatch::Single => self.call(rpc).await,
            Dispatch::Answered(Answer { created, batch_size, rotated }) => {
                batching.count_shared("create");
                self.access.rotated.replace(rotated);
                self.note_created(rpc, batch_size, started, created)
            }
            Dispatch::Abandoned => {
                let why = Why::Broken("the call that made this record with others broke off".to_owned());
                self.note_created(rpc, 1, started, Err(Error::NoAnswer { effect: Effect::Write, why }))
            }
        }
    }

    /// The ids of new records that one `create` has made, in the order of the records. A model may give those of records with
    /// different fields back in another order (`calendar.event`, Odoo 14-19), so that such records are told apart by their values;
    /// `None` where they cannot be.
    ///
    /// # Errors
    /// The records cannot be read.
    pub async fn in_order(&self, model: &str, records: &[Value], ids: Vec<i64>) -> Result<Option<Vec<i64>>, Error> {
        if records.windows(2).all(|pair| has_same_shape(&pair[0], &pair[1])) {
            return Ok(Some(ids));
        }
        let schema = self.schema(model).await?;
        let is_readable = |name: &str, _: &Field| self.policy.decide(Touch::Read { model, field: name }).is_ok();
        let match_values: Vec<MatchValues> =
            records.iter().map(|values| MatchValues::of(values, &schema, is_readable)).collect();
        let fields = record_matching::distinguishing_fields(&match_values);
        let assigned = self.tell_apart(model, &match_values, &fields, &ids, None).await.transpose()?;
        Ok(assigned.and_then(|assigned| assigned.into_iter().collect()))
    }

    /// Whether the new records can be assigned to their calls: they are all equal, or this user can read what it creates.
    async fn can_tell_apart(&self, batching: &Batching, model: &str, records: &[Record]) -> bool {
        records.windows(2).all(|pair| pair[0].match_values == pair[1].match_values)
            || batching.learned.can_read_own(&self.with_model(model)).await == Some(true)
    }

    /// Reads the new record back where it is not known whether this user can read what it creates.
    async fn note_reader(&self, batching: &Batching, model: &str, created: &Result<Value, Error>) {
        let reader = self.with_model(model);
        let Some(id) = created.as_ref().ok().and_then(|created| created[0].as_i64()) else { return };
        if batching.learned.can_read_own(&reader).await.is_some() {
            return;
        }
        match self.call(&Rpc::read(model, vec![id], json!(["id"]))).await {
            Ok(rows) => batching.learned.note_reader(reader, rows[0]["id"] == id).await,
            Err(Error::Fault(_)) => batching.learned.note_reader(reader, false).await,
            // It remains unknown.
            Err(_) => {}
        }
    }

    fn with_model(&self, model: &str) -> UserModel {
        (self.identity().uid, model.to_owned())
    }

    /// Creates the records of the whole batch, and answers the followers.
    async fn create_all(&self, batching: &Batching, rpc: &Rpc, batch: Batch<Creates>) -> Result<Value, Error> {
        let Batch { slot, jobs, mut followers } = batch;
        let (values, match_values): (Vec<Value>, Vec<MatchValues>) =
            jobs.into_iter().map(|job| (job.values, job.match_values)).unzip();
        let batch_size = match_values.len();
        let fields = record_matching::distinguishing_fields(&match_values);
        // One RPC where there is one for both: reading them afterwards costs Odoo another request.
        let are_read = !fields.is_empty() && self.creates_and_reads(batching, &rpc.model);
        let create = match are_read {
            true => Rpc::create_and_read(&rpc.model, values, &fields),
            false => Rpc::create(&rpc.model, values),
        };
        let all = Rpc { context: rpc.context.clone(), ..create };
        let started = Instant::now();
        followers.begin();
        let outcome = self.send_batch(rpc, &all, batch_size).await;
        // The next batch need not wait for the assignment.
        drop(slot);
        self.forget_lookups_of([rpc.model.as_str()]);
        let created = match outcome {
            Ok(answer) => {
                self.has_begun.store(true, Relaxed);
                let ids = all.written(&answer);
                let rows = are_read.then_some(answer);
                self.assign(batching, &rpc.model, &match_values, &fields, ids, rows).await
            }
            Err(error) if self.is_own_deadline(&error) => {
                followers.rejoin();
                return self.note_created(rpc, batch_size, started, Err(error));
            }
            Err(error) if error.retry() == Retry::Unsafe || !error.splits_batch() => vec![Err(error); batch_size],
            Err(error) => {
                followers.answer((1..batch_size).map(|_| None));
                if are_read {
                    self.note_refused_reading(batching, &rpc.model, &error).await;
                }
                // It is not known whose record Odoo refused, and its message is not for the others.
                let mut refused = shown(rpc, batch_size);
                refused["refused"] = json!(true);
                self.trace.push(Made { rpc: refused, took: started.elapsed(), records: Vec::new(), failed: None });
                return self.call(rpc).await;
            }
        };
        let rotated = self.access.rotated.get();
        let mut created = created.into_iter();
        let own = created.next().unwrap_or_else(|| Err(indistinguishable(&rpc.model, &[])));
        followers.answer(created.map(|created| Some(Answer { created, batch_size, rotated: rotated.clone() })));
        self.note_created(rpc, batch_size, started, own)
    }

    /// Sends the `create` of a batch, with retries as for a single RPC. Attempts that are retried are recorded in the trace.
    async fn send_batch(&self, rpc: &Rpc, all: &Rpc, batch_size: usize) -> Result<Value, Error> {
        let mut tries = self.odoo.endpoint.retries.begin();
        let creating = self.odoo.created.begin(&all.model);
        loop {
            let (started, options) = (Instant::now(), self.options());
            let outcome = self.send(all, options).await;
            if !tries.again(&outcome, all.repeatable, Cost::Budgeted, options.until).await {
                if let Ok(answer) = &outcome {
                    creating.answered(&all.written(answer));
                }
                return outcome;
            }
            let (took, failed) = (started.elapsed(), outcome.err());
            self.trace.push(Made { rpc: shown(rpc, batch_size), took, records: Vec::new(), failed });
        }
    }

    /// Whether the new records of a batch are read by the RPC that creates them.
    fn creates_and_reads(&self, batching: &Batching, model: &str) -> bool {
        let version = self.odoo.endpoint.known_release().map(|release| release.major);
        version.is_some_and(|version| version >= CREATES_AND_READS) && !batching.learned.is_read_apart(model)
    }

    /// Notes what a refusal may mean where records were to be created and read by one RPC: the user may have lost the right to read
    /// them, or a module's own `web_save` takes no list.
    async fn note_refused_reading(&self, batching: &Batching, model: &str, error: &Error) {
        let Error::Fault(fault) = error else { return };
        if fault.is_access_error() {
            batching.learned.doubt_reader(&self.with_model(model)).await;
        } else if fault.is_of_python() {
            batching.learned.read_apart(model).await;
        }
    }

    /// The id of each record of a batch. `rows` are the records, where they have been read already.
    async fn assign(
        &self,
        batching: &Batching,
        model: &str,
        match_values: &[MatchValues],
        fields: &[String],
        ids: Vec<i64>,
        rows: Option<Value>,
    ) -> Vec<Result<i64, Error>> {
        let in_order = || ids.iter().copied().map(Some).collect::<Vec<_>>();
        let assigned = match self.tell_apart(model, match_values, fields, &ids, rows).await {
            Some(Ok(assigned)) => {
                batching.learned.note_order(model, assigned == in_order()).await;
                assigned
            }
            // The user has lost the right to read since its last read.
            Some(Err(Error::Fault(_))) if batching.learned.returns_in_order(model).await => {
                batching.learned.note_reader(self.with_model(model), false).await;
                in_order()
            }
            _ => vec![None; match_values.len()],
        };
        if assigned != in_order() {
            tracing::warn!(%model, "records made together were not given back in their order, or could not be read; they are made one by one from now on");
            batching.learned.stop_batching(self.with_model(model)).await;
        }
        assigned.into_iter().map(|id| id.ok_or_else(|| indistinguishable(model, &ids))).collect()
    }

    /// The id of each record by its values, as far as it is certain; none where Odoo returned more or fewer ids than records.
    async fn tell_apart(
        &self,
        model: &str,
        match_values: &[MatchValues],
        fields: &[String],
        ids: &[i64],
        rows: Option<Value>,
    ) -> Option<Result<Vec<Option<i64>>, Error>> {
        if ids.len() != match_values.len() {
            return None;
        }
        if fields.is_empty() {
            // The records are all equal.
            return Some(Ok(ids.iter().copied().map(Some).collect()));
        }
        let rows = match rows {
            Some(rows) => rows,
            None => {
                let mut read = Rpc::read(model, ids.to_vec(), json!(fields));
                // Many2ones as ids alone: their names cost Odoo a query each.
                read.kwargs.insert("load".to_owned(), json!(""));
                match self.call_again(&read).await {
                    Ok(rows) => rows,
                    Err(error) => return Some(Err(error)),
                }
            }
        };
        Some(Ok(record_matching::match_records(match_values, ids, rows.as_array()?, fields)))
    }

    /// Records the outcome in this call's trace, and returns it in the form of `create`.
    fn note_created(
        &self,
        rpc: &Rpc,
        batch_size: usize,
        started: Instant,
        created: Result<i64, Error>,
    ) -> Result<Value, Error> {
        if created.as_ref().err().is_none_or(|error| error.retry() == Retry::Unsafe) {
            self.has_begun.store(true, Relaxed);
        }
        let records = created.as_ref().ok().copied().into_iter().collect();
        let failed = created.as_ref().err().cloned();
        self.trace.push(Made { rpc: shown(rpc, batch_size), took: started.elapsed(), records, failed });
        created.map(|id| json!([id]))
    }
}

/// The `create` of one call as it is shown to people, with the size of its batch.
fn shown(rpc: &Rpc, batch_size: usize) -> Value {
    let mut shown = rpc.render();
    shown["batch"] = json!(batch_size);
    shown
}

fn indistinguishable(model: &str, ids: &[i64]) -> Error {
    let ids = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    Error::NoAnswer { effect: Effect::Write, why: Why::Indistinguishable { model: model.to_owned(), ids } }
}
