//! Any text: the parser of Python literals neither panics nor hangs, and what it takes survives being written as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use odoo_gateway::literal;

fuzz_target!(|text: &str| {
    match literal::parse(text) {
        Ok(value) => {
            let json = value.to_string();
            assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON"), value);
        }
        Err(error) => assert!(error.at >= 1 && error.at <= text.chars().count() + 1),
    }
});
