//! A Postman collection, in its format 2.1. Postman imports the file; newman runs it without a window.

use serde_json::{Value, json};

use super::{Document, Folder, Parameter, Request, address, folders, key_header};
use crate::wire::headers::CALL_ID;

const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

/// The document's requests as a Postman collection.
pub fn postman(document: &Document) -> Value {
    let document = document.as_json();
    json!({
        "info": {
            "name": document["info"]["title"],
            "description": document["info"]["description"],
            "version": document["info"]["version"],
            "schema": SCHEMA,
        },
        "auth": {"type": "apikey", "apikey": [
            {"key": "key", "value": key_header(document), "type": "string"},
            {"key": "value", "value": "{{key}}", "type": "string"},
            {"key": "in", "value": "header", "type": "string"},
        ]},
        "variable": [
            variable("url", address(document), "Where the gateway is."),
            variable("key", "", "A key of the gateway's, or an API key of Odoo's."),
            variable("call", "", "The id of the last call."),
        ],
        "item": folders(document).iter().map(folder).collect::<Vec<_>>(),
    })
}

fn variable(name: &str, value: &str, description: &str) -> Value {
    json!({"key": name, "value": value, "description": description, "type": "string"})
}

fn folder(folder: &Folder<'_>) -> Value {
    let requests: Vec<Value> = folder.requests.iter().map(item).collect();
    json!({"name": folder.name, "description": folder.description, "item": requests})
}

fn item(request: &Request<'_>) -> Value {
    let mut item = json!({"name": request.name, "request": asked(request), "response": []});
    if request.is_call {
        item["event"] = json!([{"listen": "test", "script": {"type": "text/javascript", "exec": [
            format!("pm.collectionVariables.set(\"call\", pm.response.headers.get({:?}));", CALL_ID.as_str()),
            "pm.test(\"the call was carried out\", () => {",
            "  const { result, error } = pm.response.json();",
            "  pm.expect(result?.is_success, result?.messages ?? error?.message).to.eql(true);",
            "});",
        ]}}]);
    }
    item
}

fn asked(request: &Request<'_>) -> Value {
    let segments = request.path.split('/').skip(1);
    let path: Vec<String> = segments.map(|segment| segment.replace('{', ":").replace('}', "")).collect();
    let mut asked = json!({
        "method": request.method,
        "header": request.headers.iter().map(header).collect::<Vec<_>>(),
        "url": {
            "raw": format!("{{{{url}}}}/{}", path.join("/")),
            "host": ["{{url}}"],
            "path": path,
            "variable": request.in_path.iter().map(in_path).collect::<Vec<_>>(),
        },
        "description": request.description,
    });
    if let Some(body) = &request.body {
        let language = if body.kind == "application/json" { "json" } else { "text" };
        asked["body"] = json!({"mode": "raw", "raw": body.text, "options": {"raw": {"language": language}}});
        if let Some(headers) = asked["header"].as_array_mut() {
            headers.insert(0, json!({"key": "Content-Type", "value": body.kind}));
        }
    }
    if request.is_open {
        asked["auth"] = json!({"type": "noauth"});
    }
    asked
}

fn header(parameter: &Parameter<'_>) -> Value {
    json!({
        "key": parameter.name,
        "value": parameter.example,
        "description": parameter.description,
        "disabled": !parameter.is_required,
    })
}

fn in_path(parameter: &Parameter<'_>) -> Value {
    json!({"key": parameter.name, "value": if parameter.name == "id" { "{{call}}" } else { parameter.example }, "description": parameter.description})
}
