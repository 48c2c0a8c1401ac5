//! What signs a request, by each scheme: the first byte chooses, the head has headers, one a line, the target on the first.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::signature(bytes));
