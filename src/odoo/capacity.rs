//! How many calls Odoo works on at a time: as many as it has workers, which it tells nobody.
//!
//! Found out by keeping connections open, one more each time, and looking whether Odoo still answers beside them. A proxy
//! before Odoo, and the threaded server, take any number. For `check` alone, since it holds up other callers for a moment.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

use super::{Odoo, gate::Claim, release::Release, transport::Terms};

/// Odoo tells its version within milliseconds, if anyone is there to tell it.
const PROMPT: Duration = Duration::from_millis(750);
/// No Odoo is held up by more connections than this.
const MOST: u16 = 64;

impl Odoo {
    /// How many calls Odoo answers at a time, if that is fewer than `wanted`. `None` if it is not, or cannot be found out.
    pub async fn answers_fewer_than(&self, wanted: u16) -> Option<u16> {
        let address = self.transport.plain_address()?;
        let mut held = Vec::new();
        for others in 1..wanted.min(MOST) {
            let mut connection = TcpStream::connect(&address).await.ok()?;
            // The beginning of a request: whoever took the connection now waits for its end.
            connection.write_all(b"POST /web/webclient/version_info HTTP/1.1\r\nHost: odoo\r\n").await.ok()?;
            held.push(connection);
            let terms = Terms { claim: Claim::Probe, until: Instant::now() + PROMPT };
            if Release::ask(&self.transport, self.protocol, terms).await.is_err() {
                return Some(others);
            }
        }
        None
    }
}
