//! What the fuzz targets feed: one function for each reader of bytes that others made.
//!
//! `fuzz/fuzz_targets` has a program for each function, and `cargo test` replays the corpus of each (`fuzz/corpus`). A function
//! panics where what must hold does not: the reader neither panics nor takes more than it may, what it takes can be written and
//! read again, and what it lets through is what another, simpler reading lets through too. Where a reader takes a head and a
//! body, the first byte 0 of the input stands between them.
//!
//! This module exists in tests and in the builds of `cargo fuzz` alone (`--cfg fuzzing`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by panicking")]

mod addresses;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

pub use self::addresses::{cookies, forwarded, masked_keys, path, traceparent, urls};
use crate::{
    call::fuzzing as call,
    config::{BodyForm, Config},
    hook::fuzzing as hook,
    literal as python,
    log::fuzzing as log,
    memory::{weigh as weight_of, weigh_literal},
    odoo::fuzzing as odoo,
    operations::filter::{filter_of, to_pairs},
    plan::{field_list as fields, fuzzing as plan},
    policy::Domain,
    proxy::fuzzing as proxy,
    web::form::Form,
};

/// A target: the name of its program and of its corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        /// All targets.
        pub const TARGETS: &[Target] = &[$((stringify!($name), $name)),*];
    };
}

targets! {
    answer_json2, answer_json_rpc, answer_session, answer_xml_rpc, blob, configuration, cookies, database_service, domain,
    envelope, exact_json, field_list, fields_get, form, forwarded, index_file, index_of_lines, json_lines, literal, log_filter,
    log_lines, masked_keys, multipart, packed, path, sealed_segment, sent, signature, signed, table, template, traceparent, urls,
    values, weigh, xml,
}

/// A head and a body.
fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = memchr::memchr(0, bytes);
    at.map_or((bytes, &[]), |at| (&bytes[..at], &bytes[at + 1..]))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The body of a call as JSON: exact or refused.
pub fn exact_json(bytes: &[u8]) {
    call::exact_json(bytes);
}

/// The envelope around a call, and the id in it that is read without the rest.
pub fn envelope(bytes: &[u8]) {
    call::envelope(bytes);
}

/// The weight of JSON before it is parsed, against what it is once it is parsed.
pub fn weigh(bytes: &[u8]) {
    /// Depth and number of values.
    fn measured(value: &Value) -> (usize, usize) {
        let inner: Vec<(usize, usize)> = match value {
            Value::Array(items) => items.iter().map(measured).collect(),
            Value::Object(members) => members.values().map(measured).collect(),
            _ => return (0, 1),
        };
        (
            1 + inner.iter().map(|(depth, _)| *depth).max().unwrap_or(0),
            1 + inner.iter().map(|(_, count)| *count).sum::<usize>(),
        )
    }

    let weight = weight_of(bytes);
    let _ = weight.in_call(bytes.len());
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let (depth, values) = measured(&value);
    // A key that stands twice is weighed twice, and a blank in an empty list is taken for a value.
    assert!(weight.depth >= depth && weight.values >= values, "{weight:?} of {depth} levels and {values} values");
    let plain = weight_of(value.to_string().as_bytes());
    assert_eq!((plain.depth, plain.values), (depth, values));
}

/// What Odoo answers by the session protocol: the `Set-Cookie` of its session as the head.
pub fn answer_session(bytes: &[u8]) {
    let (head, body) = halves(bytes);
    odoo::answer_session(head, body);
}

/// What Odoo answers by JSON-RPC; the first byte is for the status.
pub fn answer_json_rpc(bytes: &[u8]) {
    let Some((status, body)) = bytes.split_first() else { return };
    odoo::answer_json_rpc(*status, body);
}

/// What Odoo answers by JSON-2; the first byte is for the status.
pub fn answer_json2(bytes: &[u8]) {
    let Some((status, body)) = bytes.split_first() else { return };
    odoo::answer_json2(*status, body);
}

/// What Odoo answers by XML-RPC, and values of JSON that become XML.
pub fn answer_xml_rpc(bytes: &[u8]) {
    odoo::answer_xml_rpc(bytes);
}

/// What Odoo says of a model's fields.
pub fn fields_get(bytes: &[u8]) {
    odoo::fields_get(bytes);
}

/// The lines of a segment that a crash may have torn or a disk damaged.
pub fn log_lines(bytes: &[u8]) {
    log::lines(bytes);
}

/// A compressed segment.
pub fn sealed_segment(bytes: &[u8]) {
    log::sealed_segment(bytes);
}

/// The file of an index.
pub fn index_file(bytes: &[u8]) {
    log::index_file(bytes);
}

/// The index that is made of lines, written and read again. The input is the contents of lines, each to its newline.
pub fn index_of_lines(bytes: &[u8]) {
    log::index_of_lines(bytes);
}

/// Values that are too large for a line, put aside and put back; and the content of a blob.
pub fn blob(bytes: &[u8]) {
    log::blob(bytes);
}

/// What signs a request, by each scheme: the first byte chooses, the head has headers, one a line, the target on the first.
pub fn signature(bytes: &[u8]) {
    let Some((scheme, rest)) = bytes.split_first() else { return };
    let (head, body) = halves(rest);
    call::signature(*scheme, &text(head), body);
}

/// A request that is signed as a sender does it is taken, and no other: the same input as that of [`signature`].
pub fn signed(bytes: &[u8]) {
    let Some((scheme, rest)) = bytes.split_first() else { return };
    let (head, body) = halves(rest);
    call::signed(*scheme, &text(head), body);
}

