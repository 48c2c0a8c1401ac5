//! The filter of a listing, as a query: what is read is written and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::log_filter(bytes));
