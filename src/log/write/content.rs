//! Prepares the content of a line: redacts values and moves large ones to blobs.
//!
//! Every value that a caller or Odoo sent passes this module. Large values are processed outside of the runtime's threads.

use std::{io, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    record::OdooCall,
    redact::Redaction,
    secrets::{Secrets, Sentences},
    writer::{Purpose, Writer},
};
use crate::log::{
    Error,
    format::{
        blob::{self, Blob, Blobs},
        fs::{Failed, Stage},
    },
};

/// A value larger than this becomes a blob as a whole, so that common tools can handle the line.
const MEMBER: usize = 64 << 10;
/// Values up to this size, counting texts and members, are processed on the calling thread.
const SMALL: usize = 32 << 10;

/// A part of a line before redaction, so it has no `Debug`. Its kind determines where values are redacted by their path and
/// where sentences are masked.
pub(in crate::log) struct Part {
    kind: Kind,
    value: Value,
}

#[derive(Debug)]
enum Kind {
    /// The `vals` of a call on this model.
    Vals { model: String },
    /// What a sender sent in its own format.
    Sent,
    /// The Odoo calls that are about to be made.
    Plan,
    /// The Odoo calls that were made.
    Calls,
    /// The answer to a call on this model.
    Answer { model: String },
    /// A sentence for people.
    Sentence,
    /// Nothing is recorded.
    Omitted,
}

impl Part {
    pub(in crate::log) fn vals(model: &str, vals: Value) -> Self {
        Self { kind: Kind::Vals { model: model.to_owned() }, value: vals }
    }

    pub(in crate::log) fn sent(sent: Value) -> Self {
        Self { kind: Kind::Sent, value: sent }
    }

    pub(in crate::log) fn plan(plan: Value) -> Self {
        Self { kind: Kind::Plan, value: plan }
    }

    pub(in crate::log) fn calls(calls: Vec<OdooCall>) -> Self {
        Self { kind: Kind::Calls, value: calls.into_iter().map(OdooCall::into_value).collect() }
    }

    pub(in crate::log) fn answer(model: &str, answer: Value) -> Self {
        Self { kind: Kind::Answer { model: model.to_owned() }, value: answer }
    }

    pub(in crate::log) fn sentence(text: Option<String>) -> Self {
        Self { kind: Kind::Sentence, value: text.map_or(Value::Null, Value::String) }
    }

    pub(in crate::log) fn omitted() -> Self {
        Self { kind: Kind::Omitted, value: Value::Null }
    }

    /// Redacts the values under secret paths and nothing else: models, methods, fields and ids stay.
    fn hide(&mut self, redaction: &Redaction, secrets: &mut Secrets) {
        let value = &mut self.value;
        match &self.kind {
            Kind::Vals { model } => redaction.hide_vals(model, value, secrets),
            Kind::Sent => redaction.hide_sent(value, secrets),
            Kind::Plan => redaction.hide_plan(value, secrets),
            Kind::Calls => {
                for call in value.as_array_mut().into_iter().flatten() {
                    redaction.hide_call(call, secrets);
                    note_names(call, secrets);
                }
            }
            Kind::Answer { model } => redaction.hide_answer(model, value, secrets),
            Kind::Sentence | Kind::Omitted => {}
        }
    }

    fn mask(&mut self, sentences: &Sentences<'_>) {
        let value = &mut self.value;
        match self.kind {
            Kind::Sentence => sentences.mask(value),
            Kind::Calls => {
                mask_each(Some(&mut *value), "message", sentences);
                mask_each(Some(value), "traceback", sentences);
            }
            Kind::Answer { .. } => {
                mask_answer(value, sentences);
                // The answer of each record of a list, and what a dry run of one says.
                let records = value.get_mut("result").and_then(Value::as_array_mut).into_iter().flatten();
                let is_answer = |record: &&mut Value| record.get("is_success").is_some_and(Value::is_boolean);
                records.filter(is_answer).for_each(|record| mask_answer(record, sentences));
                let refused = value.pointer_mut("/result/refused").and_then(Value::as_array_mut);
                for record in refused.into_iter().flatten() {
                    mask_mistake(record, sentences);
                }
            }
            Kind::Vals { .. } | Kind::Sent | Kind::Plan | Kind::Omitted => {}
        }
    }
}

/// Masks a member of each item of a list.
fn mask_each(list: Option<&mut Value>, member: &str, sentences: &Sentences<'_>) {
    for item in list.and_then(Value::as_array_mut).into_iter().flatten() {
        item.get_mut(member).into_iter().for_each(|sentence| sentences.mask(sentence));
    }
}

/// Masks the sentences of an answer.
fn mask_answer(answer: &mut Value, sentences: &Sentences<'_>) {
    for pointer in ["/messages", "/message", "/data/message"] {
        answer.pointer_mut(pointer).into_iter().for_each(|sentence| sentences.mask(sentence));
    }
    mask_each(answer.get_mut("warnings"), "message", sentences);
    for member in ["error", "data"] {
        let Some(error) = answer.get_mut(member).filter(|error| error.is_object()) else { continue };
        mask_each(error.get_mut("left"), "why", sentences);
        mask_mistake(error, sentences);
    }
}

/// Masks the sentences of an error, and of all mistakes that it lists.
fn mask_mistake(mistake: &mut Value, sentences: &Sentences<'_>) {
    for member in ["message", "value"] {
        mistake.get_mut(member).into_iter().for_each(|said| sentences.mask(said));
    }
    let meant = mistake.get_mut("did_you_mean").and_then(Value::as_array_mut).into_iter().flatten();
    meant.for_each(|said| sentences.mask(said));
    let listed = mistake.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten();
    listed.for_each(|mistake| mask_mistake(mistake, sentences));
}

