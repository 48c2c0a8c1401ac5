//! The paths of hooks: what their senders send, and the statuses that they read.

use serde_json::{Map, Value, json};

use super::answers;
use crate::{
    config::{BodyForm, Hook},
    errors::{Code, Section},
    hook::presets::Preset,
    wire::{headers::CALL_ID, status::hook_status},
};

/// The paths of hooks.
pub(super) fn paths(hooks: &[Hook]) -> Map<String, Value> {
    hooks.iter().map(|hook| (hook.path.written(), item(hook))).collect()
}

fn item(hook: &Hook) -> Value {
    let methods = hook.methods.iter();
    let mut item: Map<String, Value> =
        methods.map(|method| (method.as_str().to_lowercase(), operation(hook, method.as_str()))).collect();
    if hook.path.has_token {
        item.insert(
            "parameters".to_owned(),
            json!([{
                "name": "token",
                "in": "path",
                "required": true,
                "description": "The secret of the sender.",
                "schema": {"type": "string"},
            }]),
        );
    }
    Value::Object(item)
}

fn operation(hook: &Hook, method: &str) -> Value {
    let name = hook.name();
    let mut operation = json!({
        "operationId": format!("hook_{}_{}", name.replace('/', "_"), method.to_lowercase()),
        "tags": ["hooks"],
        "summary": format!("Deliveries of `{name}`"),
        "description": format!(
            "A template makes calls of `{}` of what is sent, as the client `{}`. The sender is known by its signature or key.",
            hook.route.name(), hook.client
        ),
        "security": [],
        "responses": responses(),
    });
    if !matches!(method, "GET" | "HEAD" | "DELETE") {
        operation["requestBody"] = body(hook);
    }
    operation
}

/// What is sent, with the sample of the preset that has this name.
fn body(hook: &Hook) -> Value {
    let preset = Preset::named(hook.name());
    let kind = match (hook.body, preset.map(|preset| preset.is_json)) {
        (BodyForm::Json, _) | (BodyForm::Auto, Some(true)) => "application/json",
        (BodyForm::Form, _) => "application/x-www-form-urlencoded",
        (BodyForm::Multipart, _) => "multipart/form-data",
        (BodyForm::Xml, _) => "application/xml",
        (BodyForm::Csv, _) => "text/csv",
        (BodyForm::Ndjson, _) => "application/x-ndjson",
        (BodyForm::Text, _) => "text/plain",
        (BodyForm::Auto, _) => "*/*",
    };
    let mut content = json!({"schema": {}});
    if let Some(preset) = preset.filter(|preset| preset.is_json) {
        content["example"] = serde_json::from_str(preset.body).unwrap_or_default();
    }
    json!({"required": true, "content": {kind: content}})
}

fn responses() -> Value {
    use Section::{Credentials, Hooks, Odoo, Payload, Policy, Request, Upstream};
    let sections = [Request, Credentials, Policy, Hooks, Payload, Odoo, Upstream];
    let failures = answers::failures(&sections, |class, retry| hook_status(class, Some(retry)));
    let headers = answers::with_headers(&[CALL_ID]);
    let mut responses = Map::new();
    responses.insert(
        "2XX".to_owned(),
        json!({"description": "Taken, or taken before. A hook may answer what its sender expects.", "headers": headers}),
    );
    for (status, codes) in failures {
        let mut texts: Vec<&str> = codes.iter().map(|code: &Code| code.as_str()).collect();
        texts.dedup();
        let description = format!("Not taken: {}.", texts.join(", "));
        responses.insert(status.to_string(), json!({"description": description, "headers": headers}));
    }
    Value::Object(responses)
}