/// A form, its content type as the head.
pub fn form(bytes: &[u8]) {
    let (head, body) = halves(bytes);
    let read = hook::body(BodyForm::Form, &text(head), "", body);
    // Without a charset it is UTF-8, and can be written again.
    if let (Some(Value::Object(fields)), true) = (read, head.is_empty()) {
        let mut again = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &fields {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                again.append_pair(name, value.as_str().unwrap());
            }
        }
        let again = hook::body(BodyForm::Form, "", "", again.finish().as_bytes());
        assert_eq!(again, Some(Value::Object(fields)));
    }
}

/// A multipart form, its content type as the head, or with the boundary `B`.
pub fn multipart(bytes: &[u8]) {
    let (head, body) = halves(bytes);
    let head = if head.is_empty() { "multipart/form-data; boundary=B".to_owned() } else { text(head) };
    if let Some(read) = hook::body(BodyForm::Multipart, &head, "", body) {
        assert!(read.is_object(), "{read}");
    }
}

/// XML, its content type as the head.
pub fn xml(bytes: &[u8]) {
    let (head, body) = halves(bytes);
    if let Some(read) = hook::body(BodyForm::Xml, &text(head), "", body) {
        assert_eq!(read.as_object().map(serde_json::Map::len), Some(1), "{read}");
    }
}

/// A table, its content type as the head.
pub fn table(bytes: &[u8]) {
    let (head, body) = halves(bytes);
    let Some(Value::Array(rows)) = hook::body(BodyForm::Csv, &text(head), "", body) else { return };
    let names = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    if let Some(first) = rows.first().map(names) {
        assert!(rows.iter().all(|row| names(row) == first));
    }
}

/// Lines of JSON.
pub fn json_lines(bytes: &[u8]) {
    if let Some(read) = hook::body(BodyForm::Ndjson, "", "", bytes) {
        let lines = std::str::from_utf8(bytes).map_or(usize::MAX, |text| text.lines().count());
        assert!(read.as_array().unwrap().len() <= lines);
    }
}

/// A packed body, its coding as the head, and its content type behind a blank.
pub fn packed(bytes: &[u8]) {
    let (head, body) = halves(bytes);
    let head = text(head);
    let (coding, content_type) = head.split_once(' ').unwrap_or((&head, ""));
    hook::body(BodyForm::Auto, content_type, coding, body);
}

/// Values of a payload by the types of their fields: JSON, or a text.
pub fn values(bytes: &[u8]) {
    plan::values(&serde_json::from_slice(bytes).unwrap_or_else(|_| json!(text(bytes))));
}

/// A domain, as JSON or as a Python literal.
pub fn domain(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let value = serde_json::from_str(text).ok().or_else(|| python::parse(text).ok());
    let Some(value) = value else { return };
    plan::domain(&value);
    let Ok(domain) = Domain::read(&value) else { return };
    let again = Domain::read(&domain.to_value()).expect("what was read once");
    assert_eq!(again, domain);
    assert!(domain.conditions().count() <= value.as_array().map_or(0, Vec::len));
    let both = domain.and(&domain);
    assert_eq!(Domain::read(&both.to_value()).expect("a conjunction"), both);
    let written = json!({"name": 1, "active": true});
    domain.keeps(written.as_object().unwrap());
}

/// A Python literal: what is read survives being written as JSON, and weighs no more than was thought before.
pub fn literal(bytes: &[u8]) {
    fn count(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
            Value::Object(members) => 1 + members.values().map(count).sum::<usize>(),
            _ => 1,
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let weight = weigh_literal(text);
    match python::parse(text) {
        Ok(value) => {
            let again: Value = serde_json::from_str(&value.to_string()).expect("JSON");
            assert_eq!(again, value);
            // A tuple needs no brackets.
            assert!(weight.values + 1 >= count(&value), "{weight:?} of {} values", count(&value));
        }
        Err(error) => assert!(error.at >= 1 && error.at <= text.chars().count() + 1, "{error}"),
    }
}

/// A list of fields, a line each: what is taken can be written and read again.
pub fn field_list(bytes: &[u8]) {
    fn written(field: &fields::ListedField) -> String {
        if field.within.is_empty() {
            return field.name.clone();
        }
        let within: Vec<String> = field.within.iter().map(written).collect();
        format!("{}{{{}}}", field.name, within.join(","))
    }
    let lines: Vec<String> = text(bytes).lines().map(str::to_owned).collect();
    if let Ok(read) = fields::parse(&json!(lines)) {
        let again: Vec<String> = read.iter().map(written).collect();
        assert_eq!(fields::parse(&json!(again)).expect("what was taken once"), read);
    }
}

/// A configuration: it is read, or each mistake is told.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(error) = Config::parse(text, std::path::Path::new("gateway.toml")) {
        assert!(!error.to_string().is_empty());
    }
}

/// What a hook keeps and shows of a request: target and headers, one a line, as the head.
pub fn sent(bytes: &[u8]) {
    let (head, body) = halves(bytes);
    hook::sent(&text(head), body);
}

/// What templates make of a body.
pub fn template(bytes: &[u8]) {
    hook::template(bytes);
}

/// The filter of a listing, as a query: what is read is written and read again.
pub fn log_filter(bytes: &[u8]) {
    let query = Form::parse(bytes);
    let Ok(filter) = filter_of(|name| query.given(name)) else { return };
    let pairs = to_pairs(&filter);
    let read = filter_of(|name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str()));
    let again = read.unwrap_or_else(|mistakes| panic!("{pairs:?}: {mistakes:?}"));
    assert_eq!(to_pairs(&again), pairs);
}

/// Whether a body that is passed on asks for Odoo's service of databases.
pub fn database_service(bytes: &[u8]) {
    proxy::database_service(bytes);
}
