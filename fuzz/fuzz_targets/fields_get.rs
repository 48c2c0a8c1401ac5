//! What Odoo says of a model's fields.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::fields_get(bytes));
