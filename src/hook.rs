//! `[[hook]]`: a path for a sender with a payload of its own, and the template that converts it to calls.
//!
//! A template is a jq filter: JSON in, JSON out, with no text in between that a sender's value could break out of, as
//! in engines that insert values into a text. It sees what came (`sent`, `input`), and nothing of this machine. `template`
//! compiles and runs filters, `worker` runs them in processes with limits, `run` waits for these, `calls` reads what a template
//! made.

mod body;
mod calls;
mod capture;
mod fetch;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod input;
mod nearest;
pub mod presets;
mod request;
mod respond;
mod run;
mod sent;
mod template;
mod worker;

use std::{
    borrow::Cow,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use serde_json::Value;

pub use self::{
    calls::{Made, MadeCall},
    capture::{Came, Captures, captured, clear_captured},
    fetch::{Missing, NotFetched, Unready},
    input::Input,
    request::RequestLine,
    respond::Reply,
    sent::{Hidden, Sent, SentBody},
    template::Mistake,
    worker::{COMMAND, serve},
};
use self::{
    fetch::Fetching,
    run::run,
    template::{Code, Ran},
    worker::{Run, TIME_LIMIT},
};
use crate::{config, errors};

/// What stands before the names of hooks in their paths.
const PREFIX: &str = "/hooks/";

/// The hooks of a configuration, by name.
#[derive(Debug, Default)]
pub struct Hooks(HashMap<String, Arc<Hook>>);

/// A hook that a path leads to, and the segment of the path that is a secret.
#[derive(Debug)]
pub struct Place<'h> {
    pub hook: &'h Arc<Hook>,
    pub token: Option<SecretString>,
}

#[derive(Debug)]
pub struct Hook {
    /// What its entry says.
    pub entry: config::Hook,
    /// The filter, which was compiled once to check it.
    template: Code,
    sees_results: bool,
    delivery_id: Option<Code>,
    key: Option<Code>,
    only_if_newer: Option<Code>,
    handshake: Option<Code>,
    respond: Option<Code>,
    fetch: Option<Fetching>,
}

/// Within a configuration, hooks are told apart by their paths.
impl PartialEq for Hook {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Hook {}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("[[hook]] `{path}`: cannot read the template `{}`: {source}", file.display())]
    Unreadable { path: String, file: PathBuf, source: std::io::Error },
    #[error("[[hook]] `{path}`: {}", source.of(file))]
    Mistaken { path: String, file: PathBuf, source: Mistake },
    #[error("[[hook]] `{path}`: `{key}`: {source}")]
    Expression { path: String, key: &'static str, source: Mistake },
    #[error("[[hook]] `{path}`: [hook.fetch]: {source}")]
    Unready { path: String, source: Unready },
}

/// Why a template made no call of a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The template gave nothing, null or false.
    #[error("the template of this hook makes nothing of this body; `ignore(\"why\")` says that there is nothing to do")]
    NoPayload,
    #[error("the template of this hook fails on this body: {0}")]
    Failed(String),
    /// A template that a person tries; those of the configuration were compiled before.
    #[error("the template does not compile: {0}")]
    Mistaken(String),
    #[error("`{key}` of this hook fails on this body: {why}")]
    Expression { key: &'static str, why: String },
    #[error("the body cannot be read: {0}")]
    Unreadable(String),
    #[error("what `[hook.fetch]` names {0}")]
    Fetch(#[from] NotFetched),
    #[error(
        "the template of this hook must give an object with `payload` in it, one with `vals`, or a list of such, not {0}"
    )]
    NotVals(String),
    #[error("the templates of this gateway's hooks are busy; come back in a moment")]
    Busy,
    #[error("the calls under way fill the memory that [limits] bodies allows; come back in a moment")]
    NoRoom,
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
    pub fn code(&self) -> errors::Code {
        match self {
            Self::NoPayload => errors::Code::NoPayload,
            Self::Failed(_) | Self::Mistaken(_) | Self::Expression { .. } | Self::NotVals(_) => {
                errors::Code::HookTemplate
            }
            Self::Unreadable(_) => errors::Code::HookBody,
            Self::Fetch(NotFetched::Failed(_)) => errors::Code::HookFetchFailed,
            Self::Fetch(NotFetched::Refused(_)) => errors::Code::HookFetchRefused,
            Self::Busy | Self::NoRoom => errors::Code::TooBusy,
            Self::Endless | Self::TooMuch => errors::Code::HookLimits,
        }
    }

    /// Whether the same delivery may succeed at another time.
    pub fn is_retryable(&self) -> bool {
        self.code().retry() == errors::Retry::Safe
    }
}

