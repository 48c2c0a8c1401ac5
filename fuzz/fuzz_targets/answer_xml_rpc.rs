//! What Odoo answers by XML-RPC, and values of JSON that become XML.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| odoo_gateway::fuzzing::answer_xml_rpc(bytes));
