//! JSON as a caller sent it, exactly or not at all.
//!
//! A key that stands twice in an object would lose one of its values, and a number that a 64-bit integer or float cannot
//! hold would arrive as another one. Both are refused with their place, instead of being mended in silence.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, value::RawValue};

/// Beyond this, a number that was written as an integer has been rounded.
const EXACT: f64 = 18_446_744_073_709_551_616.0;

/// Reads a whole body. The error says what is wrong, with line and column.
pub(super) fn read(body: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = Exact.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// The `id` of an object: a number or a text, else null. Everything else is checked and dropped as it is read.
pub(super) fn id_of(body: &[u8]) -> Result<Value, serde_json::Error> {
    struct Id;

    impl<'de> Visitor<'de> for Id {
        type Value = Value;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
            let mut id = Value::Null;
            while let Some(Key(key)) = entries.next_key()? {
                let raw: &RawValue = entries.next_value()?;
                if key == "id" {
                    id = match raw.get().as_bytes().first() {
                        Some(b'"' | b'-' | b'0'..=b'9') => serde_json::from_str(raw.get()).unwrap_or_default(),
                        _ => Value::Null,
                    };
                }
            }
            Ok(id)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let id = deserializer.deserialize_map(Id)?;
    deserializer.end()?;
    Ok(id)
}

struct Exact;

impl<'de> DeserializeSeed<'de> for Exact {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Exact {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        match Number::from_f64(value) {
            Some(number) if value.abs() < EXACT => Ok(Value::Number(number)),
            _ => Err(E::custom("number too large to be exact")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Exact)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(Key(key)) = entries.next_key()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key `{key}` stands twice in one object")));
            }
            let value = entries.next_value_seed(Exact)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_refused(body: &str, expected: &str) {
        let refusal = read(body.as_bytes()).unwrap_err().to_string();
        assert!(refusal.starts_with(expected) && refusal.contains(" at line 1 column "), "{body}: {refusal}");
    }

    #[test]
    fn what_json_can_say_exactly_is_kept_exactly() {
        let body = r#"{"b": [9007199254740993, -9223372036854775808, 18446744073709551615], "a": 0.1, "c": "\ud83d\ude00\u0000"}"#;
        let value = read(body.as_bytes()).unwrap();
        assert_eq!(value["b"], json!([9_007_199_254_740_993_i64, i64::MIN, u64::MAX]));
        assert_eq!(value["c"], "😀\0");
        assert_eq!(
            value.to_string(),
            r#"{"b":[9007199254740993,-9223372036854775808,18446744073709551615],"a":0.1,"c":"😀\u0000"}"#
        );
    }

    #[test]
    fn a_float_is_written_as_it_was_read() {
        for float in
            ["0.1", "123456789.12345679", "2.2250738585072014e-308", "1.7976931348623157e18", "-0.30000000000000004"]
        {
            let value = read(float.as_bytes()).unwrap();
            assert_eq!(value.as_f64(), float.parse().ok(), "{float}");
            assert_eq!(value.to_string().parse::<f64>().ok(), float.parse().ok(), "{float}");
        }
    }

    #[test]
    fn what_would_be_lost_or_changed_is_refused_with_its_place() {
        check_refused(r#"{"a": 1, "a": 2}"#, "the key `a` stands twice in one object");
        check_refused("[123456789012345678901234567890]", "number too large to be exact");
        check_refused(&format!("[1{}]", "0".repeat(400)), "number out of range");
        check_refused("[1e400]", "number out of range");
        check_refused("[NaN]", "expected value");
        check_refused("[-Infinity]", "invalid number");
        check_refused(r#"["\ud800"]"#, "unexpected end of hex escape");
        check_refused("[1] 2", "trailing characters");
        check_refused("\"\u{1}\"", "control character (\\u0000-\\u001F) found while parsing a string");
    }
}
