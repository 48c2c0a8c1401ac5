//! What Odoo answers by JSON-2; the first byte is for the status.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::answer_json2(bytes));
