//! The content of files in answers: base64 text, for callers of every Odoo.
//!
//! Odoo 20 reads binary fields as `{"filename", "content", "size"}`, the content on demand. See `plan/attachment.rs`.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    odoo::{Caller, Kind, Rpc},
    plan::{Error, rows},
};

/// The context key by which Odoo 20 gives the content of binary fields; other versions ignore it.
const WITH_CONTENT: &str = "include_binary_content";

/// The RPC, changed so that its answer holds the content of binary fields.
pub(super) fn with_content(rpc: Rpc) -> Rpc {
    rpc.with_context(WITH_CONTENT, true)
}

/// A binary field's value in the form of Odoo 14-19. A value without its content stays as it is.
pub(super) fn as_text(mut value: Value) -> Value {
    let content = value.as_object_mut().and_then(|file| file.shift_remove("content"));
    content.unwrap_or(value)
}

/// Whether the value has the form in which Odoo 20 gives a binary field.
fn is_file(value: &Value) -> bool {
    let is_part = |name: &String| matches!(name.as_str(), "filename" | "content" | "size");
    value.as_object().is_some_and(|file| file.contains_key("size") && file.keys().all(is_part))
}

/// Replaces the values of binary fields by their text, in records that were read without knowing which fields are
/// binary. Contents that Odoo has left out are read.
///
/// # Errors
/// The schema or the contents cannot be read.
pub(crate) async fn contents_as_text(caller: &Caller, model: &str, records: &mut Value) -> Result<(), Error> {
    let rows = records.as_array().map(Vec::as_slice).unwrap_or_default();
    let files = rows.iter().filter_map(Value::as_object).flatten().filter(|(_, value)| is_file(value));
    let mut names: Vec<String> = files.map(|(name, _)| name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Ok(());
    }
    let schema = caller.schema(model).await?;
    names.retain(|name| schema.field(name).is_some_and(|field| field.kind == Kind::Binary));
    let is_left_out = |row: &Value| names.iter().any(|name| is_file(&row[name]) && row[name].get("content").is_none());
    let open: Vec<i64> = rows.iter().filter(|row| is_left_out(row)).filter_map(|row| row["id"].as_i64()).collect();
    let mut full: HashMap<i64, Value> = HashMap::new();
    if !open.is_empty() {
        let rpc = with_content(Rpc::read(model, open, json!(names)));
        let read = rows::records(&rpc, caller.call(&rpc).await?)?;
        full = read.into_iter().filter_map(|row| Some((row["id"].as_i64()?, row))).collect();
    }
    for row in records.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let mut full = row.get("id").and_then(Value::as_i64).and_then(|id| full.remove(&id));
        for name in &names {
            if let Some(value) = row.get_mut(name) {
                let read = full.as_mut().and_then(|full| full.get_mut(name)).map(Value::take);
                *value = as_text(read.unwrap_or_else(|| value.take()));
            }
        }
    }
    Ok(())
}
