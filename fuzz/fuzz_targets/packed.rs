//! A packed body, its coding as the head, and its content type behind a blank.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::packed(bytes));
