//! The calls: every kind of them, what each asks for, and what Odoo must have done of it in the end.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::{
    gateway::{CLIENT_KEY, SECRET},
    odoo::{MODEL, State},
};

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A create without a key: its caller does not repeat it.
    Create,
    /// With a key: its caller repeats it until it is answered.
    Keyed,
    /// Accepted, and made later.
    Queued,
    Upsert,
    /// An update with a new line.
    Lines,
    Delete,
    /// A method, which nobody repeats.
    Action,
    DryRun,
    /// A delivery that is answered with what came of it.
    Hook,
    /// A delivery that is stored, and made later.
    StoredHook,
    /// Three records at once.
    List,
    Search,
    /// Passed on to Odoo.
    Passed,
}

impl Kind {
    pub(crate) const ALL: [Self; 13] = [
        Self::Create,
        Self::Keyed,
        Self::Queued,
        Self::Upsert,
        Self::Lines,
        Self::Delete,
        Self::Action,
        Self::DryRun,
        Self::Hook,
        Self::StoredHook,
        Self::List,
        Self::Search,
        Self::Passed,
    ];

    /// Whether the caller sends the same call again until it is answered.
    pub(crate) fn is_repeated(self) -> bool {
        matches!(
            self,
            Self::Keyed
                | Self::Queued
                | Self::Upsert
                | Self::Lines
                | Self::Delete
                | Self::Hook
                | Self::StoredHook
                | Self::List
        )
    }
}

/// One call of one caller.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    /// Begins the `ref` of all that it makes.
    pub(crate) reference: String,
    /// The record that it changes or deletes.
    pub(crate) base: String,
}

impl Call {
    /// The next call of this kind; what it needs is put into Odoo.
    pub(crate) fn new(kind: Kind, number: u64, state: &mut State) -> Self {
        let (reference, base) = (format!("R{number}"), format!("B{number}"));
        if matches!(kind, Kind::Lines | Kind::Delete | Kind::Action) {
            state.put(&base);
        }
        Self { kind, reference, base }
    }

    /// The whole request.
    pub(crate) fn request(&self) -> Vec<u8> {
        let Self { kind, reference, base } = self;
        let payload = json!({"name": format!("Customer {reference}"), "ref": reference});
        let search = json!({"ref": base});
        let (path, vals) = match kind {
            Kind::Passed => return post(&format!("/stub/{reference}"), "", b"{}"),
            Kind::Hook | Kind::StoredHook => {
                // A text that is large for the log, which keeps it in a blob.
                let body = json!({"name": format!("customer {reference} ").repeat(30), "ref": reference}).to_string();
                let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body.as_bytes());
                let signature = format!("X-Hub-Signature-256: sha256={}\r\n", const_hex::encode(mac));
                let hook = if *kind == Kind::Hook { "answered" } else { "stored" };
                return post(&format!("/hooks/{hook}"), &signature, body.as_bytes());
            }
            Kind::Create | Kind::Keyed | Kind::Queued => ("create_data", json!({"payload": payload})),
            Kind::DryRun => ("create_data", json!({"payload": payload, "dry_run": true})),
            Kind::Upsert => ("create_update_data", json!({"search_key": {"ref": reference}, "payload": payload})),
            Kind::Lines => {
                let lines = json!({"mode": "add", "records": [payload]});
                ("update_data", json!({"search_key": search, "payload": {"child_ids": lines}}))
            }
            Kind::Delete => ("delete_data", json!({"search_key": search})),
            Kind::Action => ("call_function", json!({"search_key": search, "payload": {"method": "action_confirm"}})),
            Kind::List => {
                let all: Vec<Value> =
                    self.made().iter().map(|reference| json!({"name": reference, "ref": reference})).collect();
                ("create_data", json!({"payload": all}))
            }
            Kind::Search => {
                ("search_data", json!({"payload": {"search_domain": [["ref", "=", base]], "search_field": ["name"]}}))
            }
        };
        let key = if kind.is_repeated() { format!("Idempotency-Key: {reference}\r\n") } else { String::new() };
        let later = if *kind == Kind::Queued { "Prefer: respond-async\r\n" } else { "" };
        let headers = format!("x-api-key: {CLIENT_KEY}\r\n{key}{later}");
        post(&format!("/api/{path}"), &headers, json!({"model": MODEL, "vals": vals}).to_string().as_bytes())
    }

    /// The `ref` of each record that it makes.
    fn made(&self) -> Vec<String> {
        match self.kind {
            Kind::List => (0..3).map(|number| format!("{}.{number}", self.reference)).collect(),
            Kind::Delete | Kind::Action | Kind::Search | Kind::Passed | Kind::DryRun => Vec::new(),
            _ => vec![self.reference.clone()],
        }
    }

    /// How often each part of it was done.
    fn done(&self, state: &State) -> Vec<u32> {
        let count =
            |counts: &std::collections::HashMap<String, u32>, name: &str| counts.get(name).copied().unwrap_or(0);
        match self.kind {
            Kind::Delete => vec![u32::from(!state.is_there(&self.base))],
            Kind::Action => vec![count(&state.called, &self.base)],
            Kind::Passed => vec![count(&state.passed, &self.reference)],
            Kind::Search => Vec::new(),
            _ => self.made().iter().map(|reference| count(&state.created, reference)).collect(),
        }
    }

    /// What is wrong with what Odoo did of it; `is_done` says that its caller was told that it is done.
    pub(crate) fn wrong(&self, state: &State, is_done: bool) -> Option<Wrong> {
        let done = self.done(state);
        if self.kind == Kind::DryRun {
            let is_written = state.created.contains_key(&self.reference);
            return is_written.then_some(Wrong::Doubled);
        }
        if done.iter().any(|times| *times > 1) {
            return Some(Wrong::Doubled);
        }
        (is_done && done.contains(&0)).then_some(Wrong::Lost)
    }

    /// Whether an answer of this kind says that the call is done, or will be.
    pub(crate) fn is_taken(&self, status: u16, body: &Value) -> bool {
        let code = refusal(body).and_then(|error| error["code"].as_str());
        match self.kind {
            Kind::Passed => status == 200,
            // A delivery that is known was taken before.
            Kind::Hook | Kind::StoredHook => matches!(status, 200 | 202) && matches!(code, None | Some("replayed")),
            _ => matches!(status, 200 | 202) && code.is_none(),
        }
    }
}

/// Why a call is refused, where it is: in the envelope, or in the result of one that was made.
pub(crate) fn refusal(body: &Value) -> Option<&Value> {
    [&body["error"]["data"], &body["result"]["error"]].into_iter().find(|error| error.is_object())
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It was said to be done, and is not.
    Lost,
    /// It was done more than once, or was not to be done.
    Doubled,
}

fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: gateway.example.com\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
