//! Who makes the calls: the gateway that runs, or this process where none does.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use http::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::again::Again;
use crate::{
    app,
    call::Service,
    config::Config,
    control::{Control, bearer},
    log,
};

/// What the gateway itself may take beyond the caller's patience.
const SLACK: Duration = Duration::from_secs(30);
const HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

pub(super) enum Way {
    There { http: reqwest::Client, control: Control },
    Here(Arc<Service>),
}

/// What came of a call that was sent again.
pub(super) struct Answer {
    pub(super) id: String,
    /// As the interface answers.
    pub(super) body: Value,
}

impl Answer {
    /// Without its envelope, as the log has it.
    pub(super) fn told(&self) -> &Value {
        if self.body["result"].is_null() { &self.body["error"] } else { &self.body["result"] }
    }

    /// The code and the sentence of an error.
    pub(super) fn words(&self) -> String {
        let (code, message) = match &self.body["error"] {
            Value::Null => (&self.body["result"]["error"]["code"], &self.body["result"]["messages"]),
            error => (&error["data"]["code"], &error["message"]),
        };
        format!("{}: {}", code.as_str().unwrap_or("failed"), message.as_str().unwrap_or_default())
    }
}

impl Way {
    pub(super) fn open(config: Config) -> anyhow::Result<Self> {
        let folder = &config.log.directory;
        if !log::is_in_use(folder) {
            let calls = app::build(config, CancellationToken::new())?.calls.clone();
            // It notices when Odoo is back; ends with the process.
            tokio::spawn(calls.odoo.clone().watch());
            return Ok(Self::Here(calls));
        }
        let control =
            Control::read(folder).context("a gateway writes this log, but does not say where it is to be reached")?;
        let http = reqwest::Client::builder().no_proxy().timeout(config.limits.call_timeout + SLACK).build()?;
        Ok(Self::There { http, control })
    }

    pub(super) async fn send(&self, again: Again) -> anyhow::Result<Answer> {
        match self {
            Self::There { http, control } => {
                let request =
                    http.post(format!("{}/replay", control.url)).header("authorization", bearer(&control.token));
                let response = request.json(&again.request).send().await.context("the gateway does not answer")?;
                let status = response.status();
                let id = response.headers().get("gateway-call-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
                let body: Value = response.json().await.context("the gateway's answer is not JSON")?;
                match id {
                    Some(id) => Ok(Answer { id, body }),
                    None if status == StatusCode::UNAUTHORIZED => {
                        bail!("the gateway does not take the token beside its log")
                    }
                    None => bail!("the gateway did not take the call: {}", body["error"]["message"]),
                }
            }
            Self::Here(calls) => {
                let Some(incoming) = again.request.into_incoming(HERE) else {
                    bail!("this is no call that can be made")
                };
                let id: Uuid = incoming.id;
                let answered = calls.start(incoming, ()).await?;
                Ok(Answer { id: id.to_string(), body: json!(answered) })
            }
        }
    }

    pub(super) async fn close(&self) {
        if let Self::Here(calls) = self {
            calls.log.close().await;
        }
    }
}
