//! How many calls Odoo works on at a time: as many as it has workers, which it tells nobody.
//!
//! Found out by keeping connections open, one more each time, and looking whether Odoo still answers beside them. A proxy
//! before Odoo, and the threaded server, take any number. For `check` alone, since it holds up other callers for a moment.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

use crate::odoo::{
    Odoo,
    protocol::release::Release,
    transport::{RequestOptions, concurrency_limit::RequestClass, origin::Origin},
};

/// Odoo tells its version within milliseconds, if anyone is there to tell it.
const PROMPT: Duration = Duration::from_millis(750);
/// No Odoo is held up by more connections than this.
const MOST: u16 = 64;

/// How many calls Odoo answers at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// As many as were asked about.
    Enough,
    Fewer(u16),
    /// It answers too slowly to tell, or not without TLS.
    NotMeasured,
}

impl Odoo {
    /// Whether Odoo answers so many calls at a time.
    pub async fn capacity(&self, wanted: u16) -> Capacity {
        self.measure(wanted).await.unwrap_or(Capacity::NotMeasured)
    }

    async fn measure(&self, wanted: u16) -> Option<Capacity> {
        let address = self.transport.plain_address()?;
        let tells_version = async |within: Duration| {
            let options = RequestOptions {
                class: RequestClass::Probe,
                until: Instant::now() + within,
                origin: Origin::default(),
            };
            Release::ask(&self.transport, self.protocol, &self.database, options).await.is_ok()
        };
        if !tells_version(PROMPT / 3).await {
            return None;
        }
        let mut held = Vec::new();
        for others in 1..wanted.min(MOST) {
            let mut connection = TcpStream::connect(&address).await.ok()?;
            // The beginning of a request: whoever took the connection now waits for its end.
            connection.write_all(b"POST /web/webclient/version_info HTTP/1.1\r\nHost: odoo\r\n").await.ok()?;
            held.push(connection);
            if !tells_version(PROMPT).await {
                return Some(Capacity::Fewer(others));
            }
        }
        Some(Capacity::Enough)
    }
}
