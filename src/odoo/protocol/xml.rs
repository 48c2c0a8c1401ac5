//! Conversion between JSON and the values of XML-RPC, with the codec dxr.
//!
//! It handles what the codec or XML lacks: integers of 64 bits, characters that XML cannot express, and dates and bytes, which
//! become the texts that Odoo's other protocols give.

use base64::{Engine, engine::general_purpose::STANDARD};
use dxr::{FaultResponse, MethodCall, MethodResponse, Value as Xml};
use serde_json::{Map, Number, Value};

/// The number of characters of an unreadable answer that are shown.
const SHOWN: usize = 80;

pub(in crate::odoo) enum Answer {
    Result(Value),
    Fault { code: i32, text: String },
}

/// A method call as XML.
///
/// # Errors
/// What in it XML-RPC cannot express.
pub(in crate::odoo) fn call(method: &str, params: &[Value]) -> Result<String, &'static str> {
    let params = params.iter().map(to_xml).collect::<Result<_, _>>()?;
    let call = MethodCall { name: method.into(), params };
    // The codec's own errors may contain the whole document, and with it a secret.
    let body = call.to_xml().map_err(|_| "a value that cannot be written")?;
    Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}"))
}

/// The result or fault in an answer.
///
/// # Errors
/// Why it cannot be read.
pub(in crate::odoo) fn answer(body: &[u8]) -> Result<Answer, String> {
    // Python writes a carriage return as it is, and a parser of XML must read it as a line feed (XML 1.0, section 2.11).
    let text = String::from_utf8_lossy(body).replace('\r', "&#13;");
    if let Ok(response) = MethodResponse::from_xml(&text) {
        return from_xml(response.value).map(Answer::Result);
    }
    match FaultResponse::from_xml(&text) {
        Ok(response) => {
            let fault = response.fault;
            Ok(Answer::Fault { code: fault.code(), text: fault.string().to_owned() })
        }
        Err(_) => {
            let shown: String = text.chars().take(SHOWN).collect();
            Err(format!("it is no XML-RPC; it begins with {shown:?}"))
        }
    }
}

pub(in crate::odoo) fn to_xml(value: &Value) -> Result<Xml, &'static str> {
    Ok(match value {
        Value::Null => Xml::Nil,
        Value::Bool(value) => Xml::Boolean(*value),
        Value::Number(number) => number_to_xml(number)?,
        Value::String(text) => Xml::String(checked(text)?),
        Value::Array(items) => Xml::Array(items.iter().map(to_xml).collect::<Result<_, _>>()?),
        Value::Object(entries) => {
            let entry = |(name, value): (&String, &Value)| Ok((checked(name)?, to_xml(value)?));
            Xml::Struct(entries.iter().map(entry).collect::<Result<_, &'static str>>()?)
        }
    })
}

fn number_to_xml(number: &Number) -> Result<Xml, &'static str> {
    match (number.as_i64(), number.as_f64()) {
        // Python reads both forms; the narrow one is in the XML-RPC standard.
        (Some(long), _) => Ok(i32::try_from(long).map_or(Xml::Long(long), Xml::Integer)),
        (None, _) if number.is_u64() => Err("an integer of more than 64 bits"),
        (None, Some(double)) => Ok(Xml::Double(double)),
        (None, None) => Err("a number of that size"),
    }
}

/// XML 1.0 (section 2.2) has no way to write most control characters, and Odoo's parser refuses a document with one.
fn checked(text: &str) -> Result<String, &'static str> {
    let is_missing = |c: char| (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(is_missing) { Err("a control character") } else { Ok(text.to_owned()) }
}

