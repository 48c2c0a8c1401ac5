//! A recorded call, and what is done with it: what reads goes to both, what may write is planned by the gateway alone.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    config::Config,
    log::{Call, Error, Event, RecordedRoute},
    operations::{
        calls::{Calls, line_of},
        replay::{Draft, NotReplayable, Options},
    },
    route::Route,
};

/// Methods of Odoo that only read, on every model (14-19).
const READING: [&str; 13] = [
    "check_access_rights",
    "default_get",
    "fields_get",
    "formatted_read_group",
    "get_external_id",
    "has_access",
    "name_get",
    "name_search",
    "read",
    "read_group",
    "search",
    "search_count",
    "search_read",
];
/// What the addon puts into `vals` before it logs them.
const ADDED_BY_ADDON: &str = "is_create_log";
const DRY_RUN: &str = "dry_run";

/// The methods that only read, and may so be called in the addon: Odoo's own, and those that the operator names.
#[derive(Debug, Clone, Default)]
pub struct Methods(Vec<String>);

impl Methods {
    pub fn and(named: Vec<String>) -> Self {
        Self(named)
    }

    fn reads(&self, method: &str) -> bool {
        READING.contains(&method) || self.0.iter().any(|named| named == method)
    }
}

/// A recorded call.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its id, or its place in a file.
    pub name: String,
    pub route: Route,
    pub model: String,
    pub vals: Map<String, Value>,
    /// Whether the addon did it when it was recorded, where that is known.
    pub was_done: Option<bool>,
}

/// A call that only reads.
#[derive(Debug, Clone)]
pub struct Read(Recorded);

/// What is done with a call.
#[derive(Debug, Clone)]
pub enum Task {
    /// It is sent to both.
    Compare(Read),
    /// It is planned by the gateway.
    Plan(Recorded),
}

impl Read {
    pub fn call(&self) -> &Recorded {
        &self.0
    }
}

impl Recorded {
    /// Without what the addon adds, and what would make the two do different things.
    pub(super) fn new(name: String, route: Route, model: String, mut vals: Map<String, Value>) -> Self {
        vals.shift_remove(ADDED_BY_ADDON);
        vals.shift_remove(DRY_RUN);
        Self { name, route, model, vals, was_done: None }
    }

    /// What is the same in two calls that ask for the same.
    pub(super) fn sameness(&self) -> String {
        serde_json::json!([self.route.name(), self.model, self.vals]).to_string()
    }

    /// A parameter of the payload.
    pub(super) fn parameter(&self, name: &str) -> Option<&Value> {
        self.vals.get("payload")?.get(name)
    }

    pub fn task(self, methods: &Methods) -> Task {
        let is_read = match self.route {
            Route::SearchData => true,
            // `then` answers a wizard, which only the gateway knows.
            Route::CallFunction => {
                let method = self.parameter("method").and_then(Value::as_str);
                method.is_some_and(|method| methods.reads(method)) && self.parameter("then").is_none()
            }
            Route::CreateData | Route::UpdateData | Route::CreateUpdateData | Route::DeleteData => false,
        };
        if is_read { Task::Compare(Read(self)) } else { Task::Plan(self) }
    }
}

/// Why a call of the log is not asked again.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error("an operator made it: a replay, a dry run or an earlier comparison")]
    Operators,
    #[error(transparent)]
    NotReplayable(#[from] NotReplayable),
    #[error(transparent)]
    Log(#[from] Error),
}

/// A call of the gateway's log.
///
/// # Errors
/// No caller made it, its payload is not to be had, or parts of it were hidden.
pub async fn taken(log: &Calls, call: &Call, config: &Arc<Config>) -> Result<Recorded, NotTaken> {
    if !matches!(call.route, RecordedRoute::Api(_)) {
        return Err(NotReplayable::Passed.into());
    }
    let lines = log.lines(call).await?;
    if line_of(&lines, Event::CallReceived).is_some_and(|received| !received["by"].is_null()) {
        return Err(NotTaken::Operators);
    }
    let options = Options { force: true, dry_run: true, ..Options::default() };
    let draft = Draft::of(log, call, config, &options).await?;
    if !draft.hidden.is_empty() {
        return Err(NotReplayable::Hidden(draft.hidden).into());
    }
    let Value::Object(vals) = draft.vals else { return Err(NotReplayable::NotKept.into()) };
    Ok(Recorded::new(call.id.to_string(), draft.route, draft.model, vals))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reads(route: Route, payload: Value, methods: &Methods) -> bool {
        let vals = json!({"payload": payload, "dry_run": true}).as_object().unwrap().clone();
        let call = Recorded::new("1".to_owned(), route, "res.partner".to_owned(), vals);
        assert!(!call.vals.contains_key("dry_run"));
        matches!(call.task(methods), Task::Compare(_))
    }

    #[test]
    fn only_searches_and_listed_methods_go_to_the_addon() {
        let none = Methods::default();
        assert!(reads(Route::SearchData, json!({}), &none));
        for route in [Route::CreateData, Route::UpdateData, Route::CreateUpdateData, Route::DeleteData] {
            assert!(!reads(route, json!({"method": "read"}), &none), "{route:?}");
        }
        let calls = |payload: Value, methods: &Methods| reads(Route::CallFunction, payload, methods);
        assert!(calls(json!({"method": "read"}), &none));
        assert!(!calls(json!({"method": "action_confirm"}), &none));
        assert!(!calls(json!({"method": "read", "then": [{"method": "process"}]}), &none));
        assert!(!calls(json!({"method": ["read"]}), &none));
        assert!(!calls(json!({}), &none));
        let named = Methods::and(vec!["get_stock".to_owned()]);
        assert!(calls(json!({"method": "get_stock"}), &named));
        assert!(!calls(json!({"method": "get_stock_and_write"}), &named));
    }
}
