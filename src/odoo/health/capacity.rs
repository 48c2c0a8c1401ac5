//! How many requests Odoo answers at a time: one per worker. Odoo does not tell the number of its workers.
//!
//! It is measured by keeping connections open, one more each time, and checking whether Odoo still answers beside them. The
//! threaded server, and a proxy in front of Odoo, accept any number. Only the command `check` does this, since it blocks other
//! callers for a moment.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

use super::Health;
use crate::odoo::{
    protocol::release::Release,
    transport::{RequestOptions, concurrency_limit::RequestClass, origin::Origin},
};

/// Odoo tells its version within milliseconds if a worker is free.
const ANSWER_TIME: Duration = Duration::from_millis(750);
/// The maximum number of connections that are kept open.
const MAX_CONNECTIONS: u16 = 64;

/// How many requests Odoo answers at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// At least as many as were asked about.
    Enough,
    Fewer(u16),
    /// Odoo answers too slowly to be measured, or only by TLS.
    NotMeasured,
}

impl Health {
    /// Whether Odoo answers this number of requests at a time.
    pub(in crate::odoo) async fn capacity(&self, wanted: u16) -> Capacity {
        self.measure(wanted).await.unwrap_or(Capacity::NotMeasured)
    }

    async fn measure(&self, wanted: u16) -> Option<Capacity> {
        let endpoint = &self.endpoint;
        let address = endpoint.transport.plain_address()?;
        let answers = async |within: Duration| {
            let options = RequestOptions {
                class: RequestClass::Probe,
                until: Instant::now() + within,
                origin: Origin::default(),
                work: None,
            };
            Release::ask(&endpoint.transport, endpoint.choice, &endpoint.database, options).await.is_ok()
        };
        if !answers(ANSWER_TIME / 3).await {
            return None;
        }
        let mut held = Vec::new();
        for others in 1..wanted.min(MAX_CONNECTIONS) {
            let mut connection = TcpStream::connect(&address).await.ok()?;
            // The beginning of a request: the worker that accepts the connection waits for the rest.
            connection.write_all(b"POST /web/webclient/version_info HTTP/1.1\r\nHost: odoo\r\n").await.ok()?;
            held.push(connection);
            if !answers(ANSWER_TIME).await {
                return Some(Capacity::Fewer(others));
            }
        }
        Some(Capacity::Enough)
    }
}
