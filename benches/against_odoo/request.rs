//! One call as each peer takes it, and what comes back.

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Peer {
    Addon,
    Gateway,
    /// A gateway whose log is in memory, so that its syncs cost nothing.
    GatewayInMemory,
    /// Odoo's own RPC, by a client that knows all ids.
    Bare,
    /// The same with many records in each call.
    Bulk,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Addon => "addon",
            Self::Gateway => "gateway",
            Self::GatewayInMemory => "memory",
            Self::Bare => "bare",
            Self::Bulk => "bulk",
        }
    }

    /// It takes payloads; the others take RPCs.
    pub(crate) fn takes_payloads(self) -> bool {
        matches!(self, Self::Addon | Self::Gateway | Self::GatewayInMemory)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Credential {
    Session,
    Key,
}

impl Credential {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Key => "key",
        }
    }
}

#[derive(Debug)]
pub(crate) enum Request {
    /// To one of the five routes.
    Payload { route: &'static str, model: &'static str, vals: Value },
    /// To Odoo itself. The first argument goes by position where there is a session, and by name where there is a key.
    Rpc { model: &'static str, method: &'static str, first: (&'static str, Value), named: Map<String, Value> },
}

impl Request {
    pub(crate) fn rpc(
        model: &'static str,
        method: &'static str,
        first: (&'static str, Value),
        mut named: Value,
    ) -> Self {
        Self::Rpc { model, method, first, named: std::mem::take(named.as_object_mut().unwrap()) }
    }

    pub(crate) fn path_and_body(&self, credential: Credential) -> (String, Bytes) {
        let (path, body) = match (self, credential) {
            (Self::Payload { route, model, vals }, _) => {
                let params = json!({"model": model, "vals": vals});
                (format!("/api/{route}"), json!({"jsonrpc": "2.0", "method": "call", "params": params}))
            }
            (Self::Rpc { model, method, first, named }, Credential::Session) => {
                let params = json!({"model": model, "method": method, "args": [first.1], "kwargs": named});
                let body = json!({"jsonrpc": "2.0", "method": "call", "params": params});
                ("/web/dataset/call_kw".to_owned(), body)
            }
            (Self::Rpc { model, method, first, named }, Credential::Key) => {
                let mut arguments = named.clone();
                arguments.insert(first.0.to_owned(), first.1.clone());
                (format!("/json/2/{model}/{method}"), Value::Object(arguments))
            }
        };
        (path, body.to_string().into())
    }

    /// The result of a call that went well; what else came back, otherwise.
    pub(crate) fn result(&self, credential: Credential, answer: &[u8]) -> Result<Value, String> {
        let mut answer: Value = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
        let result = match (self, credential) {
            (Self::Payload { .. }, _) if answer["result"]["is_success"] == true => answer["result"].get_mut("result"),
            (Self::Payload { .. }, _) => None,
            (Self::Rpc { .. }, Credential::Session) => answer.get_mut("result"),
            (Self::Rpc { .. }, Credential::Key) => Some(&mut answer),
        };
        result.map(Value::take).ok_or_else(|| answer.to_string())
    }
}
