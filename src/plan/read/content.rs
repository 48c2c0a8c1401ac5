//! The content of files in a payload: base64 text, under the name that Odoo has for it; see `plan/attachment.rs`.

use serde_json::{Map, Value, json};

use super::base64;
use crate::{
    odoo::Kind,
    plan::{
        Error,
        attachment::{DATAS, RAW},
        schema_view::ModelView,
    },
};

/// Converts a value of a binary field to what goes to Odoo: base64 without line ends, which Odoo 20 refuses. A `raw`
/// beside a `datas` is plain text, and keeps its line ends.
pub(super) fn sent(view: ModelView<'_>, name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if !(name == RAW && view.kind(DATAS).is_some()) && base64::is_base64(text) => {
            json!(base64::without_line_ends(text))
        }
        other => other.clone(),
    }
}

/// Puts the content in a record's values under the name that Odoo has for it.
///
/// # Errors
/// The content is given under both names.
pub(super) fn renamed(view: ModelView<'_>, values: &mut Map<String, Value>, path: &str) -> Result<(), Error> {
    for (name, value) in &mut *values {
        if view.kind(view.stored_name(name)) == Some(&Kind::Binary) {
            *value = sent(view, name, value);
        }
    }
    if view.stored_name(DATAS) != DATAS
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
