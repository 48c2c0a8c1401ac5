//! Any text as a field of `search_field`: neither panics nor hangs, and what is taken can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odoo_gateway::field_list::{self, ListedField};
use serde_json::json;

fn written(field: &ListedField) -> String {
    if field.within.is_empty() {
        return field.name.clone();
    }
    let within: Vec<String> = field.within.iter().map(written).collect();
    format!("{}{{{}}}", field.name, within.join(","))
}

fuzz_target!(|text: &str| {
    if let Ok(fields) = field_list::parse(&json!([text])) {
        let again: Vec<String> = fields.iter().map(written).collect();
        assert_eq!(field_list::parse(&json!(again)).expect("what was taken once"), fields);
    }
});
