//! The envelope around a call, and the id in it that is read without the rest.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::envelope(bytes));
