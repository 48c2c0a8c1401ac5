//! Who has sent a request that came through proxies: a header a line.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::forwarded(bytes));
