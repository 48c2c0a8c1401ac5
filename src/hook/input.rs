//! What a filter sees: the body as `.`, and the rest as variables.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::sent::{Sent, SentBody};

/// The variables of filters, without their dollar; one that has no value is null.
pub(super) const VARIABLES: [&str; 9] =
    ["headers", "query", "method", "path", "vars", "fetched", "results", "outcome", "secret"];

/// What a filter sees. `$secret` may be among its variables, so it has no `Debug`.
#[derive(Clone)]
pub struct Input {
    /// JSON.
    pub body: Bytes,
    pub variables: Variables,
}

/// The values of the variables, by name.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Variables(Map<String, Value>);

impl Input {
    /// What came, and the constants of the hook. A body that cannot be read is its text.
    pub fn of(sent: &Sent, vars: &Map<String, Value>) -> Self {
        let body = match &sent.body {
            SentBody::Json(json) => json.clone(),
            SentBody::Unreadable { text, .. } => Bytes::from(Value::from(text.as_str()).to_string()),
        };
        let headers = sent.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        let variables = Variables::default()
            .with("headers", Value::Object(headers.collect()))
            .with("query", Value::Object(sent.query.clone()))
            .with("method", Value::from(sent.method.as_str()))
            .with("path", Value::from(sent.path.as_str()))
            .with("vars", Value::Object(vars.clone()));
        Self { body, variables }
    }

    /// The same with one variable more.
    #[must_use]
    pub fn with(self, name: &'static str, value: Value) -> Self {
        Self { variables: self.variables.with(name, value), ..self }
    }
}

impl Variables {
    #[must_use]
    fn with(mut self, name: &'static str, value: Value) -> Self {
        debug_assert!(VARIABLES.contains(&name), "{name}");
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}
