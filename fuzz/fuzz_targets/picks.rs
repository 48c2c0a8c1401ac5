//! Any text as a field of `search_field`: neither panics nor hangs, and what is taken can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odoo_gateway::plan::picks::{self, Pick};
use serde_json::json;

fn written(pick: &Pick) -> String {
    if pick.within.is_empty() {
        return pick.name.clone();
    }
    let within: Vec<String> = pick.within.iter().map(written).collect();
    format!("{}{{{}}}", pick.name, within.join(","))
}

fuzz_target!(|text: &str| {
    if let Ok(picks) = picks::parse(&json!([text])) {
        let again: Vec<String> = picks.iter().map(written).collect();
        assert_eq!(picks::parse(&json!(again)).expect("what was taken once"), picks);
    }
});