/// The names that a sentence about this Odoo call may contain.
fn note_names(call: &Value, secrets: &mut Secrets) {
    for member in ["model", "method"] {
        secrets.note_name(call[member].as_str().unwrap_or_default());
    }
    let ids = ["ids", "records"].into_iter().flat_map(|member| call[member].as_array().into_iter().flatten());
    ids.for_each(|id| secrets.note_name(&id.to_string()));
}

/// Prepares values for lines. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::log) struct Content {
    redaction: Arc<Redaction>,
    blobs: Arc<Blobs>,
    blob_from: usize,
}

impl Content {
    pub(in crate::log) fn new(patterns: &[String], blobs: Arc<Blobs>, blob_from: u64) -> Self {
        let blob_from = usize::try_from(blob_from).unwrap_or(usize::MAX);
        Self { redaction: Arc::new(Redaction::new(patterns)), blobs, blob_from }
    }

    /// Whether a line may hold the `vals` of a call as they are: nothing in them is hidden, and nothing is too large.
    pub(in crate::log) fn may_hold(&self, vals: &Map<String, Value>) -> bool {
        self.redaction.shows_all_of(vals) && blob::stays(vals, self.blob_from, MEMBER)
    }

    /// What a sender sent, as a line would have it.
    pub(in crate::log) fn hide_sent(&self, sent: &mut Value) {
        self.redaction.hide_sent(sent, &mut Secrets::default());
    }

    /// The parameters of a call of this model, as a line would have them.
    pub(in crate::log) fn hide_vals(&self, model: &str, vals: &mut Value) {
        self.redaction.hide_vals(model, vals, &mut Secrets::default());
    }

    /// A plan, as a line would have it.
    pub(in crate::log) fn hide_plan(&self, plan: &mut Value) {
        self.redaction.hide_plan(plan, &mut Secrets::default());
    }

    /// The parts as lines may hold them; their blobs are durable when this returns. A text that is redacted in one part, or
    /// was before, is masked in the sentences of all parts. The record of something that has happened is never refused
    /// because of its blobs.
    pub(in crate::log) async fn prepare<const N: usize>(
        &self,
        parts: [Part; N],
        secrets: &mut Secrets,
        purpose: Purpose,
        writer: &Writer,
    ) -> Result<[Value; N], Error> {
        let mut room = SMALL;
        let is_small = parts.iter().all(|part| fits(&part.value, &mut room));
        let known = std::mem::take(secrets);
        let prepared = if is_small {
            self.redacted_and_spilled(parts, known)
        } else {
            let own = self.clone();
            let work = tokio::task::spawn_blocking(move || own.redacted_and_spilled(parts, known));
            work.await.map_err(|_| Error::Closed)?
        };
        let (mut values, known, blobs) = prepared;
        *secrets = known;
        if blobs.is_empty() {
            return Ok(values);
        }
        match (self.keep(blobs, purpose, writer).await, purpose) {
            (Ok(()), _) => Ok(values),
            (Err(error), Purpose::Announce) => Err(error),
            (Err(error), Purpose::Record) => {
                tracing::error!(%error, "large values of a call are not in the log");
                values.iter_mut().for_each(|value| without_blobs(value, &error));
                Ok(values)
            }
        }
    }

    fn redacted_and_spilled<const N: usize>(
        &self,
        mut parts: [Part; N],
        mut secrets: Secrets,
    ) -> ([Value; N], Secrets, Vec<Blob>) {
        parts.iter_mut().for_each(|part| part.hide(&self.redaction, &mut secrets));
        let sentences = secrets.sentences();
        parts.iter_mut().for_each(|part| part.mask(&sentences));
        drop(sentences);
        let mut values = parts.map(|part| part.value);
        let mut blobs = Vec::new();
        values.iter_mut().for_each(|value| blob::spill(value, self.blob_from, MEMBER, &mut blobs));
        (values, secrets, blobs)
    }

    async fn keep(&self, blobs: Vec<Blob>, purpose: Purpose, writer: &Writer) -> Result<(), Error> {
        let size = blobs.iter().map(Blob::size).sum();
        match writer.check_room(size) {
            // What has happened is recorded as long as there is any room.
            Err(Error::Full { .. }) if purpose == Purpose::Record => {}
            checked => checked?,
        }
        let store = self.blobs.clone();
        let kept = tokio::task::spawn_blocking(move || store.store(blobs, std::time::SystemTime::now()));
        let kept = kept.await.map_err(|_| Error::Closed)?;
        kept.map_err(|Failed { stage, source }| Error::Refused { stage, source: Arc::new(source) })
    }
}

/// Whether the value has at most this size; subtracts its size from `room`.
fn fits(value: &Value, room: &mut usize) -> bool {
    let own = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.len(),
        Value::Object(entries) => entries.keys().map(|key| 8 + key.len()).sum(),
        _ => 1,
    };
    let Some(left) = room.checked_sub(own) else { return false };
    *room = left;
    match value {
        Value::Array(items) => items.iter().all(|item| fits(item, room)),
        Value::Object(entries) => entries.values().all(|inner| fits(inner, room)),
        _ => true,
    }
}

/// Replaces each marker by the reason for which its blob is missing.
fn without_blobs(value: &mut Value, error: &Error) {
    if blob::marker_of(value).is_some() {
        *value = json!({"not_kept": error.to_string()});
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| without_blobs(item, error)),
        Value::Object(entries) => entries.values_mut().for_each(|inner| without_blobs(inner, error)),
        _ => {}
    }
}

/// An error of the file system, with the operation that failed.
pub(in crate::log) fn io_words(stage: Stage, source: &io::Error) -> io::Error {
    io::Error::new(source.kind(), format!("{stage}: {source}"))
}
