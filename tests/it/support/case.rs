//! A conformance case: steps against the gateway and straight against Odoo, each with what is expected.
//!
//! The cases are data, proven on the addon inside a real Odoo; their form is described where they come from, and the
//! parts of it are named here as they are there.

use std::{collections::HashMap, path::Path};

use base64_bytes::zeroes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    client::{Answer, Client},
    gateway::Gateway,
    matcher::difference,
    odoo::Odoo,
    schemas::Exchange,
};

/// The cases of one file.
pub(crate) fn load(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs the steps; the first that does not hold is the error. What was asked and answered is added to `seen`.
pub(crate) async fn run(
    case: &Value,
    gateway: &Gateway,
    odoo: &Odoo,
    client: &Client,
    seen: &mut Vec<Exchange>,
) -> Result<(), String> {
    let mut names = HashMap::from([
        ("u".to_owned(), json!(&Uuid::new_v4().simple().to_string()[..10])),
        ("db".to_owned(), json!(odoo.database)),
        ("uid".to_owned(), json!(odoo.uid().await)),
    ]);
    for (number, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        let step = fill(step, &names);
        let in_step = |problem: String| format!("step {}: {problem}", number + 1);
        let got = take(&step, gateway, odoo, client, seen).await.map_err(in_step)?;
        if let Some(expected) = step.get("expect_gateway").or(step.get("expect")) {
            let expected = if step.get("http").is_some() { json!({"$subset": expected}) } else { expected.clone() };
            if let Some(difference) = difference(&expected, &got, "$") {
                return Err(in_step(format!("{difference}; the answer: {got}")));
            }
        }
        if got["messages"].as_str().unwrap_or_default().contains("Traceback") {
            return Err(in_step("a traceback reaches the caller".to_owned()));
        }
        save(step.get("save"), &got, &mut names);
    }
    Ok(())
}

async fn take(
    step: &Value,
    gateway: &Gateway,
    odoo: &Odoo,
    client: &Client,
    seen: &mut Vec<Exchange>,
) -> Result<Value, String> {
    if let Some([model, method, args, kwargs @ ..]) = step["odoo"].as_array().map(Vec::as_slice) {
        let kwargs = kwargs.first().cloned().unwrap_or_else(|| json!({}));
        return odoo.call(model.as_str().unwrap(), method.as_str().unwrap(), args.clone(), kwargs).await;
    }
    if let Some(route) = step["post"].as_str() {
        let body = json!({"jsonrpc": "2.0", "method": "call", "params": step["params"]});
        let mut answer = client.post(route, body.to_string()).await;
        seen.push(exchange("POST", &format!("/api/{route}"), body, &answer));
        return Ok(match answer.json.get_mut("result") {
            Some(result) => result.take(),
            None => json!({"http": answer.status, "answer": answer.json}),
        });
    }
    let request = &step["http"];
    let mut headers = HeaderMap::new();
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().unwrap();
        headers.insert(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
    }
    let body = request.get("json").map(Value::to_string).or(request["body"].as_str().map(str::to_owned));
    let nobody = Client::nobody(gateway);
    let client = if request["auth"] == json!(false) { &nobody } else { client };
    let method = request["method"].as_str().unwrap_or("POST");
    let path = request["path"].as_str().unwrap();
    let answer = client.send(method, path, headers, body).await;
    seen.push(exchange(method, path, request["json"].clone(), &answer));
    let headers =
        answer.headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap_or_default())));
    Ok(json!({"status": answer.status, "headers": Value::Object(headers.collect()), "json": answer.json}))
}

fn exchange(method: &str, path: &str, request: Value, answer: &Answer) -> Exchange {
    let Answer { status, json, .. } = answer;
    Exchange { method: method.to_owned(), path: path.to_owned(), status: *status, request, answer: json.clone() }
}

fn save(save: Option<&Value>, got: &Value, names: &mut HashMap<String, Value>) {
    match save {
        Some(Value::String(name)) => {
            names.insert(name.clone(), got.clone());
        }
        Some(Value::Object(saves)) => {
            for (name, path) in saves {
                let pointer = path.as_str().unwrap().replace(['[', '.'], "/").replace(']', "");
                let pointer = if pointer.starts_with('/') { pointer } else { format!("/{pointer}") };
                let value = got.pointer(&pointer).unwrap_or_else(|| panic!("nothing at {path} in {got}"));
                names.insert(name.clone(), value.clone());
            }
        }
        _ => {}
    }
}

/// Puts saved values in: a text that is one `${name}` alone becomes the value, with its type.
fn fill(value: &Value, names: &HashMap<String, Value>) -> Value {
    match value {
        Value::String(text) => fill_text(text, names),
        Value::Array(items) => items.iter().map(|item| fill(item, names)).collect(),
        Value::Object(entries) => {
            let fill_entry = |(key, value): (&String, &Value)| {
                let key = fill_text(key, names);
                (key.as_str().map_or_else(|| key.to_string(), str::to_owned), fill(value, names))
            };
            Value::Object(entries.iter().map(fill_entry).collect())
        }
        other => other.clone(),
    }
}

fn fill_text(text: &str, names: &HashMap<String, Value>) -> Value {
    if let Some((kind, n)) = text.strip_prefix('@').and_then(|text| text.split_once(':'))
        && let Ok(n) = n.parse::<usize>()
    {
        match kind {
            "lines" => {
                return (0..n).map(|i| json!({"name": format!("line {i} {}", names["u"].as_str().unwrap())})).collect();
            }
            "base64" => return json!(zeroes(n)),
            "deep" => return json!("[".repeat(n) + &"]".repeat(n)),
            _ => {}
        }
    }
    let mut filled = text.to_owned();
    for (name, value) in names {
        let place = format!("${{{name}}}");
        if text == place {
            return value.clone();
        }
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        filled = filled.replace(&place, &shown);
    }
    Value::String(filled)
}

mod base64_bytes {
    /// So many zero bytes in base64.
    pub(super) fn zeroes(n: usize) -> String {
        let rest = ["", "AA==", "AAA="][n % 3];
        "AAAA".repeat(n / 3) + rest
    }
}
