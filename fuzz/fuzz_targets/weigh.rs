//! The weight of JSON before it is parsed, against what it is once it is parsed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::weigh(bytes));
