//! The gateway as its users meet it: the real program, in front of a real Odoo.
//!
//! `tests/odoo/up` brings that Odoo up for this run, on a database of its own, and takes it down when the run ends.
//! Nothing is skipped where there is none: the tests fail and say what is missing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod abuse;
mod accepted;
mod bad_input;
mod batching;
mod browser;
mod calls;
mod changes;
mod checked;
mod cli;
mod clients;
mod cluster;
mod collections;
mod conformance;
mod console;
mod credentials;
mod documents;
mod errors;
mod exactly_once;
mod fairness;
mod fetched;
mod files;
mod front;
mod hooks;
mod http2;
mod idempotency;
mod identity;
mod interface_log;
mod joined;
mod kill;
mod languages;
mod lines;
mod literal_eval;
mod log_commands;
mod log_files;
mod log_keeping;
mod log_place;
mod lookup_cache;
mod lookups;
mod many;
mod marker;
mod named_values;
mod not_written;
mod openapi;
mod operations;
mod outage;
mod outcomes;
mod passing;
mod payloads;
mod policy;
mod queue;
mod queue_commands;
mod races;
mod recipes;
mod recorded;
mod redaction;
mod reload;
mod restart;
mod routes;
mod schemathesis;
mod senders;
mod sessions;
mod settle;
mod shared_locks;
mod store;
mod support;
mod tls;
mod undo;
mod upstream;
mod values;
mod writes;