/// The files of the modules that the filters of these entries include, whether or not they can be read.
pub fn module_files(entries: &[config::Hook]) -> Vec<PathBuf> {
    let of_entry = |entry: &config::Hook| {
        let folder = entry.template.parent().unwrap_or(Path::new("."));
        let template = std::fs::read_to_string(&entry.template).unwrap_or_default();
        let fetch = entry.fetch.as_ref().map(|fetch| &fetch.url);
        let expressions = [&entry.delivery_id, &entry.key, &entry.only_if_newer, &entry.handshake, &entry.respond];
        let expressions = expressions.into_iter().flatten().chain(fetch);
        expressions.chain([&template]).flat_map(|text| template::files(text, folder)).collect::<Vec<_>>()
    };
    entries.iter().flat_map(of_entry).collect()
}

impl Hooks {
    /// Reads the templates and expressions, and compiles them once.
    ///
    /// # Errors
    /// A template cannot be read, or does not compile.
    pub fn load(entries: &[config::Hook]) -> Result<Self, Unusable> {
        let hook = |entry: &config::Hook| Ok((entry.name().to_owned(), Arc::new(Hook::load(entry)?)));
        entries.iter().map(hook).collect::<Result<_, _>>().map(Self)
    }

    /// The hooks that can fetch nothing, since their secret is missing, by name.
    pub fn missing(&self) -> impl Iterator<Item = (&str, &Missing)> {
        self.0.values().filter_map(|hook| Some((hook.name(), hook.fetch.as_ref()?.missing()?)))
    }

    /// The hook of this name, which is its path behind `/hooks/`.
    pub fn named(&self, name: &str) -> Option<&Arc<Hook>> {
        self.0.get(name)
    }

    /// The hook at this path, compared as it is spelt, with a slash at its end or not. One that wants a token is at no path
    /// without one.
    pub fn at(&self, path: &str) -> Option<Place<'_>> {
        let name = path.strip_prefix(PREFIX)?;
        let name = name.strip_suffix('/').unwrap_or(name);
        if let Some(hook) = self.named(name).filter(|hook| !hook.entry.path.has_token) {
            return Some(Place { hook, token: None });
        }
        let (name, token) = name.rsplit_once('/')?;
        let hook = self.named(name).filter(|hook| hook.entry.path.has_token && !token.is_empty())?;
        Some(Place { hook, token: Some(percent_decode_str(token).decode_utf8_lossy().into_owned().into()) })
    }

    /// A path as it may be logged: what may be the token of a hook is hidden, where the path is misspelt as well.
    pub fn without_token<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let Some((before, behind)) = decoded.split_once(PREFIX) else { return path.into() };
        let behind = behind.trim_end_matches('/');
        let mut hooks = self.0.values().filter(|hook| hook.entry.path.has_token).peekable();
        if hooks.peek().is_none() || self.named(behind).is_some_and(|hook| !hook.entry.path.has_token) {
            return path.into();
        }
        let is_at = |hook: &&Arc<Hook>| behind.strip_prefix(hook.name()).is_some_and(|rest| rest.starts_with('/'));
        let place = hooks.find(is_at).map(|hook| hook.name());
        match place.or_else(|| behind.rsplit_once('/').map(|(name, _)| name)) {
            Some(name) => format!("{before}{PREFIX}{name}/***").into(),
            None => path.into(),
        }
    }
}

