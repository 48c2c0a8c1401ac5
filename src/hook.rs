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
mod input;
mod request;
mod run;
mod sent;
mod template;
mod worker;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use serde_json::Value;

pub use self::{
    calls::{Made, MadeCall},
    capture::{Came, Captures, captured, clear_captured},
    fetch::NotFetched,
    input::Input,
    request::RequestLine,
    sent::{Sent, SentBody},
    template::Mistake,
    worker::{COMMAND, serve},
};
use self::{
    run::run,
    template::{Code, Ran},
    worker::{Run, TIME_LIMIT},
};
use crate::{config, errors};

/// The hooks of a configuration, by name.
#[derive(Debug, Default)]
pub struct Hooks(HashMap<String, Arc<Hook>>);

#[derive(Debug)]
pub struct Hook {
    /// What its entry says.
    pub entry: config::Hook,
    /// The filter, which was compiled once to check it.
    template: Code,
    delivery_id: Option<Code>,
    key: Option<Code>,
    only_if_newer: Option<Code>,
    handshake: Option<Code>,
    respond: Option<Code>,
    fetch: Option<Code>,
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
    #[error("[[hook]] `{path}`: {}:{source}", file.display())]
    Mistaken { path: String, file: PathBuf, source: Mistake },
    #[error("[[hook]] `{path}`: `{key}`: {source}")]
    Expression { path: String, key: &'static str, source: Mistake },
}

/// Why a template made no call of a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The template gave nothing, null or false.
    #[error("the template of this hook makes nothing of this body; `ignore(\"why\")` says that there is nothing to do")]
    NoPayload,
    #[error("the template of this hook fails on this body: {0}")]
    Failed(String),
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
            Self::Failed(_) | Self::Expression { .. } | Self::NotVals(_) => errors::Code::HookTemplate,
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

impl Hooks {
    /// Reads the templates and expressions, and compiles them once.
    ///
    /// # Errors
    /// A template cannot be read, or does not compile.
    pub fn load(entries: &[config::Hook]) -> Result<Self, Unusable> {
        let hook = |entry: &config::Hook| Ok((entry.name().to_owned(), Arc::new(Hook::load(entry)?)));
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
    fn load(entry: &config::Hook) -> Result<Self, Unusable> {
        let (path, file) = (entry.path.written(), entry.template.clone());
        let code = std::fs::read_to_string(&file).map_err(|source| Unusable::Unreadable {
            path: path.clone(),
            file: file.clone(),
            source,
        })?;
        let template =
            Code::compiled(&code).map_err(|source| Unusable::Mistaken { path: path.clone(), file, source })?;
        let expression = |key: &'static str, code: Option<&String>| {
            let compiled = code.map(|code| Code::compiled(code)).transpose();
            compiled.map_err(|source| Unusable::Expression { path: path.clone(), key, source })
        };
        Ok(Self {
            template,
            delivery_id: expression("delivery_id", entry.delivery_id.as_ref())?,
            key: expression("key", entry.key.as_ref())?,
            only_if_newer: expression("only_if_newer", entry.only_if_newer.as_ref())?,
            handshake: expression("handshake", entry.handshake.as_ref())?,
            respond: expression("respond", entry.respond.as_ref())?,
            fetch: expression("fetch.url", entry.fetch.as_ref().map(|fetch| &fetch.url))?,
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

    /// Runs the template like [`Hook::calls`], and blocks this thread.
    ///
    /// # Errors
    /// Those of [`Hook::calls`].
    pub fn calls_here(&self, input: &Input) -> Result<Made, Error> {
        calls::read(self, worker::run(&self.template, input, &Run::default())?)
    }

    /// What identifies the delivery, the same in all attempts of its sender; none where the hook has no `delivery_id`.
    ///
    /// # Errors
    /// The expression fails, or gives neither a text nor a number.
    pub async fn delivery_id(&self, input: &Input) -> Result<Option<String>, Error> {
        let Some(code) = &self.delivery_id else { return Ok(None) };
        match expression("delivery_id", code, input).await? {
            Value::String(id) if !id.is_empty() => Ok(Some(id)),
            Value::Number(id) => Ok(Some(id.to_string())),
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
        true
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
