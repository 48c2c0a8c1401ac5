//! The content of files: base64 text, for callers of every Odoo.
//!
//! Odoo 14-19 have it in `ir.attachment.datas`, and `raw` is the same as plain text there. Odoo 20 has no `datas`: what is
//! sent under it is dropped with success, and `raw` takes base64 (as its sources have it; none could be run). It reads
//! binary fields as `{"filename", "content", "size"}`, the content on demand. What to do is seen in the schema and in the
//! answers, never in the version: builds between 19 and 20 differ.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{Error, known::Seen};
use crate::odoo::{Caller, Kind, Rpc};

pub(super) const DATAS: &str = "datas";
const RAW: &str = "raw";
/// Asks Odoo 20 for the content of binary fields; others ignore it.
const WITH_CONTENT: &str = "include_binary_content";

/// The names that one file's content has in `ir.attachment`: a rule on one of them is meant for all.
pub(super) fn names_of(model: &str, field: &str) -> &'static [&'static str] {
    const NAMES: [&str; 3] = [DATAS, RAW, "db_datas"];
    if model == super::files::MODEL && NAMES.contains(&field) { &NAMES } else { &[] }
}

/// The name that Odoo has for a field: `raw` for a `datas` that is no more, in attachments and what inherits from them.
pub(super) fn name_in<'n>(seen: Seen<'_>, name: &'n str) -> &'n str {
    let is_gone = name == DATAS && seen.kind(DATAS).is_none() && seen.kind(RAW) == Some(&Kind::Binary);
    if is_gone { RAW } else { name }
}

/// A value of a binary field as it goes to Odoo: base64 without the line ends that mail programs put there, which Odoo 20
/// refuses. A `raw` beside a `datas` is text, whose line ends are its own.
pub(super) fn sent(seen: Seen<'_>, name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if !(name == RAW && seen.kind(DATAS).is_some()) && super::files::is_base64(text) => {
            json!(without_line_ends(text))
        }
        other => other.clone(),
    }
}

pub(super) fn without_line_ends(base64: &str) -> String {
    base64.chars().filter(|digit| !matches!(digit, '\r' | '\n')).collect()
}

/// The values of a record of `seen` with its content under the name that Odoo has for it.
///
/// # Errors
/// Both names stand there.
pub(super) fn renamed(seen: Seen<'_>, values: &mut Map<String, Value>, path: &str) -> Result<(), Error> {
    for (name, value) in &mut *values {
        if seen.kind(name_in(seen, name)) == Some(&Kind::Binary) {
            *value = sent(seen, name, value);
        }
    }
    if name_in(seen, DATAS) != DATAS
        && let Some(content) = values.shift_remove(DATAS)
        && values.insert(RAW.to_owned(), content).is_some()
    {
        return Err(given_twice(path));
    }
    Ok(())
}

pub(super) fn given_twice(path: &str) -> Error {
    let problem = "has the file's content twice: in this Odoo, `datas` and `raw` are the same".to_owned();
    Error::WrongKind { path: path.to_owned(), problem }
}

/// The call, with the content of binary fields in its answer.
pub(super) fn with_content(rpc: Rpc) -> Rpc {
    rpc.with_context(WITH_CONTENT, true)
}

/// A binary field's value in the form of Odoo 14-19. One without its content stays as it is.
pub(super) fn as_text(mut value: Value) -> Value {
    let content = value.as_object_mut().and_then(|file| file.shift_remove("content"));
    content.unwrap_or(value)
}

/// Whether this is how Odoo 20 gives a binary field's value.
fn is_file(value: &Value) -> bool {
    let is_part = |name: &String| matches!(name.as_str(), "filename" | "content" | "size");
    value.as_object().is_some_and(|file| file.contains_key("size") && file.keys().all(is_part))
}

/// Makes texts of the binary fields of records that were read without knowing which fields those are. Where Odoo has left
/// the contents out, they are read.
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
        let read = caller.call(&with_content(Rpc::read(model, open, json!(names)))).await?;
        let Value::Array(read) = read else { return Ok(()) };
        full = read.into_iter().filter_map(|row| Some((row["id"].as_i64()?, row))).collect();
    }
    for row in records.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let mut full = row.get("id").and_then(Value::as_i64).and_then(|id| full.remove(&id)).unwrap_or_default();
        for name in &names {
            if let Some(value) = row.get_mut(name) {
                let read = full.get_mut(name).map(Value::take);
                *value = as_text(read.unwrap_or_else(|| value.take()));
            }
        }
    }
    Ok(())
}
