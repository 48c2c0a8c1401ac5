//! What a line more costs: the same order with ever more lines, through the gateway and bare, call by call in turn.

use crate::{
    figures::Figures,
    load::Bench,
    report::{Goal, Limit, median},
    request::{Credential, Peer},
    works::Work,
};

/// How many lines, and how many such orders in each round.
const SIZES: [(usize, usize); 4] = [(1, 4), (10, 4), (100, 2), (1000, 1)];
const PEERS: [Peer; 2] = [Peer::Gateway, Peer::Bare];

pub(crate) async fn lines(bench: &Bench, rounds: usize, figures: &mut Figures) -> Goal {
    println!("\nOrders by their lines, 1 client, session; p50 of {rounds} rounds in ms");
    println!("{:>8}{:>12}{:>12}{:>12}", "lines", "gateway", "bare", "ratio");
    // The first round warms up.
    round(bench).await;
    // By peer and size, what each call took.
    let mut waits = [(); 2].map(|()| SIZES.map(|_| Vec::new()));
    for _ in 0..rounds {
        for (peer, size, took) in bench.machine.alone(async || round(bench).await).await {
            waits[peer][size].push(took);
        }
    }
    let [gateway, bare] = waits.map(|of_peer| of_peer.map(|waits| median(waits.into_iter())));
    for (size, (lines, _)) in SIZES.into_iter().enumerate() {
        let ratio = gateway[size] / bare[size];
        println!("{lines:>8}{:>12.1}{:>12.1}{ratio:>12.2}", gateway[size], bare[size]);
        let row = [("gateway_p50_ms", gateway[size]), ("bare_p50_ms", bare[size])];
        figures.add(&[("work", "order by its lines"), ("lines", &*lines.to_string())], &row);
    }
    let (gateway, bare) = (slope(&gateway), slope(&bare));
    println!("{:>8}{gateway:>12.3}{bare:>12.3}{:>12.2}   ms for each line, from 10 to 1000", "slope", gateway / bare);
    Goal { what: "cost of a line: gateway/bare", figure: gateway / bare, limit: Limit::AtMost(1.1) }
}

/// Which peer, which size, and how long it took.
async fn round(bench: &Bench) -> Vec<(usize, usize, f64)> {
    let mut all = Vec::new();
    for (size, (lines, calls)) in SIZES.into_iter().enumerate() {
        for _ in 0..calls {
            for (number, peer) in PEERS.into_iter().enumerate() {
                let mut client = bench.client(peer, Credential::Session);
                let took = bench.call(&mut client, Work::Order(lines), peer, Credential::Session, 0, &mut None).await;
                all.push((number, size, took));
            }
        }
    }
    all
}

fn slope(p50: &[f64; SIZES.len()]) -> f64 {
    let (few, many) = (1, SIZES.len() - 1);
    (p50[many] - p50[few]) / (SIZES[many].0 - SIZES[few].0) as f64
}
