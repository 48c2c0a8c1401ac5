//! `capture`: what comes to a hook is kept in a file for a while, also what nobody has signed, so that "what does my sender send?"
//! has an answer.
//!
//! What must stay true: values of headers and of members of the query that hold a credential or a signature are described and not
//! kept; the file is for its owner alone and bounded; a request never waits long for it, and is answered the same without it.

mod described;
mod file;

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::{
    sync::Semaphore,
    time::{self, Instant},
};

use self::{described::described, file::File};
use super::{RequestLine, Sent, SentBody};
use crate::config::Config;

const FOLDER: &str = "captured";
/// A larger body is cut.
const BODY: usize = 1 << 20;
/// A request waits so long for the file, and is left out after that.
const PATIENCE: Duration = Duration::from_secs(1);

/// The hooks whose requests are kept, and until when.
#[derive(Debug)]
pub struct Captures {
    folder: PathBuf,
    until: HashMap<String, Instant>,
    /// One request is written at a time.
    turn: Arc<Semaphore>,
}

/// A request to a hook.
pub struct Came<'c> {
    pub hook: &'c str,
    pub line: &'c RequestLine,
    pub headers: &'c HeaderMap,
    /// What of it a template would see.
    pub sent: &'c Sent,
    pub size: usize,
    pub address: IpAddr,
    /// Why its sender has not proven who it is; none where it has.
    pub refused: Option<String>,
}

impl Captures {
    /// The time of each hook begins now.
    pub fn of(config: &Config) -> Self {
        let now = Instant::now();
        let until = config.hooks.iter().filter_map(|hook| Some((hook.name().to_owned(), now + hook.capture?)));
        Self { folder: folder(config), until: until.collect(), turn: Arc::new(Semaphore::new(1)) }
    }

    /// Whether requests to this hook are kept now.
    pub fn is_on(&self, hook: &str) -> bool {
        self.until.get(hook).is_some_and(|until| Instant::now() < *until)
    }

    /// Keeps a request. One for which there is no time or no room is left out: nothing depends on it.
    pub async fn keep(&self, came: Came<'_>) {
        let Ok(Ok(turn)) = time::timeout(PATIENCE, self.turn.clone().acquire_owned()).await else { return };
        let (record, file) = (record(&came), path(&self.folder, came.hook));
        let hook = came.hook.to_owned();
        let kept = tokio::task::spawn_blocking(move || {
            let kept = File::at(&file).append(&record);
            drop(turn);
            kept
        });
        if let Ok(Err(error)) = kept.await {
            tracing::warn!(hook, %error, "a request to a hook was not captured");
        }
    }
}

/// The requests that were kept of a hook, the earliest first; none where nothing was kept.
///
/// # Errors
/// The file cannot be read.
pub fn captured(config: &Config, hook: &str) -> io::Result<Vec<Value>> {
    File::at(&path(&folder(config), hook)).read()
}

/// Removes what was kept of a hook. False where there was nothing.
///
/// # Errors
/// The file cannot be removed.
pub fn clear_captured(config: &Config, hook: &str) -> io::Result<bool> {
    File::at(&path(&folder(config), hook)).remove()
}

fn folder(config: &Config) -> PathBuf {
    config.delivery.directory.join(FOLDER)
}

/// The name of a hook has segments of letters, digits, dashes and underscores.
fn path(folder: &Path, hook: &str) -> PathBuf {
    folder.join(format!("{}.ndjson", hook.replace('/', ".")))
}

/// `{"ts", "address", "size", "verified", "why"?, "masked", "sent"}`.
fn record(came: &Came<'_>) -> Value {
    let Came { line, headers, sent, size, address, refused, .. } = came;
    let masked_headers = headers.iter().filter(|(name, _)| !sent.headers.contains_key(name.as_str()));
    let masked_headers = masked_headers.map(|(name, value)| {
        let value = if *name == http::header::HOST {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        } else {
            described(&String::from_utf8_lossy(value.as_bytes()))
        };
        (name.as_str().to_owned(), Value::from(value))
    });
    let masked_query = line.query().into_iter().filter(|(name, _)| !sent.query.contains_key(name));
    let masked_query = masked_query.map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name, Value::from(described(&text)))
    });
    let mut record = json!({
        "ts": Timestamp::now(), "address": address, "size": size, "verified": refused.is_none(),
        "masked": {
            "headers": masked_headers.collect::<Map<_, _>>(), "query": masked_query.collect::<Map<_, _>>(),
            "token": line.token.is_some(),
        },
        "sent": sent_of(sent),
    });
    if let Some(why) = refused {
        record["why"] = json!(why);
    }
    record
}

/// What was sent, with a body within the bounds.
fn sent_of(sent: &Sent) -> Value {
    let cut = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(BODY)]).into_owned();
    let large = |bytes: &Bytes| SentBody::Unreadable {
        text: cut(bytes),
        why: format!("it has {} bytes, of which {BODY} are kept", bytes.len()),
    };
    match &sent.body {
        SentBody::Json(body) if body.len() <= BODY => match serde_json::from_slice(body) {
            Ok(json) => sent.to_json(json),
            Err(error) => {
                let body = SentBody::Unreadable { text: cut(body), why: error.to_string() };
                Sent { body, ..sent.clone() }.to_json(Value::Null)
            }
        },
        SentBody::Json(body) => Sent { body: large(body), ..sent.clone() }.to_json(Value::Null),
        SentBody::Unreadable { text, why } => {
            let body = SentBody::Unreadable { text: cut(text.as_bytes()), why: why.clone() };
            Sent { body, ..sent.clone() }.to_json(Value::Null)
        }
    }
}

#[cfg(test)]
mod tests;
