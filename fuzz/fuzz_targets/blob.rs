//! Values that are too large for a line, put aside and put back; and the content of a blob.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::blob(bytes));
