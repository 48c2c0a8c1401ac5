//! The content of files in a payload: base64 text, under the name that Odoo has for it; see `plan/attachment.rs`.

use serde_json::{Map, Value, json};

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
        Value::String(text) if !(name == RAW && view.kind(DATAS).is_some()) && is_base64(text) => {
            json!(without_line_ends(text))
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

/// Whether a text is base64 with padding (RFC 4648, section 4). Line ends within it are accepted, since mail programs
/// insert them.
pub(super) fn is_base64(text: &str) -> bool {
    let mut digits = 0_usize;
    let mut padding = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'\n' | b'\r' => {}
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            _ => return false,
        }
    }
    padding <= 2 && (digits + padding).is_multiple_of(4) && (digits > 0 || padding == 0)
}

/// Removes the line ends that mail programs insert, which Odoo 20 refuses.
pub(super) fn without_line_ends(base64: &str) -> String {
    base64.chars().filter(|digit| !matches!(digit, '\r' | '\n')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_told_from_what_is_none() {
        for good in ["", "SGVsbG8=", "SGVsbG8gV29ybGQ=", "AAAA", "QQ==", "AAAA\r\nAAAA\n"] {
            assert!(is_base64(good), "{good:?}");
        }
        for bad in ["!!!", "QQ=", "QQ", "Q===", "=", "====", "QQ==QQ==", "AA-_", "AAA A", "data:text/plain;base64,QQ=="]
        {
            assert!(!is_base64(bad), "{bad:?}");
        }
    }
}
