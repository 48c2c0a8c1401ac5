//! What Odoo answers by JSON-RPC; the first byte is for the status.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::answer_json_rpc(bytes));
