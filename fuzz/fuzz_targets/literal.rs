//! A Python literal: what is read survives being written as JSON, and weighs no more than was thought before.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::literal(bytes));
