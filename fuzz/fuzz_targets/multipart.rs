//! A multipart form, its content type as the head, or with the boundary `B`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::multipart(bytes));
