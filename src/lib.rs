//! A gateway in front of Odoo for external systems that push webhook-style JSON.
//!
//! The life of a call: [`http`] accepts it, [`call`] finds out who calls and what is asked, [`plan`] turns the payload
//! into Odoo RPCs, [`odoo`] makes them, [`log`] keeps what happened, and `http::respond` answers. ARCHITECTURE.md has
//! the map and the invariants.

pub mod admin;
pub mod app;
pub mod call;
pub mod cli;
pub mod config;
pub mod control;
pub mod current;
pub mod errors;
pub mod execute;
pub mod hook;
pub mod http;
pub mod key_texts;
pub mod limits;
pub mod literal;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod odoo;
pub mod operations;
pub mod plan;
pub mod policy;
pub mod proxy;
pub mod route;
pub mod wire;
