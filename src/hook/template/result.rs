//! The result of a filter as JSON, and paths as jq writes them.

use jaq_json::{Num, Val};
use serde_json::Number;

use super::numbers::text_of;

/// The most characters of a path that are named.
const MAX_PATH: usize = 200;

/// The value as JSON.
///
/// # Errors
/// jaq has values that JSON lacks: NaN, infinity, keys that are no texts, and bytes.
pub(super) fn json(value: &Val) -> Result<String, String> {
    check(value, &mut Vec::new())?;
    Ok(value.to_string())
}

fn check(value: &Val, path: &mut Vec<Val>) -> Result<(), String> {
    let lacking = |path: &[Val], what: &str| Err(format!("{} is {what}, which JSON does not have", written(path)));
    match value {
        Val::Num(Num::Float(number)) if !number.is_finite() => lacking(path, "not a finite number"),
        Val::Num(Num::Dec(number)) if serde_json::from_str::<Number>(number).is_err() => {
            lacking(path, &format!("the number {number}"))
        }
        Val::BStr(_) => lacking(path, "bytes"),
        Val::TStr(text) if std::str::from_utf8(text).is_err() => lacking(path, "a text that is not UTF-8"),
        Val::Arr(items) => items.iter().enumerate().try_for_each(|(at, item)| {
            path.push(Val::from(at));
            check(item, path)?;
            path.pop();
            Ok(())
        }),
        Val::Obj(members) => members.iter().try_for_each(|(key, member)| {
            if text_of(key).is_none() {
                return lacking(path, "an object with a key that is not text");
            }
            path.push(key.clone());
            check(member, path)?;
            path.pop();
            Ok(())
        }),
        _ => Ok(()),
    }
}

/// The path as jq writes it: `.lines[0].sku`.
pub(super) fn written(path: &[Val]) -> String {
    let mut written = String::new();
    for key in path {
        let name = text_of(key).filter(|name| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            name.chars().all(is_plain) && name.starts_with(|first: char| !first.is_ascii_digit())
        });
        match name {
            Some(name) => written.extend([".", name]),
            None if written.is_empty() => written.push_str(&format!(".[{key}]")),
            None => written.push_str(&format!("[{key}]")),
        }
        if let Some((end, _)) = written.char_indices().nth(MAX_PATH) {
            written.truncate(end);
            written.push('…');
            return written;
        }
    }
    if written.is_empty() { ".".to_owned() } else { written }
}
