//! The gateway against what it replaces and against what it stands on: the addon inside Odoo, the gateway before the same
//! Odoo, and bare RPC to it by a client that knows all ids. One Odoo 19 (prefork, 3 workers), one run, the same payloads, the
//! peers in turn in every round.
//!
//!     cargo bench --bench against_odoo                     all of it, about 45 minutes
//!     cargo bench --bench against_odoo -- create search    parts: create, order, upsert, search, method (the table of works),
//!                                                          lists (a list of 1,000 and of 10,000 payloads in one request
//!                                                          beside Odoo's own create of the same),
//!                                                          bulk (Odoo's own bulk create beside 64 creating clients),
//!                                                          lines (what a line more costs), added (what the gateway adds),
//!                                                          races (calls at the same moment for one record: counts)
//!
//! ODOO_GATEWAY_BENCH_ROUNDS (5) and ODOO_GATEWAY_BENCH_SECONDS (3) say how many rounds of each peer and how long, and
//! ODOO_GATEWAY_BENCH_CLIENTS (1,16,64) how many clients (of orders no more than 16); ODOO_GATEWAY_BENCH_LISTS (1000,10000) how
//! long the lists, whose rounds are three at most. The lines of an order name
//! ODOO_GATEWAY_BENCH_PRODUCTS (1) products, each of which is a lookup; there are two more. ODOO_GATEWAY_BENCH_UPSTREAM is put
//! at the end of the gateway's `[upstream]` section.
//!
//! A client calls again as soon as it is answered. Clients of the gateway keep their connections; Odoo closes each one, so that
//! its clients open a new one for each call, within the time that is measured. A session is one login for all clients. Every
//! answer is checked, and at the end the records in Odoo are held against the answers: what does not agree fails the run.
//! Nothing else should run on the machine: what is compared is measured in the same minute, but all of it on the same cores.
//! ODOO_GATEWAY_BENCH_PATIENCE (0) is how many seconds may be spent on waiting for others to finish, and on rounds that are
//! made again because others disturbed them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

mod added;
mod client;
#[path = "../figures.rs"]
mod figures;
mod lines;
mod lists;
mod load;
mod machine;
mod races;
mod report;
mod request;
mod servers;
mod works;
mod world;

use std::{
    cell,
    collections::{BTreeMap, HashMap},
    env,
    path::Path,
    str::FromStr,
    time::Duration,
};

use client::Way;
use figures::Figures;
use load::Bench;
use machine::Machine;
use report::{Cell, goals, print_goals};
use request::{Credential, Peer};
use servers::{Gateway, Odoo};
use works::{BULK, Work};
use world::World;

const ORDER_LINES: usize = 50;
const WORKS: [(&str, Work); 5] = [
    ("create", Work::Create),
    ("order", Work::Order(ORDER_LINES)),
    ("upsert", Work::Upsert),
    ("search", Work::Search),
    ("method", Work::Method),
];
const OTHER_PARTS: [&str; 5] = ["bulk", "lists", "lines", "added", "races"];
/// Before each round that counts, and seen by all of Odoo's workers: the peer before has left their caches as it needs them
/// (the addon clears them all).
const SETTLE: Duration = Duration::from_millis(200);
const SETTLING_CLIENTS: usize = 6;
const BULK_CLIENTS: usize = 16;
/// A list of 10,000 takes most of a minute.
const LIST_ROUNDS: usize = 3;
const MEMORY: &str = "/dev/shm";

/// On one thread: the other core is for what is measured.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let parts: Vec<&str> = WORKS.iter().map(|(name, _)| *name).chain(OTHER_PARTS).collect();
    let unknown = wanted.iter().find(|name| !parts.contains(&name.as_str()));
    assert!(unknown.is_none(), "{unknown:?} is no part: {parts:?}");
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let rounds: usize = setting("ROUNDS", "5");
    let upstream: String = setting("UPSTREAM", "");

    let odoo = Odoo::up();
    let durable = Gateway::start(&odoo, Path::new(env!("CARGO_TARGET_TMPDIR")), &upstream);
    let in_memory = Gateway::start(&odoo, Path::new(MEMORY), &upstream);
    let bench = prepare(&odoo, &durable, &in_memory).await;
    println!("{rounds} rounds of each; what follows [upstream]: {upstream:?}");

    let span = bench.machine.span();
    let cells = works(&bench, rounds, is_wanted).await;
    let mut goals = goals(&cells, BULK);
    let mut figures = Figures::of("against_odoo");
    cells.iter().for_each(|cell| cell.note(BULK, &mut figures));
    if is_wanted("lists") {
        let sizes: String = setting("LISTS", "1000,10000");
        let sizes: Vec<usize> = sizes.split(',').map(|number| number.parse().unwrap()).collect();
        goals.extend(lists::lists(&bench, &durable, &sizes, rounds.min(LIST_ROUNDS), &mut figures).await);
    }
    if is_wanted("added") {
        goals.extend(added::added(&bench, rounds, &mut figures).await);
    }
    if is_wanted("lines") {
        goals.push(lines::lines(&bench, rounds, &mut figures).await);
    }
    if is_wanted("races") {
        races::races(&bench, &mut figures).await;
    }
    figures.write();
    print_goals(&goals);
    bench.machine.report(&span, bench.calls.get());
    println!("{} records are in Odoo, each under the id that was answered.", bench.world.check().await);
}

