//! What Odoo answers by the session protocol: the `Set-Cookie` of its session as the head.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::answer_session(bytes));
