//! What is asked, as a hash: the same for bodies that differ in nothing but the order of keys and blanks.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Asked;

/// The SHA-256 of a call. Of a hook, what its sender sent counts, without its headers: another attempt has other ones, and another
/// template does not make another delivery.
pub(super) fn of(asked: Asked<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let hook = asked.incoming.hook.as_ref().map_or("", |to| to.hook.name());
    for text in
        [asked.incoming.route.name(), hook, asked.incoming.hook.as_ref().map_or(asked.model, |to| &to.hook.entry.model)]
    {
        feed_text(&mut hash, text);
    }
    match asked.sent() {
        Some(sent) => feed(&mut hash, sent),
        None => {
            hash.update(b"{");
            feed_members(&mut hash, asked.vals);
        }
    }
    hash.finalize().into()
}

/// A value with the keys of its objects in order, and everything else as it stands: `1` and `1.0` are two values.
pub(in crate::call) fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hash.update(b"n"),
        Value::Bool(true) => hash.update(b"t"),
        Value::Bool(false) => hash.update(b"f"),
        Value::Number(number) => {
            hash.update(b"#");
            feed_text(hash, &number.to_string());
        }
        Value::String(text) => {
            hash.update(b"\"");
            feed_text(hash, text);
        }
        Value::Array(items) => {
            hash.update(b"[");
            items.iter().for_each(|item| feed(hash, item));
            hash.update(b"]");
        }
        Value::Object(members) => {
            hash.update(b"{");
            feed_members(hash, members);
        }
    }
}

fn feed_members(hash: &mut Sha256, members: &serde_json::Map<String, Value>) {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    for (key, value) in sorted {
        feed_text(hash, key);
        feed(hash, value);
    }
    hash.update(b"}");
}

/// A text behind its length, so that no two sequences of texts are the same bytes.
fn feed_text(hash: &mut Sha256, text: &str) {
    hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
    hash.update(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(body: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        feed(&mut hash, &serde_json::from_str(body).unwrap());
        hash.finalize().into()
    }

    #[test]
    fn the_order_of_keys_does_not_count_and_everything_else_does() {
        let one = r#"{"a": 1, "b": {"x": [1, 2], "y": "t"}}"#;
        assert_eq!(digest(one), digest(r#"{ "b": {"y":"t", "x":[1,2]}, "a":1 }"#));
        for other in [
            r#"{"a": 1.0, "b": {"x": [1, 2], "y": "t"}}"#,
            r#"{"a": "1", "b": {"x": [1, 2], "y": "t"}}"#,
            r#"{"a": 1, "b": {"x": [2, 1], "y": "t"}}"#,
            r#"{"a": 1, "b": {"x": [[1], 2], "y": "t"}}"#,
            r#"{"a": 1, "b": {"x": [1, 2], "y": "t", "z": null}}"#,
            r#"{"a": 1, "b": {"x": [1, 2], "yt": ""}}"#,
        ] {
            assert_ne!(digest(one), digest(other), "{other}");
        }
    }
}
