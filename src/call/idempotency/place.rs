//! The places that a key may stand in: a header, or a value of the body.

use http::{HeaderMap, HeaderName};
use serde_json::Value;

use super::Asked;
use crate::call::Error;

/// draft-ietf-httpapi-idempotency-key-header, section 2.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Standard Webhooks 1.0.0, "Webhook headers".
pub const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");

/// The most characters of a key.
pub const LONGEST: usize = 255;

/// The key in a header; none where the request lacks it.
///
/// # Errors
/// The header stands twice, or what stands in it cannot be a key.
pub(super) fn in_header(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let invalid = |problem| Error::InvalidKey { place: format!("the header `{name}`"), problem };
    if values.next().is_some() {
        return Err(invalid("it stands twice"));
    }
    checked(value.as_bytes()).map(Some).map_err(invalid)
}

/// The key at a path of the body: `vals.payload.ref`, `lines.0.id` or `lines[0].id`. Of a hook, in what its sender sent. None where
/// nothing is there, or null.
///
/// # Errors
/// The value is neither a text nor an integer, or it cannot be a key.
pub(super) fn in_body(asked: Asked<'_>, path: &str) -> Result<Option<String>, Error> {
    let invalid = |problem| Error::InvalidKey { place: format!("`{path}` of the body"), problem };
    let found = match asked.sent() {
        Some(sent) => within(sent, path.split('.')),
        None => {
            let mut segments = path.strip_prefix("params.").unwrap_or(path).split('.');
            match segments.next() {
                Some("vals") => {
                    let name = segments.next().unwrap_or_default();
                    let (name, indexes) = name.split_once('[').map_or((name, ""), |(name, rest)| (name, rest));
                    let first = asked.vals.get(name);
                    first.and_then(|value| indexed(value, indexes)).and_then(|value| within(value, segments))
                }
                _ => None,
            }
        }
    };
    match found {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => checked(text.as_bytes()).map(Some).map_err(invalid),
        Some(Value::Number(number)) if !number.is_f64() => Ok(Some(number.to_string())),
        Some(_) => Err(invalid("it is neither a text nor an integer")),
    }
}

fn within<'v, 'p>(value: &'v Value, mut path: impl Iterator<Item = &'p str>) -> Option<&'v Value> {
    path.try_fold(value, |value, segment| {
        let (name, indexes) = segment.split_once('[').map_or((segment, ""), |(name, rest)| (name, rest));
        let inner = match value {
            Value::Array(list) => list.get(name.parse::<usize>().ok()?)?,
            value if name.is_empty() => value,
            value => value.get(name)?,
        };
        indexed(inner, indexes)
    })
}

/// `0][1]` behind a first bracket.
fn indexed<'v>(value: &'v Value, indexes: &str) -> Option<&'v Value> {
    if indexes.is_empty() {
        return Some(value);
    }
    let mut indexes = indexes.split('[').map(|index| index.strip_suffix(']')?.parse::<usize>().ok());
    indexes.try_fold(value, |value, index| value.get(index?))
}

/// A key that is one: 1 to 255 visible characters of ASCII.
fn checked(bytes: &[u8]) -> Result<String, &'static str> {
    match std::str::from_utf8(bytes) {
        Ok("") => Err("it is empty"),
        Ok(text) if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("it has other characters than the visible ones of ASCII")
        }
        Ok(text) if text.len() > LONGEST => Err("it is longer than 255 characters"),
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err("it has other characters than the visible ones of ASCII"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn header(values: &[&[u8]]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        }
        in_header(&headers, &IDEMPOTENCY_KEY).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_in_a_header_is_one_text_of_visible_ascii() {
        assert_eq!(header(&[]), Ok(None));
        assert_eq!(header(&[b"\"order-17\""]), Ok(Some("\"order-17\"".to_owned())));
        assert_eq!(header(&[&[b'x'; 255]]).unwrap().unwrap().len(), 255);
        for (values, problem) in [
            (&[&b""[..]][..], "is empty"),
            (&[&[b'x'; 256]], "longer than 255"),
            (&[b"a", b"a"], "stands twice"),
            (&[b"a b"], "visible ones of ASCII"),
            (&["schl\u{fc}ssel".as_bytes()], "visible ones of ASCII"),
            (&[b"\xff"], "visible ones of ASCII"),
        ] {
            let refusal = header(values).unwrap_err();
            assert!(refusal.contains(problem) && refusal.contains("`idempotency-key`"), "{refusal}");
        }
    }

    #[test]
    fn a_path_leads_through_objects_and_lists() {
        let body = json!({"order": {"id": "A-1", "lines": [{"id": 7}, [8]]}, "n": 1.5});
        let at = |path: &str| within(&body, path.split('.')).cloned();
        assert_eq!(at("order.id"), Some(json!("A-1")));
        assert_eq!(at("order.lines.0.id"), Some(json!(7)));
        assert_eq!(at("order.lines[0].id"), Some(json!(7)));
        assert_eq!(at("order.lines[1][0]"), Some(json!(8)));
        for nowhere in ["order.no", "order.lines.9", "order.lines[x]", "order.lines[0", "n.a", ""] {
            assert!(at(nowhere).is_none_or(|value| value.is_object()), "{nowhere}");
        }
    }
}
