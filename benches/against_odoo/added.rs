//! What the gateway adds to the very call that it makes of a payload with nothing to look up; and how much of that is waiting
//! for the disk, by a second gateway whose log is in memory.

use crate::{
    figures::Figures,
    load::Bench,
    report::{Goal, Limit, median},
    request::{Credential, Peer},
    works::Work,
};

const PEERS: [Peer; 3] = [Peer::Bare, Peer::Gateway, Peer::GatewayInMemory];
/// Calls of each peer in a round.
const CALLS: usize = 60;
const WARM_UP: usize = 30;

pub(crate) async fn added(bench: &Bench, rounds: usize, figures: &mut Figures) -> Vec<Goal> {
    println!(
        "\nTime added to the same bare call, 1 client, session, call by call in turn; ms, medians of {rounds} × {CALLS} pairs"
    );
    println!(
        "{:<20}{:>10}{:>12}{:>12}{:>10}{:>12}{:>14}",
        "", "bare p50", "durable p50", "memory p50", "added", "of it syncs", "without syncs"
    );
    let mut goals = Vec::new();
    for (work, what) in [
        (Work::PlainSearch, "added to a search, 1 client, syncs apart: p50, ms"),
        (Work::PlainCreate, "added to a create, 1 client, syncs apart: p50, ms"),
    ] {
        pairs(bench, work, WARM_UP).await;
        let mut waits = Vec::new();
        for _ in 0..rounds {
            waits.extend(bench.machine.alone(async || pairs(bench, work, CALLS).await).await);
        }
        let p50 = |which: usize| median(waits.iter().map(|took| took[which]));
        let difference = |a: usize, b: usize| median(waits.iter().map(|took| took[a] - took[b]));
        let (added, syncs, without_syncs) = (difference(1, 0), difference(1, 2), difference(2, 0));
        println!(
            "{:<20}{:>10.2}{:>12.2}{:>12.2}{added:>10.2}{syncs:>12.2}{without_syncs:>14.2}",
            work.name(),
            p50(0),
            p50(1),
            p50(2)
        );
        figures.add(
            &[("work", &*work.name()), ("credential", "session"), ("peer", "added")],
            &[
                ("bare_p50_ms", p50(0)),
                ("durable_p50_ms", p50(1)),
                ("memory_p50_ms", p50(2)),
                ("added_ms", added),
                ("syncs_ms", syncs),
            ],
        );
        goals.push(Goal { what, figure: without_syncs, limit: Limit::AtMost(2.0) });
    }
    goals
}

/// What each peer took, call by call.
async fn pairs(bench: &Bench, work: Work, calls: usize) -> Vec<[f64; PEERS.len()]> {
    let mut clients = PEERS.map(|peer| bench.client(peer, Credential::Session));
    let mut waits = Vec::new();
    for number in 0..calls {
        let mut took = [0.0; PEERS.len()];
        // Each in turn is the first, for what the one before it leaves behind.
        for turn in 0..PEERS.len() {
            let which = (number + turn) % PEERS.len();
            let (client, peer) = (&mut clients[which], PEERS[which]);
            took[which] = bench.call(client, work, peer, Credential::Session, number, &mut None).await;
        }
        waits.push(took);
    }
    waits
}
