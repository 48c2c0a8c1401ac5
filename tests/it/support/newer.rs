//! Odoo 20 as its sources and notes have it, made of the real Odoo 19 and a proxy before it: `ir.attachment` has no `datas`,
//! `raw` takes strict base64, and binary fields are read as objects, whose content comes on demand.
//!
//! Where Odoo 20 would drop a `datas` with success, it is refused here, so that a test sees it.

use serde_json::{Value, json};

use super::fault::{Fault, exception};

const FILES: &str = "ir.attachment";
/// Binary fields, by the names that Odoo 20 has for them.
const BINARY: [&str; 2] = ["raw", "image_1920"];

/// What happens to each RPC of the session door.
pub(crate) fn odoo_20() -> Fault {
    Fault::Edit { ask, answer }
}

fn ask(request: &mut Value) -> Option<String> {
    let params = &mut request["params"];
    let invalid = |message: &str| Some(exception("builtins.ValueError", message));
    match params["method"].as_str().unwrap() {
        "create" | "write" | "web_save" => values(&mut params["args"]).and_then(invalid),
        "read" | "search_read" if params["model"] == FILES => {
            let fields = params["args"][1].as_array_mut().unwrap();
            if fields.contains(&json!("datas")) {
                return invalid("Invalid field 'datas' on 'ir.attachment'");
            }
            fields.iter_mut().filter(|field| **field == "raw").for_each(|field| *field = json!("datas"));
            None
        }
        _ => None,
    }
}

/// Gives the values the names that Odoo 19 has; or says what is wrong with them.
fn values(value: &mut Value) -> Option<&'static str> {
    match value {
        Value::Array(items) => items.iter_mut().find_map(values),
        Value::Object(entries) if entries.contains_key("datas") => Some("Invalid field 'datas' in 'ir.attachment'"),
        Value::Object(entries) => {
            let has_line_ends = |text: &Value| text.as_str().is_some_and(|text| text.contains(['\r', '\n']));
            if BINARY.iter().filter_map(|name| entries.get(*name)).any(has_line_ends) {
                return Some("Only base64 data is allowed");
            }
            if let Some(raw) = entries.shift_remove("raw") {
                entries.insert("datas".to_owned(), raw);
            }
            entries.values_mut().find_map(values)
        }
        _ => None,
    }
}

fn answer(request: &Value, answer: &mut Value) {
    let params = &request["params"];
    let result = &mut answer["result"];
    if params["method"] == "fields_get" && params["model"] == FILES {
        result.as_object_mut().unwrap().remove("datas");
    }
    let has_content = params["kwargs"]["context"]["include_binary_content"] == true;
    for row in result.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        if params["model"] == FILES
            && let Some(datas) = row.shift_remove("datas")
        {
            row.insert("raw".to_owned(), datas);
        }
        for name in BINARY {
            if let Some(value) = row.get_mut(name).filter(|value| value.is_string()) {
                let mut file = json!({"filename": "f", "size": 3});
                if has_content {
                    file["content"] = value.take();
                }
                *value = file;
            }
        }
    }
}
