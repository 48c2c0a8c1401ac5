//! A list of fields, a line each: what is taken can be written and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::field_list(bytes));
