//! A text in which keys are masked.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::masked_keys(bytes));
