//! Records that several callers make at the same time go to Odoo as one `create`.
//!
//! Odoo makes all of them or none. Where it refuses, each is made alone, so that a bad one costs the others time and no more.
//! Where it makes them, each caller must get the id of its own, and no other: a model may give them back in another order than
//! it was given them, so the new records are read and held against what was sent. Models that do so sort records by the
//! fields they have, or by a yes or no in them, and then mistake one for another themselves (`calendar.event` with and without
//! `recurrency`, Odoo 14-19): only records of the same form go together.
//!
//! A user may create records and not read them. So the records of a user are made together only after this user has read one
//! of its own: the first of a crowd reads its record back before the others go, once in a while for each user and model.

use std::{sync::atomic::Ordering::Relaxed, time::Instant};

use http::HeaderValue;
use serde_json::{Value, json};

use super::Caller;
use crate::{
    errors::Retry,
    odoo::{
        credential::Fingerprint,
        error::{Error, Why},
        lanes::{Batch, Turn, Work},
        marks::{self, Marks},
        rpc::{Effect, Rpc},
        schema::Field,
        together::Together,
        trace::Made,
    },
    policy::Touch,
};

/// A record larger than this in memory goes alone: what one call may hold is Odoo's own limit, and a batch has many.
const LARGEST: usize = 64 << 10;

/// Creates of a model in the same name, company and language.
pub(in crate::odoo) enum Creates {}

impl Work for Creates {
    type Key = Key;
    type Job = Record;
    type Answer = Answer;
    const SIDE_BY_SIDE: bool = true;

    /// Records of the same form that can be told apart afterwards, or are the same.
    fn go_together(one: &Record, other: &Record) -> bool {
        one.values == other.values || (has_form_of(&one.values, &other.values) && one.marks.are_told_from(&other.marks))
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::odoo) struct Key {
    who: Fingerprint,
    model: String,
    context: String,
}

pub(in crate::odoo) struct Record {
    values: Value,
    marks: Marks,
}

/// What came of the record of one caller, in a call of so many.
pub(in crate::odoo) struct Answer {
    made: Result<i64, Error>,
    of: usize,
    rotated: Option<HeaderValue>,
}

impl Caller {
    /// Makes one record, with those of others where they come at the same time: a list of its id.
    pub async fn create(&self, rpc: &Rpc) -> Result<Value, Error> {
        let (Some(together), Some(values)) = (self.together(), one_record(rpc)) else { return self.call(rpc).await };
        self.policy.decide(Touch::Model(&rpc.model))?;
        let own = self.with_model(&rpc.model);
        if together.kept_apart.contains(&own) || together.reads_own.get(&own).await == Some(false) {
            return self.call(rpc).await;
        }
        let schema = self.schema(&rpc.model).await?;
        let started = Instant::now();
        let context = Value::Object(rpc.context.clone()).to_string();
        let key = Key { who: own.0, model: own.1, context };
        let policy = &self.policy;
        // A copy may be of a field that is hidden.
        let is_readable = |name: &str, field: &Field| {
            (field.related.is_none() || !policy.narrows_fields())
                && policy.decide(Touch::Read { model: &rpc.model, field: name }).is_ok()
        };
        let record = || Record { values: values.clone(), marks: Marks::of(values, &schema, is_readable) };
        match together.creates.turn(key, record, self.until).await? {
            Turn::First(place) => {
                let made = self.call(rpc).await;
                if place.is_waited_for() {
                    self.note_reader(together, &rpc.model, &made).await;
                }
                made
            }
            Turn::Lead(batch) if batch.jobs.len() == 1 => {
                let made = self.call(rpc).await;
                if batch.place.is_waited_for() {
                    self.note_reader(together, &rpc.model, &made).await;
                }
                made
            }
            Turn::Lead(batch) if self.can_tell_apart(together, &rpc.model, &batch.jobs).await => {
                self.create_all(together, rpc, batch).await
            }
            Turn::Lead(batch) => {
                // Each of the others goes alone, and the next ones follow when it is known whether records can be read.
                drop(batch.followers);
                let made = self.call(rpc).await;
                self.note_reader(together, &rpc.model, &made).await;
                made
            }
            Turn::Alone => self.call(rpc).await,
            Turn::Answer(Answer { made, of, rotated }) => {
                together.count("create");
                self.access.rotated.replace(rotated);
                self.note_created(rpc, of, started, made)
            }
            Turn::Left => {
                let why = Why::Broken("the call that made this record with others broke off".to_owned());
                self.note_created(rpc, 1, started, Err(Error::NoAnswer { effect: Effect::Write, why }))
            }
        }
    }

    /// The new records will be told from one another: they are all the same, or this user reads what it makes.
    async fn can_tell_apart(&self, together: &Together, model: &str, records: &[Record]) -> bool {
        records.windows(2).all(|pair| pair[0].marks == pair[1].marks)
            || together.reads_own.get(&self.with_model(model)).await == Some(true)
    }

    /// Reads back the record that was made, if it is not known whether this user can.
    async fn note_reader(&self, together: &Together, model: &str, made: &Result<Value, Error>) {
        let reader = self.with_model(model);
        let Some(id) = made.as_ref().ok().and_then(|made| made[0].as_i64()) else { return };
        if together.reads_own.contains_key(&reader) {
            return;
        }
        match self.call(&Rpc::read(model, vec![id], json!(["id"]))).await {
            Ok(rows) => together.reads_own.insert(reader, rows[0]["id"] == id).await,
            Err(Error::Fault(_)) => together.reads_own.insert(reader, false).await,
            // Nothing is known of it yet.
            Err(_) => {}
        }
    }

    fn with_model(&self, model: &str) -> (Fingerprint, String) {
        (self.access.credential.fingerprint(), model.to_owned())
    }