fn from_xml(value: Xml) -> Result<Value, String> {
    Ok(match value {
        Xml::Integer(value) => value.into(),
        Xml::Long(value) => value.into(),
        Xml::Boolean(value) => value.into(),
        Xml::String(text) => text.into(),
        // NaN and infinity have no form in JSON.
        Xml::Double(value) => Number::from_f64(value).map_or(Value::Null, Value::Number),
        // As Odoo writes a datetime.
        Xml::DateTime(at) => format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        )
        .into(),
        Xml::Base64(bytes) => STANDARD.encode(bytes).into(),
        Xml::Struct(members) => {
            let member = |(name, value)| Ok((name, from_xml(value)?));
            Value::Object(members.into_iter().map(member).collect::<Result<Map<_, _>, String>>()?)
        }
        Xml::Array(items) => items.into_iter().map(from_xml).collect::<Result<_, _>>()?,
        Xml::Nil => Value::Null,
        other => return Err(format!("it holds a value of an unknown type: {other:?}")),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn response(value: &str) -> Result<Value, String> {
        let text = format!(
            "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>{value}</value>\n</param>\n</params>\n</methodResponse>\n"
        );
        answer(text.as_bytes()).map(|answer| match answer {
            Answer::Result(value) => value,
            Answer::Fault { code, text } => json!({"code": code, "text": text}),
        })
    }

    #[test]
    fn every_value_of_json_is_written() {
        let value = json!({"a": [null, true, 5, 5_000_000_000_i64, 0.5, " <&>\r\n é😀"], "b": {}});
        let xml = call("m", &[value]).unwrap();
        for part in [
            "<nil></nil>",
            "<boolean>1</boolean>",
            "<i4>5</i4>",
            "<i8>5000000000</i8>",
            "<double>0.5</double>",
            " &lt;&amp;&gt;&#13;\n é😀",
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }

    #[test]
    fn what_xml_has_no_form_for_is_refused() {
        assert_eq!(call("m", &[json!("a\u{1}b")]).unwrap_err(), "a control character");
        assert_eq!(call("m", &[json!({"a\u{0}": 1})]).unwrap_err(), "a control character");
        assert_eq!(call("m", &[json!(u64::MAX)]).unwrap_err(), "an integer of more than 64 bits");
    }

    #[test]
    fn values_are_read_as_the_other_doors_give_them() {
        assert_eq!(response("<array><data>\n</data></array>"), Ok(json!([])));
        assert_eq!(response("<string> a \n</string>"), Ok(json!(" a \n")));
        assert_eq!(response("untyped"), Ok(json!("untyped")));
        assert_eq!(response("<string>a\r\nb</string>"), Ok(json!("a\r\nb")));
        assert_eq!(
            response("<dateTime.iso8601>20260102T03:04:05</dateTime.iso8601>"),
            Ok(json!("2026-01-02 03:04:05"))
        );
        assert_eq!(response("<base64>\naGk=\n</base64>"), Ok(json!("aGk=")));
        assert_eq!(response("<double>nan</double>"), Ok(Value::Null));
        assert_eq!(
            response("<struct>\n<member>\n<name>a</name>\n<value><nil/></value></member>\n</struct>"),
            Ok(json!({"a": null}))
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            "(?s).{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                // The codec reads no name of blanks alone.
                prop::collection::btree_map("[a-z][a-z ]{0,5}", inner, 0..5)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_can_be_written_is_read_as_it_was(value in any_json()) {
            if let Ok(xml) = to_xml(&value) {
                let document = MethodResponse { value: xml }.to_xml().unwrap();
                let read = match answer(document.as_bytes()) {
                    Ok(Answer::Result(read)) => Some(read),
                    _ => None,
                };
                prop_assert_eq!(read, Some(value));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = answer(&bytes);
        }
    }

    #[test]
    fn what_is_no_xml_rpc_is_told_by_its_beginning_alone() {
        let page = format!("<html><h1>Sign in</h1>{}</html>", "x".repeat(10_000));
        let error = answer(page.as_bytes()).err().unwrap();
        assert!(error.contains("Sign in") && error.len() < 200, "{error}");
    }
}
