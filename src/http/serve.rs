//! Connections: listening, TLS, HTTP/1.1 and HTTP/2, and how fast a caller must send and take.
//!
//! It knows neither calls nor what is passed on: what stands behind a listener is a [`front::Front`]. Of http it imports
//! `request::origin` alone: whose connection it is.

pub(super) mod connection;
pub mod front;
pub mod server;
mod steady;
mod streams;
mod throughput;
pub mod tls;