impl Hook {
    fn load(entry: &config::Hook) -> Result<Self, Unusable> {
        let (path, file) = (entry.path.written(), entry.template.clone());
        let code = std::fs::read_to_string(&file).map_err(|source| Unusable::Unreadable {
            path: path.clone(),
            file: file.clone(),
            source,
        })?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let template = Code::compiled(&code, folder).map_err(|source| Unusable::Mistaken {
            path: path.clone(),
            file: file.clone(),
            source,
        })?;
        let expression = |key: &'static str, code: Option<&String>| {
            let compiled = code.map(|code| Code::compiled(code, folder)).transpose();
            compiled.map_err(|source| Unusable::Expression { path: path.clone(), key, source })
        };
        let fetch = entry.fetch.as_ref().zip(expression("fetch.url", entry.fetch.as_ref().map(|fetch| &fetch.url))?);
        let fetch = fetch.map(|(entry, url)| {
            Fetching::load(url, entry).map_err(|source| Unusable::Unready { path: path.clone(), source })
        });
        Ok(Self {
            sees_results: template.uses("results"),
            template,
            delivery_id: expression("delivery_id", entry.delivery_id.as_ref())?,
            key: expression("key", entry.key.as_ref())?,
            only_if_newer: expression("only_if_newer", entry.only_if_newer.as_ref())?,
            handshake: expression("handshake", entry.handshake.as_ref())?,
            respond: expression("respond", entry.respond.as_ref())?,
            fetch: fetch.transpose()?,
            entry: entry.clone(),
        })
    }

    /// Its path behind `/hooks/`, without a token.
    pub fn name(&self) -> &str {
        self.entry.name()
    }

    /// What the template and the expressions see of a delivery.
    pub fn input(&self, sent: &Sent) -> Input {
        Input::of(sent, &self.entry.vars)
    }

    /// Runs the template in a worker process. `input` has what was fetched as `$fetched`, and what came of the calls before as
    /// `$results`.
    ///
    /// # Errors
    /// The template gives no call, fails, or takes more memory or time than it may; or all slots are busy.
    pub async fn calls(&self, input: Input) -> Result<Made, Error> {
        calls::read(self, run(self.template.clone(), input).await?)
    }

    /// Runs another template than the hook's in a worker process, where it is also compiled: a person tries it.
    ///
    /// # Errors
    /// Those of [`Hook::calls`]; it does not compile, or a module of it cannot be read.
    pub async fn calls_of(&self, template: &str, input: Input) -> Result<Made, Error> {
        let folder = self.entry.template.parent().unwrap_or(Path::new("."));
        let (template, folder) = (template.to_owned(), folder.to_owned());
        let code = tokio::task::spawn_blocking(move || Code::unread(&template, &folder)).await;
        let code = code.map_err(|_| Error::Busy)?.map_err(Error::Mistaken)?;
        calls::read(self, run(code, input).await?)
    }

    /// Runs the template like [`Hook::calls`], and blocks this thread.
    ///
    /// # Errors
    /// Those of [`Hook::calls`].
    pub fn calls_here(&self, input: &Input) -> Result<Made, Error> {
        calls::read(self, worker::run(&self.template, input, &Run::default())?)
    }

    /// What identifies the delivery, the same in all attempts of its sender; none where the hook has no `delivery_id`, or it gives
    /// null.
    ///
    /// # Errors
    /// The expression fails, or gives neither a text nor a number.
    pub async fn delivery_id(&self, input: &Input) -> Result<Option<String>, Error> {
        let Some(code) = &self.delivery_id else { return Ok(None) };
        match expression("delivery_id", code, input).await? {
            Value::String(id) if !id.is_empty() => Ok(Some(id)),
            Value::Number(id) => Ok(Some(id.to_string())),
            Value::Null => Ok(None),
            other => Err(Error::Expression {
                key: "delivery_id",
                why: format!("it gives {}, not a text or number", crate::plan::kind_of(&other)),
            }),
        }
    }

    /// What orders the event among those of its key; none where the hook has no `only_if_newer`.
    ///
    /// # Errors
    /// The expression fails.
    pub async fn version(&self, input: &Input) -> Result<Option<Value>, Error> {
        match &self.only_if_newer {
            Some(code) => expression("only_if_newer", code, input).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether the template sees what came of its calls (`$results`), so that it is to be run again after each.
    pub fn sees_results(&self) -> bool {
        self.sees_results
    }

    /// The value that orders the delivery; none where the hook has no `key`, and null where nothing orders this one.
    ///
    /// # Errors
    /// The expression fails.
    pub async fn key(&self, input: &Input) -> Result<Option<Value>, Error> {
        match &self.key {
            Some(code) => expression("key", code, input).await.map(Some),
            None => Ok(None),
        }
    }
}

/// The one value of an expression.
async fn expression(key: &'static str, code: &Code, input: &Input) -> Result<Value, Error> {
    let failed = |why: String| Error::Expression { key, why };
    let results = match run(code.clone(), input.clone()).await {
        Ok(Ran::Results(results)) => results,
        Ok(Ran::Ignored(_)) => return Err(failed("`ignore` belongs to the template".to_owned())),
        Err(Error::Failed(why)) => return Err(failed(why)),
        Err(other) => return Err(other),
    };
    match &results[..] {
        [] => Ok(Value::Null),
        [one] => serde_json::from_str(one).map_err(|error| failed(error.to_string())),
        _ => Err(failed("it gives several values".to_owned())),
    }
}
