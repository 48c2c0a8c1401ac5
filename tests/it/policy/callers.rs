//! One gateway before a recorded Odoo, with a `[[client]]` for each policy that is to be tried.

use std::collections::HashMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    recorder::{DATABASE, Recorder},
    seen::Rpc,
};
use crate::support::{client::http, gateway::Gateway};

/// The codes by which a policy refuses.
pub(super) const CODES: [&str; 7] = [
    "route_not_allowed",
    "model_not_allowed",
    "field_not_readable",
    "field_not_writable",
    "method_not_allowed",
    "outside_domain",
    "too_many_records",
];

pub(super) struct Callers {
    gateway: Gateway,
    recorder: Recorder,
    http: reqwest::Client,
}

/// What is asked of the gateway.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) route: &'static str,
    pub(super) model: String,
    pub(super) vals: Value,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) id: String,
    /// `ok`, or the code of the error.
    pub(super) code: String,
    /// The rule that the answer names.
    pub(super) rule: String,
    pub(super) answer: Value,
    pub(super) rpcs: Vec<Rpc>,
}

impl Outcome {
    pub(super) fn is_denied(&self) -> bool {
        CODES.contains(&&*self.code)
    }

    /// For a person who wonders.
    pub(super) fn shown(&self) -> String {
        let rpcs: Vec<_> = self.rpcs.iter().filter(|rpc| rpc.method != "fields_get").map(Rpc::text).collect();
        format!("{} {}\n    {}", self.code, self.rule, rpcs.join("\n    "))
    }
}

impl Ask {
    pub(super) fn new(route: &'static str, model: &str, vals: Value) -> Self {
        Self { route, model: model.to_owned(), vals }
    }
}

impl Callers {
    /// Each policy is the lines of a `[[client]]` that say what it may do.
    pub(super) async fn start(version: u16, policies: &[String]) -> Self {
        let recorder = Recorder::of_version(version).await;
        let entry = |(number, policy): (usize, &String)| {
            let hash: String = Sha256::digest(key(number)).iter().map(|byte| format!("{byte:02x}")).collect();
            let login = login(number);
            format!(
                "[[client]]\nname = \"{login}\"\nkey_sha256 = \"{hash}\"\nodoo_login = \"{login}\"\n\
                 odoo_password_env = \"ZQ_PASSWORD\"\n{policy}\n"
            )
        };
        let entries: String = policies.iter().enumerate().map(entry).collect();
        let more = format!("protocol = \"session\"\nmax_in_flight = 64\n{entries}");
        let gateway = Gateway::before_with(&recorder.url, DATABASE, &more, &[("ZQ_PASSWORD", "zq")]);
        Self { gateway, recorder, http: http() }
    }

    /// One call by the client of a policy, with what it had Odoo do. A client makes one at a time.
    pub(super) async fn call(&self, number: usize, ask: &Ask) -> Outcome {
        let body = json!({"params": {"model": ask.model, "vals": ask.vals}}).to_string();
        let request =
            self.http.post(format!("{}/api/{}", self.gateway.url, ask.route)).header("x-api-key", key(number));
        let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
        let id = response.headers()["gateway-call-id"].to_str().unwrap().to_owned();
        let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        let error = [&answer["result"]["error"], &answer["error"]["data"]].into_iter().find(|error| error.is_object());
        let text = |key: &str| error.and_then(|error| error[key].as_str()).map(str::to_owned);
        let code = text("code").unwrap_or_else(|| "ok".to_owned());
        let rule = text("rule").unwrap_or_default();
        Outcome { id, code, rule, answer, rpcs: self.recorder.take(&login(number)) }
    }

    /// The codes that the log has, by the calls' ids.
    pub(super) fn logged(&self) -> HashMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap_or("ok").to_owned();
        self.gateway.log().iter().map(|line| (text(&line["id"]), text(&line["error"]))).collect()
    }
}

fn key(number: usize) -> String {
    format!("gw_{number:064x}")
}

fn login(number: usize) -> String {
    format!("client-{number}")
}

/// A list of texts, as TOML has it.
pub(super) fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| format!("\"{}\"", item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// The line of which models may be touched, from two lists.
pub(super) fn models(allow: &str, deny: &str) -> String {
    format!("models = {{ allow = {allow}, deny = {deny} }}\n")
}
