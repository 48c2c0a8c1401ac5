//! Whether a body that is passed on asks for Odoo's service of databases.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::database_service(bytes));
