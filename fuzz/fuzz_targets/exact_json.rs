//! The body of a call as JSON: exact or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::exact_json(bytes));
