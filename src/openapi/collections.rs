//! Collections of requests for Postman and Bruno, made of the OpenAPI document: one request for each example.
//!
//! What must stay true: everything in a collection comes from the document, so that it cannot ask for what the document does not
//! describe. Headers that are not required are there and switched off. The address, the key and the last call are variables.

mod bruno;
mod postman;
#[cfg(test)]
mod tests;

pub use bruno::{File, bruno};
pub use postman::postman;
use serde_json::Value;

use super::Document;

/// The address where a gateway listens that is not told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// The requests under one tag of the document.
struct Folder<'d> {
    name: &'d str,
    description: &'d str,
    requests: Vec<Request<'d>>,
}

struct Request<'d> {
    /// Fit for a file: the operation's id, and behind it the name of the example where there are several.
    id: String,
    name: String,
    description: &'d str,
    method: String,
    path: &'d str,
    /// Names in the path, in braces there.
    in_path: Vec<Parameter<'d>>,
    headers: Vec<Parameter<'d>>,
    body: Option<Body>,
    /// It answers `result.is_success`.
    is_call: bool,
    /// The operation needs no credential that the document knows, such as a hook with a signature.
    is_open: bool,
}

struct Parameter<'d> {
    name: &'d str,
    description: &'d str,
    example: &'d str,
    is_required: bool,
}

struct Body {
    kind: String,
    text: String,
}

/// The address that stands in the document, or the default one.
fn address(document: &Value) -> &str {
    let url = document["servers"][0]["url"].as_str().unwrap_or_default();
    if url.starts_with("http") { url } else { DEFAULT_URL }
}

/// The header in which a key is shown.
fn key_header(document: &Value) -> &str {
    document["components"]["securitySchemes"]["apiKey"]["name"].as_str().unwrap_or_default()
}

/// The requests by tag, in the order of the document.
fn folders(document: &Value) -> Vec<Folder<'_>> {
    let tags = document["tags"].as_array().into_iter().flatten();
    let mut folders: Vec<Folder<'_>> = tags
        .map(|tag| Folder { name: text(&tag["name"]), description: text(&tag["description"]), requests: Vec::new() })
        .collect();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten().filter(|(name, _)| *name != "parameters") {
            let tag = text(&operation["tags"][0]);
            if let Some(folder) = folders.iter_mut().find(|folder| folder.name == tag) {
                folder.requests.extend(requests(document, path, item, method, operation));
            }
        }
    }
    folders
}

/// A request for each example of an operation, or one where there is none.
fn requests<'d>(
    document: &'d Value,
    path: &'d str,
    item: &'d Value,
    method: &str,
    operation: &'d Value,
) -> Vec<Request<'d>> {
    let parameters = [&item["parameters"], &operation["parameters"]].into_iter().filter_map(Value::as_array).flatten();
    let parameters: Vec<&Value> = parameters.map(|parameter| resolved(document, parameter)).collect();
    let of_place = |place: &str| -> Vec<Parameter<'d>> {
        parameters
            .iter()
            .filter(|parameter| parameter["in"] == place)
            .map(|parameter| read_parameter(parameter))
            .collect()
    };
    let request = |body: Option<Body>, id: String, name: String| Request {
        id,
        name,
        description: text(&operation["description"]),
        method: method.to_uppercase(),
        path,
        in_path: of_place("path"),
        headers: of_place("header"),
        body,
        is_call: operation["responses"]["200"]["content"].is_object() && method == "post",
        is_open: operation["security"] == Value::Array(Vec::new()),
    };
    let (id, summary) = (text(&operation["operationId"]), text(&operation["summary"]));
    let content = operation["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
    let Some((kind, content)) = content else { return vec![request(None, id.to_owned(), summary.to_owned())] };
    let examples: Vec<_> = content["examples"].as_object().into_iter().flatten().collect();
    match examples.as_slice() {
        [] => vec![request(Some(body(kind, &content["example"])), id.to_owned(), summary.to_owned())],
        [(_, only)] => vec![request(Some(body(kind, &only["value"])), id.to_owned(), summary.to_owned())],
        several => several
            .iter()
            .map(|(name, example)| {
                let title = format!("{summary}: {}", text(&example["summary"]));
                request(Some(body(kind, &example["value"])), format!("{id}-{name}"), title)
            })
            .collect(),
    }
}

/// A body with this example, which need not be JSON.
fn body(kind: &str, example: &Value) -> Body {
    let text = match example {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => format!("{other:#}"),
    };
    Body { kind: kind.to_owned(), text }
}

fn read_parameter(parameter: &Value) -> Parameter<'_> {
    Parameter {
        name: text(&parameter["name"]),
        description: text(&parameter["description"]),
        example: text(&parameter["example"]),
        is_required: parameter["required"] == true,
    }
}

/// What a reference refers to.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target = value["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    target.unwrap_or(value)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
