//! Cookies, a header a line, and the credentials beside them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::cookies(bytes));
