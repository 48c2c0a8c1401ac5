//! The gateway that writes the log, as another process reaches it: over its admin listener, with the token beside the log.

use std::{path::Path, time::Duration};

use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::control::{Control, bearer};

/// A running gateway.
#[derive(Debug)]
pub(super) struct RunningGateway {
    http: reqwest::Client,
    control: Control,
}

/// Why a running gateway cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a gateway writes this log, but does not say where it is to be reached")]
    NoControl(#[source] std::io::Error),
    #[error(transparent)]
    Client(reqwest::Error),
    #[error("the gateway does not answer")]
    NoAnswer(#[source] reqwest::Error),
    #[error("the gateway's answer is not JSON")]
    NotJson(#[source] reqwest::Error),
}

/// What the gateway answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The id of the call that it made, where it made one.
    pub(super) call: Option<String>,
    response: reqwest::Response,
}

impl RunningGateway {
    /// The gateway that writes the log in this folder, which is waited for so long.
    pub(super) fn find(folder: &Path, patience: Duration) -> Result<Self, Error> {
        let control = Control::read(folder).map_err(Error::NoControl)?;
        let http = reqwest::Client::builder().no_proxy().timeout(patience).build().map_err(Error::Client)?;
        Ok(Self { http, control })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Error> {
        let request = self.http.get(format!("{}{path}", self.control.url));
        let request = request.header("authorization", bearer(&self.control.token));
        let response = request.send().await.map_err(Error::NoAnswer)?;
        Ok(Answer { status: response.status(), call: None, response })
    }

    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer, Error> {
        let request = self.http.post(format!("{}{path}", self.control.url));
        let request = request.header("authorization", bearer(&self.control.token)).json(body);
        let response = request.send().await.map_err(Error::NoAnswer)?;
        let call = response.headers().get("gateway-call-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        Ok(Answer { status: response.status(), call, response })
    }
}

impl Answer {
    pub(super) async fn json(self) -> Result<Value, Error> {
        self.response.json().await.map_err(Error::NotJson)
    }
}
