//! What a browser did on the network: every request of its pages and of their workers, sockets too.
//!
//! It is Chromium's own net log, written below all that pages can see or change.

use std::{collections::HashMap, path::Path};

use serde_json::Value;

/// The pages' requests in the order of their beginning.
pub(crate) struct NetLog {
    pub(crate) requests: Vec<Request>,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) url: String,
    /// Of the answer, if one came.
    pub(crate) status: Option<u16>,
}

impl NetLog {
    pub(crate) fn read(file: &Path) -> Self {
        let log: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let number = |name: &str| &log["constants"]["logEventTypes"][name];
        let (begin, answer) = (number("URL_REQUEST_START_JOB"), number("HTTP_TRANSACTION_READ_RESPONSE_HEADERS"));
        let mut requests: Vec<Request> = Vec::new();
        // One that is redirected begins again under the same number.
        let mut latest: HashMap<i64, usize> = HashMap::new();
        for event in log["events"].as_array().unwrap() {
            let (id, params) = (event["source"]["id"].as_i64().unwrap(), &event["params"]);
            if event["type"] == *begin
                && let Some(url) = params["url"].as_str()
                && (params["initiator"] != "not an origin" || is_on_this_machine(url))
            {
                latest.insert(id, requests.len());
                requests.push(Request { url: url.to_owned(), status: None });
            } else if event["type"] == *answer
                && let Some(index) = latest.get(&id)
            {
                let line = params["headers"][0].as_str().unwrap_or_default();
                requests[*index].status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
            }
        }
        Self { requests }
    }
}

/// The browser itself asks its maker this and that; an address that was typed is told from those by its being here.
fn is_on_this_machine(url: &str) -> bool {
    url.contains("//127.0.0.1") || url.contains("//localhost")
}
