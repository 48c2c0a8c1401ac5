//! What fuzz targets feed of values. What must hold: what Odoo takes in a field is taken again as it is, so that a value means the
//! same wherever it comes from, and a time is written as Odoo reads it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by panicking")]

use std::{collections::HashMap, sync::LazyLock};

use serde_json::{Value, json};

use super::{
    WrittenTime,
    domain::may_be_converted,
    value::{Use, converted, id, is_empty_key, lacks_name},
};
use crate::odoo::{Field, Schema};

const TYPES: [&str; 14] = [
    "boolean",
    "integer",
    "float",
    "monetary",
    "char",
    "text",
    "html",
    "date",
    "datetime",
    "selection",
    "reference",
    "binary",
    "json",
    "many2one_reference",
];

static FIELDS: LazyLock<Vec<(&'static str, Field)>> = LazyLock::new(|| {
    let described = |kind: &str| json!({"type": kind, "size": 8, "selection": [["draft", "Draft"], ["1", "One"], ["o1", "Same"], ["o2", "Same"]]});
    let field = |kind: &'static str| {
        let schema = Schema::new("m", HashMap::from([("f".to_owned(), described(kind))]));
        (kind, schema.field("f").unwrap().clone())
    };
    TYPES.into_iter().map(field).collect()
});

pub(crate) fn values(value: &Value) {
    for (kind, field) in &*FIELDS {
        for use_ in [Use::Write, Use::Compare] {
            match converted(field, value, use_, "vals.payload.f") {
                Ok(once) => {
                    let twice = converted(field, &once, use_, "f").expect("what was taken once");
                    assert_eq!(twice, once, "{kind}: {value}");
                    if let (Use::Write, "integer", Some(number)) = (use_, *kind, once.as_i64()) {
                        assert!(i32::try_from(number).is_ok(), "{value}");
                    }
                    if let (Use::Write, "datetime", Some(text)) = (use_, *kind, once.as_str()) {
                        assert_eq!(text.len(), 19, "{text}");
                        assert!(text.parse::<jiff::civil::DateTime>().is_ok(), "{text}");
                    }
                }
                Err(error) => assert!(error.to_string().contains("vals.payload.f"), "{error}"),
            }
        }
    }
    if let Some(id) = id(value) {
        assert!(id > 0 && i32::try_from(id).is_ok());
    }
    let _ = is_empty_key(value);
    if let Some(text) = value.as_str() {
        let _ = lacks_name(text);
        if let Some(moment) = WrittenTime::read(text).and_then(|time| time.moment()) {
            let again = WrittenTime::read(&moment.to_string()).and_then(|time| time.moment());
            assert!(
                again == Some(moment)
                    || !text.starts_with(|c: char| c.is_ascii_digit())
                    || moment.to_string().starts_with('-'),
                "{text}"
            );
        }
    }
}

pub(crate) fn domain(domain: &Value) {
    let _ = may_be_converted(domain);
}
