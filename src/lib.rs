//! A gateway in front of Odoo for external systems that push webhook-style JSON.
//!
//! The life of a call: `http` accepts it, `call` finds out who calls and what is asked, `plan` turns the payload into Odoo RPCs,
//! `execute` makes them through `odoo`, `log` keeps what happened, and `http::respond` answers. ARCHITECTURE.md has the layers
//! and the invariants. Public is only what the program, the benchmarks, the fuzz targets and the tests need, so that the
//! compiler sees dead code.

mod admin;
mod app;
mod call;
mod certificate;
pub mod cli;
mod config;
mod console;
mod control;
mod current;
mod deliver;
mod errors;
mod execute;
mod fetch;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod hook;
mod http;
mod key_texts;
mod limits;
pub mod literal;
mod log;
mod memory;
mod metrics;
mod monitor;
mod odoo;
mod openapi;
mod operations;
mod plan;
mod policy;
mod proxy;
mod route;
pub mod store;
mod telemetry;
mod web;
mod wire;

/// What `benches/log.rs` measures.
pub mod log_bench {
    pub use crate::{
        config::Config,
        log::{Arrived, Caller, Finished, Log, OdooCall, Received, State, Who},
        route::Route,
    };
}

/// What `benches/console` measures.
pub mod console_bench {
    pub use crate::{
        config::{Config, Log as LogConfig},
        log::{CallState, Filter, Log},
        operations::{
            calls::{Calls, Query},
            overview::{Window, overview},
        },
    };
}

/// What `tests/it/shared_locks.rs` tries without a gateway around it.
pub mod locks {
    pub use crate::odoo::{NotTaken, RecordKey, SharedLock, SharedLocks};
}
