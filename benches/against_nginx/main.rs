//! What is passed on: the gateway and nginx before the same upstream, in turn.
//!
//!     cargo bench --bench against_nginx                     all of it, some ten minutes
//!     cargo bench --bench against_nginx -- small 64         a part alone: small, bodies, tls, websockets; and of small
//!                                                           answers and TLS so many connections: 1, 64, 512
//!     cargo bench --bench against_nginx -- memory           what 100 MiB up and down take
//!
//! nginx is Debian's (`apt-get install nginx-light`), with as many workers as processors, connections to the upstream kept open,
//! and the headers that Odoo's own documents ask for. It streams requests (`proxy_request_buffering off`), as the gateway
//! does, since else it writes each to disk first; answers are buffered in memory alone (`proxy_max_temp_file_size 0`), which is
//! faster than not at all. "log" is nginx's access log as by default, one write for each request and no sync; the gateway's log
//! is durable, two lines for each request. "off" is `access_log off` and `[log] passed = false`.
//!
//! Callers and upstream are two threads of this process, the same for all, and share the machine with what is measured; "direct"
//! is without anything between them, "bare hyper" the smallest proxy of hyper's. `ODOO_GATEWAY_BENCH_ROUNDS` is how many rounds there are (5), and
//! `ODOO_GATEWAY_BENCH_SECONDS` how long each is (2). What is shown is the median of the rounds, of memory the highest.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

mod bare;
mod bodies;
#[path = "../figures.rs"]
mod figures;
mod peers;
mod small;
mod stub;
mod tls;
mod websockets;

use std::{env, time::Duration};

use self::{figures::Figures, peers::Peers};

/// What is measured, and how often and how long.
pub(crate) struct Run {
    words: Vec<String>,
    pub(crate) rounds: u64,
    pub(crate) length: Duration,
    pub(crate) figures: Figures,
}

impl Run {
    fn is_named(&self, word: &str) -> bool {
        self.words.iter().any(|named| named == word)
    }

    /// Whether a part is wanted: it is named, or none is.
    fn wants(&self, part: &str) -> bool {
        const PARTS: [&str; 5] = ["small", "bodies", "memory", "tls", "websockets"];
        self.is_named(part) || !PARTS.iter().any(|part| self.is_named(part))
    }

    /// Those numbers of connections that are named; all where none is.
    pub(crate) fn connections(&self, all: &[usize]) -> Vec<usize> {
        let named: Vec<usize> = all.iter().copied().filter(|one| self.is_named(&one.to_string())).collect();
        if named.is_empty() { all.to_vec() } else { named }
    }
}

fn main() {
    bare::serve_if_asked();
    // One crypto provider for every TLS connection.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut run = Run {
        words: env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect(),
        rounds: number("ODOO_GATEWAY_BENCH_ROUNDS").unwrap_or(5),
        length: Duration::from_secs_f64(number("ODOO_GATEWAY_BENCH_SECONDS").unwrap_or(2) as f64),
        figures: Figures::of("against_nginx"),
    };
    let peers = Peers::start(stub::start());
    println!("Rounds: {} of {:?}. {}", run.rounds, run.length, peers.versions());
    // Callers are one thread: what they would gain by a second one they would take from what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if run.wants("small") {
            small::measure(&mut run, &peers).await;
        }
        if run.wants("bodies") {
            bodies::measure(&mut run, &peers).await;
        }
        if run.wants("memory") {
            bodies::measure_memory(&mut run, &peers).await;
        }
        if run.wants("tls") {
            tls::measure(&mut run, &peers).await;
        }
        if run.wants("websockets") {
            websockets::measure(&mut run, &peers).await;
        }
    });
    run.figures.write();
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|number| number.parse().unwrap())
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
