//! The body of a request: a JSON-RPC envelope around `{"model", "vals"}`, or that object alone.

use serde_json::{Map, Value};

use super::json;
use crate::{
    call::Error,
    config::Limits,
    memory::{self, Weight},
    plan::kind_of,
    wire::BodyError,
};

/// What is asked, and of which model.
#[derive(Debug, PartialEq)]
pub struct Call {
    pub model: String,
    pub vals: Map<String, Value>,
}

/// A body, taken apart. The id is there even where the rest is of no use, so that the answer can carry it.
#[derive(Debug)]
pub struct Envelope {
    pub id: Value,
    pub call: Result<Call, Error>,
}

impl Envelope {
    /// The id alone, of a body that must not be parsed yet. Costs no memory, however large the body is.
    pub fn id_of(body: &[u8]) -> Result<Value, Error> {
        json::id_of(without_mark(body)).map_err(|error| Error::NotJson(error.to_string()))
    }

    /// A body that has no such envelope, as it is.
    pub fn foreign(body: &[u8]) -> Result<Value, Error> {
        json::read(body).map_err(|error| Error::NotJson(error.to_string()))
    }

    pub fn read(body: &[u8]) -> Self {
        match json::read(without_mark(body)) {
            Ok(Value::Object(mut body)) => Self { id: body.remove("id").unwrap_or_default(), call: call(body) },
            Ok(other) => Self { id: Value::Null, call: Err(Error::NotAnObject(kind_of(&other))) },
            Err(error) => Self { id: Value::Null, call: Err(Error::NotJson(error.to_string())) },
        }
    }
}

/// What a body will take once it is parsed. No parser has to bear what is nested without end, or has values without end.
///
/// # Errors
/// It is deeper, or has more values, than the limits allow.
pub(in crate::call) fn weigh(body: &[u8], limits: &Limits) -> Result<Weight, Error> {
    let weight = memory::weigh(body);
    let (deep, most) = (limits.json_depth.get(), limits.values.get());
    match weight {
        Weight { depth, .. } if depth > deep => Err(Error::TooDeep(deep)),
        Weight { values, .. } if values > most => Err(Error::TooManyValues { values, most }),
        weight => Ok(weight),
    }
}

/// Takes the memory for a domain that stands in a text, and is parsed as well.
///
/// # Errors
/// It has more values than the limit allows, or there is no room for it.
pub(in crate::call) fn take_domain(vals: &Map<String, Value>, limits: &Limits) -> Result<(), Error> {
    let domain = vals.get("payload").and_then(|payload| payload.get("search_domain")).and_then(Value::as_str);
    let Some(domain) = domain else { return Ok(()) };
    let (Weight { values, parsed, .. }, most) = (memory::weigh_literal(domain), limits.values.get());
    if values > most {
        return Err(Error::TooManyValues { values, most });
    }
    Ok(memory::take(parsed.saturating_mul(2)).map_err(BodyError::from)?)
}

/// Python's reader, which is what the addon's callers have met so far, takes a byte order mark.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// The parameters that are most often put beside `vals`, and where they belong. Without them a search reads a whole table, and a
/// dry run writes.
const MISPLACED: [(&str, &str); 13] = [
    ("payload", "vals"),
    ("search_key", "vals"),
    ("auto_create", "vals"),
    ("result_field", "vals"),
    ("strict", "vals"),
    ("dry_run", "vals"),
    ("batch", "vals"),
    ("search_field", "vals.payload"),
    ("search_domain", "vals.payload"),
    ("limit", "vals.payload"),
    ("offset", "vals.payload"),
    ("order", "vals.payload"),
    ("parameter", "vals.payload"),
];

fn check_beside(params: &Map<String, Value>, within: &str) -> Result<(), Error> {
    match MISPLACED.iter().find(|(name, _)| params.contains_key(*name)) {
        None => Ok(()),
        Some((name, home)) => Err(Error::Misplaced { name: format!("{within}{name}"), home }),
    }
}

