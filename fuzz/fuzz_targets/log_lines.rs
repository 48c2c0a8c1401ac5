//! The lines of a segment that a crash may have torn or a disk damaged.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::log_lines(bytes));
