//! A domain, as JSON or as a Python literal.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::domain(bytes));
