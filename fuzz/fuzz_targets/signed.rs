//! A request that is signed as a sender does it is taken, and no other: the same input as that of `signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::signed(bytes));
