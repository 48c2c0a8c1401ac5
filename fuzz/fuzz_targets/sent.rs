//! What a hook keeps and shows of a request: target and headers, one a line, as the head.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::sent(bytes));
