//! Values of a payload by the types of their fields: JSON, or a text.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::values(bytes));