fn call(mut body: Map<String, Value>) -> Result<Call, Error> {
    let (mut params, within) = match body.remove("params") {
        Some(Value::Object(params)) => (params, "params."),
        Some(other) => {
            return Err(Error::WrongKind { name: "params".to_owned(), due: "an object", kind: kind_of(&other) });
        }
        None => (body, ""),
    };
    let model = match params.remove("model") {
        Some(Value::String(model)) if !model.is_empty() => model,
        None | Some(Value::String(_)) => return Err(Error::Missing(format!("{within}model"))),
        Some(other) => {
            return Err(Error::WrongKind {
                name: format!("{within}model"),
                due: "a model's name",
                kind: kind_of(&other),
            });
        }
    };
    let vals = params.remove("vals");
    check_beside(&params, within)?;
    match vals {
        Some(Value::Object(mut vals)) => {
            // Odoo takes a context there for every route of its own (14-19), so the addon's calls run in it.
            if let Some(context) = params.remove("context") {
                vals.entry("context").or_insert(context);
            }
            Ok(Call { model, vals })
        }
        None => Err(Error::Missing(format!("{within}vals"))),
        Some(other) => Err(Error::WrongKind { name: format!("{within}vals"), due: "an object", kind: kind_of(&other) }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Envelope, Value};

    #[track_caller]
    fn check_refused(body: &str, expected: &str) {
        assert_eq!(Envelope::read(body.as_bytes()).call.unwrap_err().to_string(), expected);
    }

    #[test]
    fn the_envelope_may_be_left_out() {
        let with = Envelope::read(br#"{"jsonrpc": "2.0", "id": 7, "params": {"model": "m", "vals": {"a": 1}}}"#);
        let without = Envelope::read(b"\xef\xbb\xbf{\"model\": \"m\", \"vals\": {\"a\": 1}}");
        assert_eq!(with.id, json!(7));
        assert_eq!(without.id, Value::Null);
        assert_eq!(with.call.unwrap(), without.call.unwrap());
    }

    #[test]
    fn a_strangers_id_is_read_without_the_rest() {
        assert_eq!(Envelope::id_of(br#"{"params": {"a": [1, {"id": 3}]}, "id": "x-7"}"#).unwrap(), json!("x-7"));
        assert_eq!(Envelope::id_of(br#"{"id": [1, 2]}"#).unwrap(), Value::Null);
        assert_eq!(Envelope::id_of(b"{}").unwrap(), Value::Null);
        assert!(Envelope::id_of(b"{bad").is_err());
        assert!(Envelope::id_of(b"[]").is_err());
    }

    #[test]
    fn what_is_missing_or_of_the_wrong_kind_is_named() {
        check_refused(r#"{"params": {"model": "m"}}"#, "`params.vals` is missing");
        check_refused(r#"{"params": {"vals": {}}}"#, "`params.model` is missing");
        check_refused(r#"{"vals": {}}"#, "`model` is missing");
        check_refused(r#"{"params": []}"#, "`params` must be an object, not a list");
        check_refused(r#"{"model": "m", "vals": "x"}"#, "`vals` must be an object, not a text");
        check_refused(r#"{"model": 1, "vals": {}}"#, "`model` must be a model's name, not a number");
    }

    #[test]
    fn what_stands_beside_vals_is_told_where_it_belongs_and_a_context_there_is_taken() {
        check_refused(
            r#"{"params": {"model": "m", "vals": {"payload": {}}, "dry_run": true}}"#,
            "`params.dry_run` stands beside `vals`, where nothing reads it: it belongs in `vals`",
        );
        check_refused(
            r#"{"model": "m", "limit": 2}"#,
            "`limit` stands beside `vals`, where nothing reads it: it belongs in `vals.payload`",
        );
        let call = Envelope::read(br#"{"model": "m", "vals": {"a": 1}, "context": {"lang": "fr_FR"}}"#).call.unwrap();
        assert_eq!(call.vals["context"], json!({"lang": "fr_FR"}));
    }

    #[test]
    fn what_is_no_json_object_is_refused_with_the_place() {
        check_refused("{bad", "the body is no JSON: key must be a string at line 1 column 2");
        check_refused("[]", "the body must be a JSON object, not a list");
        check_refused("", "the body is no JSON: EOF while parsing a value at line 1 column 0");
        check_refused(r#"{"model": NaN}"#, "the body is no JSON: expected value at line 1 column 11");
    }

    #[test]
    fn a_body_nested_without_end_is_refused() {
        let deep = "[".repeat(100_000);
        assert!(Envelope::read(deep.as_bytes()).call.unwrap_err().to_string().contains("recursion limit"));
    }
}
