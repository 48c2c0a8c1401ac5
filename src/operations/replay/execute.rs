//! Where replayed calls are made: in the gateway that writes the log, or in this process where none does.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use super::{Replay, ReplayRequest};
use crate::{
    app,
    call::Service,
    config::Config,
    log,
    operations::gateway::{self, RunningGateway},
};

/// What the gateway itself may take beyond the caller's patience.
const SLACK: Duration = Duration::from_secs(30);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Makes replayed calls.
pub struct Executor(Place);

enum Place {
    Running(RunningGateway),
    /// A gateway that this process began for this.
    Here(Arc<Service>),
    /// The gateway that this process is, for an operator at this address.
    Within(Arc<Service>, IpAddr),
}

/// Why there is nothing to make the calls with.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    #[error(transparent)]
    App(#[from] app::Error),
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
}

/// Why it is not known what came of a call.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error("the gateway does not take the token beside its log")]
    WrongToken,
    #[error("the gateway did not take the call: {0}")]
    NotTaken(Value),
    #[error("this is no call that can be made")]
    NoCall,
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error(transparent)]
    Cut(#[from] JoinError),
}

/// What came of a call that was made again.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Of the new call.
    pub id: String,
    /// As the interface answers.
    body: Value,
}

/// Why a call was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable code of the error.
    pub code: String,
    pub message: String,
    /// Odoo may have done it, or a part of it.
    pub is_in_doubt: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Answer {
    /// What the call with this id was answered.
    pub(super) fn of(id: impl Into<String>, body: Value) -> Self {
        Self { id: id.into(), body }
    }

    pub fn is_done(&self) -> bool {
        self.body["result"]["is_success"] == Value::Bool(true)
    }

    /// What the caller gets, without its envelope, as the log records it.
    pub fn answered(&self) -> &Value {
        if self.body["result"].is_null() { &self.body["error"] } else { &self.body["result"] }
    }

    /// What Odoo gave; of a dry run, the plan.
    pub fn result(&self) -> &Value {
        &self.body["result"]["result"]
    }

    /// The error, of a call that was not carried out.
    pub fn failure(&self) -> Failure {
        let (facts, message) = match &self.body["error"] {
            Value::Null => (&self.body["result"]["error"], &self.body["result"]["messages"]),
            error => (&error["data"], &error["message"]),
        };
        let code = facts["code"].as_str().unwrap_or("failed").to_owned();
        let is_in_doubt = facts["retry"] == "unsafe";
        Failure { code, message: message.as_str().unwrap_or_default().to_owned(), is_in_doubt }
    }
}

impl Executor {
    /// The gateway that writes the log of this configuration; where none does, everything that one consists of.
    ///
    /// # Errors
    /// The running gateway cannot be reached, or this process cannot be one.
    pub async fn open(config: Config) -> Result<Self, NotOpened> {
        let folder = &config.log.directory;
        if log::is_in_use(folder) {
            let patience = config.limits.call_timeout + SLACK;
            return Ok(Self(Place::Running(RunningGateway::find(folder, patience)?)));
        }
        let calls = app::build(config, CancellationToken::new()).await?.calls.clone();
        // It notices when Odoo is back; ends with the process.
        tokio::spawn(calls.odoo.clone().watch());
        Ok(Self(Place::Here(calls)))
    }

    /// The gateway that this process is; `address` is the operator's.
    pub fn within(calls: Arc<Service>, address: IpAddr) -> Self {
        Self(Place::Within(calls, address))
    }

    /// Makes a call, and comes back with its answer.
    ///
    /// # Errors
    /// There is no answer. Whether the call was made is then in the log.
    pub async fn make(&self, replay: Replay) -> Result<Answer, NoAnswer> {
        match &self.0 {
            Place::Running(gateway) => {
                let answer = gateway.post("/replay", &replay.request).await?;
                let (status, id) = (answer.status, answer.call.clone());
                let body = answer.json().await?;
                match id {
                    Some(id) => Ok(Answer::of(id, body)),
                    None if status == StatusCode::UNAUTHORIZED => Err(NoAnswer::WrongToken),
                    None => Err(NoAnswer::NotTaken(body["error"]["message"].clone())),
                }
            }
            Place::Here(calls) => {
                replay.request.record(&calls.log).await?;
                make(calls, replay, HERE).await
            }
            Place::Within(calls, address) => make(calls, replay, *address).await,
        }
    }

    /// Makes a call that repeats none: a read, or a dry run.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub async fn ask(&self, request: ReplayRequest) -> Result<Answer, NoAnswer> {
        self.make(Replay { request, answered: Value::Null }).await
    }

    /// Frees the log, where this process wrote it.
    pub async fn close(&self) {
        if let Place::Here(calls) = &self.0 {
            calls.log.close().await;
        }
    }
}

async fn make(calls: &Arc<Service>, replay: Replay, address: IpAddr) -> Result<Answer, NoAnswer> {
    let incoming = replay.request.into_incoming(address).ok_or(NoAnswer::NoCall)?;
    let id = incoming.id;
    let answered = calls.start(incoming, ()).await?;
    Ok(Answer::of(id, json!(answered)))
}
