//! The index that is made of lines, written and read again. The input is the contents of lines, each to its newline.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::index_of_lines(bytes));
