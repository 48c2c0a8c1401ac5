//! A form, its content type as the head.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::form(bytes));
