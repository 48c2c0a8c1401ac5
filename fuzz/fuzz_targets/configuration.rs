//! A configuration: it is read, or each mistake is told.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::configuration(bytes));