/// A session and a key at each peer, and what the works need in Odoo.
async fn prepare(odoo: &Odoo, durable: &Gateway, in_memory: &Gateway) -> Bench {
    let bare = Way::to(&odoo.url, false);
    let (at_odoo, user) = odoo.log_in(&bare).await;
    let bearer = format!("Bearer {}", odoo.key);
    let bare_by_key = bare.clone().with("authorization", &bearer).with("x-odoo-database", &odoo.database);
    let mut ways = HashMap::from([
        ((Peer::Addon, Credential::Session), at_odoo.clone()),
        ((Peer::Bare, Credential::Session), at_odoo.clone()),
        ((Peer::Bulk, Credential::Session), at_odoo.clone()),
        ((Peer::Addon, Credential::Key), bare.with("x-api-key", &odoo.key)),
        ((Peer::Bare, Credential::Key), bare_by_key),
    ]);
    for (peer, gateway) in [(Peer::Gateway, durable), (Peer::GatewayInMemory, in_memory)] {
        let way = Way::to(&gateway.url, true);
        ways.insert((peer, Credential::Session), odoo.log_in(&way).await.0);
        ways.insert((peer, Credential::Key), way.with("x-api-key", &odoo.key));
    }
    let machine = Machine::new(odoo, Duration::from_secs(setting("PATIENCE", "0")));
    let world = World::new(at_odoo, &user, setting("PRODUCTS", "1")).await;
    Bench { world, ways, machine, calls: cell::Cell::new(0) }
}

/// The table of works, clients and credentials.
async fn works(bench: &Bench, rounds: usize, is_wanted: impl Fn(&str) -> bool) -> Vec<Cell> {
    let length = Duration::from_secs_f64(setting("SECONDS", "3"));
    let clients: String = setting("CLIENTS", "1,16,64");
    let clients: Vec<usize> = clients.split(',').map(|number| number.parse().unwrap()).collect();
    let mut cells = Vec::new();
    for (name, work) in WORKS {
        for credential in [Credential::Session, Credential::Key] {
            for &clients in &clients {
                let has_bulk =
                    is_wanted("bulk") && (work, credential, clients) == (Work::Create, Credential::Session, 64);
                // Orders take so long that more clients would only wait: Odoo queues 24, and keeps others at the door.
                let is_too_many = matches!(work, Work::Order(_)) && clients > 16;
                if is_too_many || !is_wanted(name) && !has_bulk {
                    continue;
                }
                let mut peers = vec![Peer::Addon, Peer::Gateway, Peer::Bare];
                if has_bulk {
                    peers.push(Peer::Bulk);
                }
                if cells.is_empty() {
                    Cell::print_head();
                }
                let cell = in_turn(bench, work, credential, clients, &peers, rounds, length).await;
                cell.print();
                cells.push(cell);
            }
        }
    }
    cells
}

async fn in_turn(
    bench: &Bench,
    work: Work,
    credential: Credential,
    clients: usize,
    peers: &[Peer],
    rounds: usize,
    length: Duration,
) -> Cell {
    let mut all: BTreeMap<Peer, Vec<load::Round>> = BTreeMap::new();
    let settle = async |peer| drop(bench.round(work, peer, credential, SETTLING_CLIENTS, SETTLE).await);
    // The first time warms up: schemas, prepared statements, code that is loaded when it is needed.
    for &peer in peers {
        settle(peer).await;
    }
    for _ in 0..rounds {
        let one_of_each = bench.machine.alone(async || {
            let mut rounds = Vec::new();
            for &peer in peers {
                settle(peer).await;
                let clients = if peer == Peer::Bulk { BULK_CLIENTS } else { clients };
                rounds.push((peer, bench.round(work, peer, credential, clients, length).await));
            }
            rounds
        });
        for (peer, round) in one_of_each.await {
            all.entry(peer).or_default().push(round);
        }
    }
    Cell { work, credential, clients, rounds: all }
}

fn setting<T: FromStr<Err: std::fmt::Debug>>(name: &str, default: &str) -> T {
    let name = format!("ODOO_GATEWAY_BENCH_{name}");
    let text = env::var(&name).unwrap_or_else(|_| default.to_owned());
    text.parse().unwrap_or_else(|error| panic!("{name}: {error:?}"))
}
