//! What of a call goes into its lines: without what must not be read, and with what is large in blobs beside them.
//!
//! Everything that a caller or Odoo said passes here. Much of it is worked on away from the threads that serve.

use std::{io, sync::Arc};

use serde_json::{Value, json};

use super::{
    Error,
    blob::{self, Blob, Blobs},
    fs::Failed,
    redact::{Redaction, Secrets},
    writer::{Purpose, Writer},
};

/// Values larger than this go to a blob as a whole, so that a line stays one that tools can handle.
const MEMBER: usize = 64 << 10;
/// As much as this, in texts and members, is worked on where it is.
const SMALL: usize = 32 << 10;

/// How values are made fit for a line. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Content {
    redaction: Arc<Redaction>,
    blobs: Arc<Blobs>,
    blob_from: usize,
}

impl Content {
    pub(super) fn new(patterns: &[String], blobs: Arc<Blobs>, blob_from: u64) -> Self {
        let blob_from = usize::try_from(blob_from).unwrap_or(usize::MAX);
        Self { redaction: Arc::new(Redaction::new(patterns)), blobs, blob_from }
    }

    /// Only what is secret in a value that is not kept.
    pub(super) fn note_secrets(&self, mut value: Value, secrets: &mut Secrets) {
        self.redaction.hide(&mut value, secrets);
    }

    /// The values as they may stand in lines; their blobs are durable when this comes back. What is hidden in one of them, or
    /// was before, is hidden in all. What tells of something that has happened is never refused for its blobs.
    pub(super) async fn prepare<const N: usize>(
        &self,
        values: [Value; N],
        secrets: &mut Secrets,
        purpose: Purpose,
        writer: &Writer,
    ) -> Result<[Value; N], Error> {
        let mut room = SMALL;
        let is_small = values.iter().all(|value| fits(value, &mut room));
        let known = std::mem::take(secrets);
        let prepared = if is_small {
            self.hidden_and_spilled(values, known)
        } else {
            let own = self.clone();
            let work = tokio::task::spawn_blocking(move || own.hidden_and_spilled(values, known));
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
            (Err(error), Purpose::Tell) => {
                tracing::error!(%error, "large values of a call are not in the log");
                values.iter_mut().for_each(|value| without_blobs(value, &error));
                Ok(values)
            }
        }
    }

    fn hidden_and_spilled<const N: usize>(
        &self,
        mut values: [Value; N],
        mut secrets: Secrets,
    ) -> ([Value; N], Secrets, Vec<Blob>) {
        values.iter_mut().for_each(|value| self.redaction.hide(value, &mut secrets));
        secrets.mask(&mut values);
        let mut blobs = Vec::new();
        values.iter_mut().for_each(|value| blob::spill(value, self.blob_from, MEMBER, &mut blobs));
        (values, secrets, blobs)
    }

    async fn keep(&self, blobs: Vec<Blob>, purpose: Purpose, writer: &Writer) -> Result<(), Error> {
        let size = blobs.iter().map(Blob::size).sum();
        match writer.check_room(size) {
            // What has happened is told as long as there is any room.
            Err(Error::Full { .. }) if purpose == Purpose::Tell => {}
            checked => checked?,
        }
        let store = self.blobs.clone();
        let kept = tokio::task::spawn_blocking(move || store.keep(blobs, std::time::SystemTime::now()));
        let kept = kept.await.map_err(|_| Error::Closed)?;
        kept.map_err(|Failed { stage, source }| Error::Refused { stage, source: Arc::new(source) })
    }
}

/// Whether the value is of this size at most; takes its size from what is left.
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

/// Says in the place of each blob why it is not there.
fn without_blobs(value: &mut Value, error: &Error) {
    if blob::named_by(value).is_some() {
        *value = json!({"not_kept": error.to_string()});
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| without_blobs(item, error)),
        Value::Object(entries) => entries.values_mut().for_each(|inner| without_blobs(inner, error)),
        _ => {}
    }
}

/// An error of the file system as the log tells it.
pub(super) fn io_words(stage: &str, source: &io::Error) -> io::Error {
    io::Error::new(source.kind(), format!("{stage}: {source}"))
}
