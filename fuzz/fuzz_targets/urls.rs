//! A pattern of URLs as the head, and a URL that a payload, a callback or a template names.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::urls(bytes));
