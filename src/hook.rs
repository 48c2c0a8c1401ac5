//! `[[hook]]`: a path for a sender with a payload of its own, and the template that converts it to `vals`.
//!
//! A template is a jq filter: JSON in, JSON out, with no text in between that a sender's value could break out of, as
//! in engines that insert values into a text. It sees the body, and the headers as `$headers`, and nothing of this
//! machine. `template` compiles and runs filters, `worker` runs them in processes with limits.

mod template;
mod worker;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value};
use tokio::{sync::Semaphore, time};

pub use self::{
    template::Mistake,
    worker::{COMMAND, serve},
};
use self::{
    template::Template,
    worker::{Run, TIME_LIMIT},
};
use crate::{
    config,
    errors::Code,
    key_texts::mask_keys,
    memory::{self, Full},
    route::Route,
};

/// The time that a worker may take beyond its template's, to start and to receive the body.
const GRACE: Duration = Duration::from_secs(10);
/// The slots for running templates, each with memory of its own.
static SLOTS: Semaphore = Semaphore::const_new(8);
/// Parts of the names of headers that hold a credential or a signature: `x-webhook-key`, `x-auth`, `x-gitlab-token`.
/// Templates do not need them, and what a template sees is logged.
const HIDDEN: [&str; 11] =
    ["key", "auth", "token", "secret", "signature", "hmac", "passw", "cookie", "credential", "session", "login"];
/// Headers whose names have such a part and hold no secret: they identify a delivery.
const SHOWN: [&str; 2] = ["idempotency-key", "x-idempotency-key"];

/// The hooks of a configuration, by name.
#[derive(Debug, Default)]
pub struct Hooks(HashMap<String, Arc<Hook>>);

#[derive(Debug)]
pub struct Hook {
    pub name: String,
    /// The name of the `[[client]]` that its sender is.
    pub client: String,
    pub route: Route,
    pub model: String,
    /// The filter, which was compiled once to check it.
    code: Arc<str>,
    /// What of its client's rules it has otherwise.
    pub delivery: Option<config::Mode>,
    pub when_down: Option<config::WhenDown>,
    pub ordering: Option<config::Ordering>,
    /// A filter over what the template makes: deliveries with the same value go one after another.
    ordering_key: Option<Arc<str>>,
}

/// Within a configuration, hooks are told apart by their paths.
impl PartialEq for Hook {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Hook {}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("[[hook]] `{path}`: cannot read the template `{}`: {source}", file.display())]
    Unreadable { path: String, file: PathBuf, source: std::io::Error },
    #[error("[[hook]] `{path}`: {}:{source}", file.display())]
    Mistaken { path: String, file: PathBuf, source: Mistake },
    #[error("[[hook]] `{path}`: `ordering_key`: {source}")]
    OrderingKey { path: String, source: Mistake },
}

/// Why a template made no call of a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The template gave nothing, null or false.
    #[error("the template of this hook makes no payload of this body, so there is nothing to do")]
    NoPayload,
    #[error("the template of this hook fails on this body: {0}")]
    Failed(String),
    #[error("the template of this hook must give one object with `payload` in it, not {0}")]
    NotVals(String),
    #[error("the templates of this gateway's hooks are busy; come back in a moment")]
    Busy,
    #[error("the template of this hook did not end within {} s", TIME_LIMIT.as_secs())]
    Endless,
    #[error(
        "the template of this hook takes more than the {} MiB of memory that it may have on this body, or calls itself without end",
        worker::MEMORY_MIB
    )]
    TooMuch,
}

impl Error {
    /// The stable code that callers may branch on.
    pub fn code(&self) -> Code {
        match self {
            Self::NoPayload => Code::NoPayload,
            Self::Failed(_) => Code::HookTemplate,
            Self::NotVals(_) => Code::HookTemplate,
            Self::Busy => Code::TooBusy,
            Self::Endless => Code::HookLimits,
            Self::TooMuch => Code::HookLimits,
        }
    }
}

/// A delivery as a template sees it and the log keeps it.
#[derive(Debug, Clone)]
pub struct Sent {
    pub body: Bytes,
    pub headers: BTreeMap<String, String>,
}

impl Sent {
    /// `signed` is the header that holds the signature, where the sender uses a header of its own.
    pub fn new(body: Bytes, headers: &HeaderMap, signed: Option<&HeaderName>) -> Self {
        let is_hidden = |name: &str| HIDDEN.iter().any(|part| name.contains(part)) && !SHOWN.contains(&name);
        let shown = headers
            .iter()
            .filter(|(name, _)| !is_hidden(name.as_str()) && **name != header::HOST && Some(*name) != signed);
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), mask_keys(value.to_str().ok()?).into_owned()))
        };
        Self { body, headers: shown.filter_map(text).collect() }
    }

    /// Converts it to `{"headers", "body"}`. `body` is the parsed body.
    pub fn to_json(&self, body: Value) -> Value {
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        let members = [("headers".to_owned(), Value::Object(headers.collect())), ("body".to_owned(), body)];
        Value::Object(members.into_iter().collect())
    }

    /// Converts it back from [`Self::to_json`].
    pub fn of_json(sent: &Value) -> Self {
        let headers = sent["headers"].as_object().into_iter().flatten();
        let headers = headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Self { body: Bytes::from(sent["body"].to_string()), headers: headers.collect() }
    }
}

