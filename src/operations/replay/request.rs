//! A recorded call that is to be made again, as the operator's program asks the running gateway for it.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    call::{self, By, Presented},
    hook::RequestLine,
    log::{self, Action, Log, Operator},
    odoo::RotatedCookie,
    route::Route,
};

/// A recorded call that is to be made again. It may hold a credential, so it has no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// Who has it made again.
    pub operator: Operator,
    /// The call that it repeats; none for a dry run, which repeats nothing.
    pub of: Option<Uuid>,
    pub route: Route,
    pub model: String,
    pub vals: Value,
    /// The `[[client]]` to act as.
    pub client: Option<String>,
    /// Without one, the headers that show the operator's own Odoo credential.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Values of it were hidden in the log, and read `***` now.
    #[serde(default)]
    pub is_hidden: bool,
}

impl ReplayRequest {
    /// Records that the call is sent again, before it is. A dry run writes nothing, and its own lines tell by whom it was made.
    ///
    /// # Errors
    /// The log has failed or has been closed.
    pub async fn record(&self, log: &Log) -> Result<(), log::Error> {
        let Some(of) = self.of else { return Ok(()) };
        let mut acted = self.operator.does(Action::Replayed);
        acted.of = vec![of];
        acted.client.clone_from(&self.client);
        log.acted(acted).await
    }

    /// The same as a call of the interface; none where a header cannot be one.
    pub fn into_incoming(self, address: IpAddr) -> Option<call::Incoming> {
        let presented = match self.client {
            Some(client) => Presented::Client(client),
            None => {
                let header = |(name, value): (String, String)| {
                    Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
                };
                let headers = self.headers.into_iter().map(header).collect::<Option<HeaderMap>>()?;
                Presented::Headers { line: RequestLine::post(""), headers, client: None }
            }
        };
        let body = json!({"model": self.model, "vals": self.vals}).to_string();
        Some(call::Incoming {
            id: Uuid::now_v7(),
            route: self.route,
            hook: None,
            presented,
            by: By::Operator {
                name: self.operator.by,
                replay_of: self.of,
                is_hidden: self.is_hidden,
                is_dry_run: self.vals["dry_run"] == true,
            },
            address,
            traceparent: None,
            body: Ok(Bytes::from(body)),
            began: Instant::now(),
            rotated: RotatedCookie::default(),
        })
    }
}
