//! `[[client]]` entries: how long a start, a reload and a check take, and what a call costs of the client that stands last.

use std::{fmt::Write, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};

use super::{
    add,
    figures::Figures,
    folder, load,
    load::Requests,
    median, milliseconds,
    program::{self, Gateway, PASSWORD},
    sizes, stub,
};

const ENTRIES: [u64; 4] = [1, 100, 1_000, 10_000];
const ROUNDS: usize = 5;
const CONNECTIONS: usize = 16;
const WARM_UP: Duration = Duration::from_secs(1);
const LENGTH: Duration = Duration::from_secs(3);

pub(crate) async fn measure(figures: &mut Figures) {
    let stub = stub::start(0).await;
    for entries in sizes(&ENTRIES) {
        let folder = folder();
        let config = program::config(&stub.url, &clients(entries));
        let mut starts: Vec<Duration> = (0..ROUNDS).map(|_| Gateway::start(folder.path(), &config).took).collect();
        let gateway = Gateway::start(folder.path(), &config);
        starts.push(gateway.took);
        let reloads: Vec<Duration> = (0..ROUNDS).map(|_| gateway.reload()).collect();
        let (memory, peak) = gateway.memory();
        add(
            figures,
            "clients",
            "start and reload",
            entries,
            &[("start_ms", median(starts)), ("reload_ms", median(reloads)), ("memory_mib", memory), ("peak_mib", peak)],
        );

        let headers = format!("x-api-key: {}\r\n", key(entries - 1));
        for (what, more, body) in [
            ("search", "", load::search as fn(u32) -> String),
            ("create with an idempotency key", "Idempotency-Key: call-NUMBER\r\n", create as fn(u32) -> String),
        ] {
            let headers = format!("{headers}{more}");
            let route = if more.is_empty() { "/api/search_data" } else { "/api/create_data" };
            let requests: Requests = Arc::new(move |number| {
                load::post(route, &headers.replace("NUMBER", &number.to_string()), &body(number))
            });
            let mut streams = Vec::new();
            for _ in 0..CONNECTIONS {
                streams.push(load::connect(gateway.address).await);
            }
            let (_, streams) = load::call(&gateway, streams, WARM_UP, &requests).await;
            // Numbers begin anew, and a key that was used is answered from the store.
            let later: Requests = Arc::new(move |number| requests(number + 10_000_000));
            let (called, _) = load::call(&gateway, streams, LENGTH, &later).await;
            add(
                figures,
                "clients",
                what,
                entries,
                &[("calls_per_second", called.per_second), ("p50_ms", called.p50_ms), ("cpu_us", called.cpu_us)],
            );
        }
        drop(gateway);
        let checks: Vec<Duration> =
            (0..ROUNDS).map(|_| program::run(folder.path(), &["check", "--offline"]).took).collect();
        let listed = program::run(folder.path(), &["client", "list"]);
        add(
            figures,
            "clients",
            "check",
            entries,
            &[("ms", median(checks)), ("client_ls_ms", milliseconds(listed.took)), ("peak_mib", listed.peak_mib)],
        );
    }
}

fn create(number: u32) -> String {
    let payload = format!(r#"{{"name": "Customer {number}", "ref": "R{number}", "city": "Brussels"}}"#);
    load::body("res.partner", &payload)
}

fn key(number: u64) -> String {
    format!("gw_{number:064x}")
}

/// So many entries, each with a key and rules of its own.
fn clients(number: u64) -> String {
    let mut sections = String::new();
    for number in 0..number {
        let hash = const_hex::encode(Sha256::digest(key(number)));
        write!(
            sections,
            "[[client]]\nname = \"client-{number}\"\nkey_sha256 = \"{hash}\"\nodoo_login = \"webshop\"\n\
             odoo_password_env = \"{PASSWORD}\"\nmodels = {{ allow = [\"res.partner\", \"sale.order\"] }}\n\
             max_records = {{ write = 10 }}\n"
        )
        .unwrap();
    }
    sections
}
