//! Queued calls: how long a start takes with so many, to accept one more, to deliver one, and to list them.
//!
//! The gateway accepts one call; the others are copies of its row, each with an ordering key of its own, as calls without a search
//! key have it.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use sqlx::{Connection, SqliteConnection};

use super::{
    add,
    figures::Figures,
    folder, load,
    load::Requests,
    milliseconds,
    program::{self, Gateway, PASSWORD},
    sizes, stub,
};

const DEPTHS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
const KEY: &str = "gw_0000000000000000000000000000000000000000000000000000000000000000";
const KEY_SHA256: &str = "54cb4c72bd638a2ee43f1695f63109e11be9de9ebe2bac7b5aaca31c6312a12f";
const LENGTH: Duration = Duration::from_secs(3);
const POLLED: Duration = Duration::from_millis(10);
/// The queue is counted through in the background, at the latest after so long.
const SETTLED: Duration = Duration::from_secs(4);

const PAUSE: &str = "INSERT INTO pauses (client, why, since) VALUES ('bench', 'by hand', 0) ON CONFLICT DO NOTHING";
const QUEUED: &str = "SELECT COUNT(*) FROM calls WHERE state = 'queued'";
const RESUME: &str = "DELETE FROM pauses";
const COPY: &str = "WITH RECURSIVE numbers(n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < $2) \
    INSERT INTO calls (id, caller, client, digest, route, model, lane, state, request, attempts, unfinished, lease_until, accepted) \
    SELECT printf('%08x-0000-7000-8000-%012x', n, n), caller, client, digest, route, model, \
    printf('call %08x-0000-7000-8000-%012x', n, n), 'queued', request, 0, 0, 0, accepted FROM numbers, \
    (SELECT * FROM calls WHERE state = 'queued' AND request IS NOT NULL LIMIT 1)";
const LANES: &str = "INSERT INTO lanes (lane, client, depth, due) SELECT lane, client, 1, accepted FROM calls \
    WHERE state = 'queued' AND lane NOT IN (SELECT lane FROM lanes)";

pub(crate) async fn measure(figures: &mut Figures) {
    let stub = stub::start(0).await;
    let folder = folder();
    let sections = format!(
        "[delivery]\nrate = 100000\nqueue = 10000000\nqueue_per_client = 10000000\n\
         [[client]]\nname = \"bench\"\nkey_sha256 = \"{KEY_SHA256}\"\nodoo_login = \"webshop\"\nodoo_password_env = \"{PASSWORD}\"\n"
    );
    let config = program::config(&stub.url, &sections);
    let requests: Requests = Arc::new(|number| {
        let payload = format!(r#"{{"name": "Customer {number}", "ref": "R{number}", "city": "Brussels"}}"#);
        let headers = format!("x-api-key: {KEY}\r\nPrefer: respond-async\r\n");
        load::post("/api/create_data", &headers, &load::body("res.partner", &payload))
    });
    drop(Gateway::start(folder.path(), &config));
    let mut made = 0;
    for depth in sizes(&DEPTHS) {
        change(folder.path(), PAUSE).await;
        if made == 0 {
            let gateway = Gateway::start(folder.path(), &config);
            let _ = load::call(&gateway, vec![load::connect(gateway.address).await], Duration::ZERO, &requests).await;
        }
        fill(folder.path(), &mut made, depth).await;

        let gateway = Gateway::start(folder.path(), &config);
        let start = milliseconds(gateway.took);
        tokio::time::sleep(SETTLED).await;
        let (memory, _) = gateway.memory();
        let one = vec![load::connect(gateway.address).await];
        let (alone, _) = load::call(&gateway, one, LENGTH, &requests).await;
        let mut many = Vec::new();
        for _ in 0..16 {
            many.push(load::connect(gateway.address).await);
        }
        let (together, _) = load::call(&gateway, many, LENGTH, &requests).await;
        let list = program::run(folder.path(), &["queue", "ls"]);
        let blocked = program::run(folder.path(), &["queue", "ls", "--state", "dead"]);
        let stats = program::run(folder.path(), &["queue", "stats"]);
        add(figures, "queue", "start", depth, &[("ms", start), ("memory_mib", memory)]);
        add(
            figures,
            "queue",
            "accept",
            depth,
            &[("p50_ms", alone.p50_ms), ("calls_per_second_of_16", together.per_second), ("cpu_us", together.cpu_us)],
        );
        add(
            figures,
            "queue",
            "commands",
            depth,
            &[
                ("queue_ls_ms", milliseconds(list.took)),
                ("queue_ls_dead_ms", milliseconds(blocked.took)),
                ("queue_stats_ms", milliseconds(stats.took)),
                ("queue_ls_peak_mib", list.peak_mib),
            ],
        );

        let before = stub.asked.creates.load(Relaxed);
        change(folder.path(), RESUME).await;
        while stub.asked.creates.load(Relaxed) == before {
            tokio::time::sleep(POLLED).await;
        }
        let (cpu, began) = (gateway.cpu(), Instant::now());
        let before = queued(folder.path()).await;
        tokio::time::sleep(if depth < 10_000 { LENGTH / 6 } else { LENGTH }).await;
        let (cpu, took) = (gateway.cpu() - cpu, began.elapsed().as_secs_f64());
        let number = (before - queued(folder.path()).await) as f64;
        let (_, peak) = gateway.memory();
        let per_call = cpu.as_secs_f64() * 1e6 / number;
        add(
            figures,
            "queue",
            "deliver",
            depth,
            &[("calls_per_second", number / took), ("cpu_us", per_call), ("peak_mib", peak)],
        );
    }
}

async fn open(folder: &Path) -> SqliteConnection {
    let file = folder.join("delivery/store.sqlite");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::raw_sql("PRAGMA busy_timeout = 30000").execute(&mut connection).await.unwrap();
    connection
}

async fn change(folder: &Path, statement: &'static str) {
    sqlx::query(statement).execute(&mut open(folder).await).await.unwrap();
}

/// So many queued calls from now on.
async fn fill(folder: &Path, made: &mut i64, depth: u64) {
    let mut connection = open(folder).await;
    let queued: i64 = sqlx::query_scalar(QUEUED).fetch_one(&mut connection).await.unwrap();
    let more = i64::try_from(depth).unwrap() - queued;
    if more > 0 {
        let mut tx = connection.begin().await.unwrap();
        sqlx::query(COPY).bind(*made).bind(*made + more).execute(&mut *tx).await.unwrap();
        sqlx::query(LANES).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        *made += more;
    }
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.unwrap();
}

async fn queued(folder: &Path) -> i64 {
    sqlx::query_scalar(QUEUED).fetch_one(&mut open(folder).await).await.unwrap()
}