impl Hooks {
    /// Reads the templates, and compiles them once.
    ///
    /// # Errors
    /// A template cannot be read, or does not compile.
    pub fn load(entries: &[config::Hook]) -> Result<Self, Unusable> {
        let hook = |entry: &config::Hook| {
            let (path, file) = (entry.path(), entry.template.clone());
            let code = std::fs::read_to_string(&file);
            let code =
                code.map_err(|source| Unusable::Unreadable { path: path.clone(), file: file.clone(), source })?;
            Template::compile(&code).map_err(|source| Unusable::Mistaken {
                path: path.clone(),
                file: file.clone(),
                source,
            })?;
            if let Some(key) = &entry.ordering_key {
                Template::compile(key).map_err(|source| Unusable::OrderingKey { path, source })?;
            }
            let hook = Hook {
                name: entry.name.clone(),
                client: entry.client.clone(),
                route: entry.route,
                model: entry.model.clone(),
                code: code.into(),
                delivery: entry.delivery,
                when_down: entry.when_down,
                ordering: entry.ordering,
                ordering_key: entry.ordering_key.as_deref().map(Into::into),
            };
            Ok((entry.name.clone(), Arc::new(hook)))
        };
        entries.iter().map(hook).collect::<Result<_, _>>().map(Self)
    }

    /// The hook of this name, which is its path behind `/hooks/`.
    pub fn named(&self, name: &str) -> Option<&Arc<Hook>> {
        self.0.get(name)
    }

    /// The hook at this path, compared as it is spelt.
    pub fn at(&self, path: &str) -> Option<&Arc<Hook>> {
        self.named(path.strip_prefix("/hooks/")?)
    }
}

impl Hook {
    /// Runs the template on a body in a worker process, and returns the `vals`.
    ///
    /// # Errors
    /// The template gives none, fails, or takes more memory or time than it may; or all slots are busy.
    pub async fn vals(self: &Arc<Self>, sent: Sent) -> Result<Map<String, Value>, Error> {
        read(&run(self.code.clone(), sent).await?)
    }

    pub fn has_ordering_key(&self) -> bool {
        self.ordering_key.is_some()
    }

    /// The value that orders a delivery, of what the template made of it: null where nothing does.
    ///
    /// # Errors
    /// Those of [`Hook::vals`], or there are several values.
    pub async fn ordering_key(&self, vals: &Map<String, Value>) -> Result<Value, Error> {
        let Some(code) = self.ordering_key.clone() else { return Ok(Value::Null) };
        let body = serde_json::to_vec(vals).unwrap_or_default();
        let made = run(code, Sent { body: Bytes::from(body), headers: BTreeMap::new() }).await?;
        match &made[..] {
            [] => Ok(Value::Null),
            [one] => serde_json::from_str(one).map_err(|error| Error::Failed(error.to_string())),
            _ => Err(Error::Failed("`ordering_key` gives several values".to_owned())),
        }
    }

    /// Runs the template like [`Hook::vals`], and blocks this thread.
    ///
    /// # Errors
    /// Those of [`Hook::vals`].
    pub fn vals_here(&self, sent: &Sent) -> Result<Map<String, Value>, Error> {
        read(&worker::run(&self.code, sent, &Run::default())?)
    }
}

/// Runs a filter in a worker process, within the limits of memory and time.
async fn run(code: Arc<str>, sent: Sent) -> Result<Vec<String>, Error> {
    let place = time::timeout(TIME_LIMIT, SLOTS.acquire()).await;
    let place = place.map_err(|_| Error::Busy)?.map_err(|_| Error::Busy)?;
    let run = Arc::new(Run::default());
    let this_run = run.clone();
    let made = tokio::task::spawn_blocking(move || {
        let made = worker::run(&code, &sent, &this_run);
        drop(place);
        made
    });
    // A worker ends itself in time. One that cannot is killed, since it would keep its slot.
    let made = time::timeout(TIME_LIMIT + GRACE, made).await.map_err(|_| {
        run.end();
        Error::Endless
    })?;
    let made = made.map_err(|_| Error::Failed("it broke down".to_owned()))??;
    let size = made.iter().map(String::len).sum();
    let parsed = made.iter().map(|result| memory::weigh(result.as_bytes()).in_call(0)).sum::<usize>();
    memory::take(parsed.saturating_add(size)).map_err(|full| match full {
        Full::Now { .. } => Error::Busy,
        Full::Always { .. } => Error::TooMuch,
    })?;
    Ok(made)
}

/// Reads the `vals` from a template's results.
fn read(made: &[String]) -> Result<Map<String, Value>, Error> {
    let made = made.iter().map(|result| serde_json::from_str(result));
    let mut made: Vec<Value> = made.collect::<Result<_, _>>().map_err(|error| Error::Failed(error.to_string()))?;
    match (made.pop(), made.is_empty()) {
        (None | Some(Value::Null | Value::Bool(false)), true) => Err(Error::NoPayload),
        (Some(Value::Object(vals)), true) if vals.get("payload").is_some_and(Value::is_object) => Ok(vals),
        (Some(Value::Object(_)), true) => Err(Error::NotVals("an object without it".to_owned())),
        (Some(other), true) => Err(Error::NotVals(crate::plan::kind_of(&other).to_owned())),
        (_, false) => Err(Error::NotVals("several results".to_owned())),
    }
}