    /// Makes the records of all who go together, and tells each of its own.
    async fn create_all(&self, together: &Together, rpc: &Rpc, batch: Batch<Creates>) -> Result<Value, Error> {
        let Batch { place, jobs, mut followers } = batch;
        let (values, marks): (Vec<Value>, Vec<Marks>) = jobs.into_iter().map(|job| (job.values, job.marks)).unzip();
        let of = marks.len();
        let all = Rpc { context: rpc.context.clone(), ..Rpc::create(&rpc.model, values) };
        let started = Instant::now();
        followers.begin();
        let outcome = self.send(&all, self.terms()).await;
        // The next ones need not wait for what is left to do here.
        drop(place);
        self.forget_lookups_of([rpc.model.as_str()]);
        let made = match outcome {
            Ok(answer) => {
                self.has_begun.store(true, Relaxed);
                self.whose(together, &rpc.model, &marks, all.written(&answer)).await
            }
            Err(error) if error.retry() == Retry::Unsafe => vec![Err(error); of],
            Err(_) => {
                followers.tell((1..of).map(|_| None));
                // In whose record Odoo found what it refuses is not known, and its words are not for the others.
                let mut rpc_shown = shown(rpc, of);
                rpc_shown["refused"] = json!(true);
                self.trace.push(Made { rpc: rpc_shown, took: started.elapsed(), records: Vec::new(), failed: None });
                return self.call(rpc).await;
            }
        };
        let rotated = self.access.rotated.get();
        let mut made = made.into_iter();
        let own = made.next().unwrap_or_else(|| Err(untold(&rpc.model, &[])));
        followers.tell(made.map(|made| Some(Answer { made, of, rotated: rotated.clone() })));
        self.note_created(rpc, of, started, own)
    }

    /// Which of the new records is whose.
    async fn whose(&self, together: &Together, model: &str, marks: &[Marks], ids: Vec<i64>) -> Vec<Result<i64, Error>> {
        let in_order = || ids.iter().copied().map(Some).collect::<Vec<_>>();
        let told = match self.tell_apart(model, marks, &ids).await {
            Some(Ok(told)) => {
                let is_in_order = told == in_order();
                together
                    .keeps_order
                    .entry(model.to_owned())
                    .and_modify(|kept| *kept &= is_in_order)
                    .or_insert(is_in_order);
                told
            }
            // The right to read was taken from the user since it last read.
            Some(Err(Error::Fault(_))) if together.keeps_order.get(model).is_some_and(|kept| *kept) => {
                together.reads_own.insert(self.with_model(model), false).await;
                in_order()
            }
            _ => vec![None; marks.len()],
        };
        if told != in_order() {
            tracing::warn!(%model, "records made together were not given back in their order, or could not be read; they are made one by one from now on");
            together.kept_apart.insert(self.with_model(model));
        }
        told.into_iter().map(|id| id.ok_or_else(|| untold(model, &ids))).collect()
    }

    /// The id of each record as what it holds tells it; none where Odoo gave more ids than records, or fewer.
    async fn tell_apart(&self, model: &str, marks: &[Marks], ids: &[i64]) -> Option<Result<Vec<Option<i64>>, Error>> {
        if ids.len() != marks.len() {
            return None;
        }
        let fields = marks::telling_fields(marks);
        if fields.is_empty() {
            // They are all the same.
            return Some(Ok(ids.iter().copied().map(Some).collect()));
        }
        let mut read = Rpc::read(model, ids.to_vec(), json!(fields));
        // The ids of many2ones alone: their names cost Odoo a query each.
        read.kwargs.insert("load".to_owned(), json!(""));
        let rows = match self.call_again(&read).await {
            Ok(rows) => rows,
            Err(error) => return Some(Err(error)),
        };
        Some(Ok(marks::assign(marks, ids, rows.as_array()?, &fields)))
    }

    /// Notes the record as this call's own, and gives it as `create` does.
    fn note_created(&self, rpc: &Rpc, of: usize, started: Instant, made: Result<i64, Error>) -> Result<Value, Error> {
        if made.as_ref().err().is_none_or(|error| error.retry() == Retry::Unsafe) {
            self.has_begun.store(true, Relaxed);
        }
        let records = made.as_ref().ok().copied().into_iter().collect();
        let failed = made.as_ref().err().cloned();
        self.trace.push(Made { rpc: shown(rpc, of), took: started.elapsed(), records, failed });
        made.map(|id| json!([id]))
    }
}

/// The values of a call that makes one record, if it is not too large to go with others.
fn one_record(rpc: &Rpc) -> Option<&Value> {
    let [(_, Value::Array(records))] = &rpc.args[..] else { return None };
    let [values] = &records[..] else { return None };
    let is_create = rpc.method == "create" && rpc.ids.is_none() && rpc.kwargs.is_empty();
    (is_create && marks::is_within(values, LARGEST)).then_some(values)
}

/// The same fields, and the same yes and no in them.
fn has_form_of(one: &Value, other: &Value) -> bool {
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else { return false };
    let is_alike = |(name, value): (&String, &Value)| {
        other.get(name).is_some_and(|theirs| (!value.is_boolean() && !theirs.is_boolean()) || value == theirs)
    };
    one.len() == other.len() && one.iter().all(is_alike)
}

/// For people: a record's own `create`, which was one of so many in one call.
fn shown(rpc: &Rpc, of: usize) -> Value {
    let mut shown = rpc.render();
    shown["batch"] = json!(of);
    shown
}

fn untold(model: &str, ids: &[i64]) -> Error {
    let ids = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    Error::NoAnswer { effect: Effect::Write, why: Why::Untold { model: model.to_owned(), ids } }
}
