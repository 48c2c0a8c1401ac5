//! A path: as Odoo reads it, and where it leads.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::path(bytes));
