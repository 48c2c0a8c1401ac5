//! The store and its queue under virtual time: gateways that claim, write, hang, die and come back late, and people who retry,
//! drop and pause, while transactions fail and clocks jump.
//!
//! Each operation is held against a reference ([`reference`]) that does the same in memory. A stand-in target notes each write, and
//! some writes arrive long after they were sent. Workers follow the rules of a delivery: no write without a lease, and none where an
//! earlier write of that call may still arrive. Invariants: no call is written twice, none that was accepted is lost, the calls of a
//! lane are taken in their order, no lane is blocked for ever. A failure names its seed; `STORE_SEED` runs that one alone, and
//! `STORE_SEEDS` so many, from `STORE_FIRST` on.

pub(super) mod ground;
mod reference;
mod world;

use ground::Ground;
use world::World;

/// Seeds that share one file, one after another.
const TOGETHER: u64 = 25;

/// Runs these seeds.
pub(super) async fn run(seeds: std::ops::Range<u64>, ground: impl AsyncFn() -> Ground) {
    let mut tally = world::Tally::default();
    let mut seed = seeds.start;
    while seed < seeds.end {
        let on = ground().await;
        for seed in seed..seeds.end.min(seed + TOGETHER) {
            World::new(seed, &on).await.history(&mut tally).await;
        }
        seed += TOGETHER;
    }
    // A model that never meets what it is for proves nothing.
    if seeds.end - seeds.start >= 100 {
        assert!(tally.is_varied(), "{tally:?}");
    }
    println!("{} seeds: {tally:?}", seeds.end - seeds.start);
}

fn seeds(usual: u64) -> std::ops::Range<u64> {
    let given = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    match given("STORE_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = given("STORE_FIRST").unwrap_or(0);
            first..first + given("STORE_SEEDS").unwrap_or(usual)
        }
    }
}

#[tokio::test]
async fn random_histories_lose_nothing_and_write_nothing_twice() {
    run(seeds(150), Ground::sqlite).await;
}

#[tokio::test]
async fn random_histories_do_the_same_in_a_postgresql() {
    run(seeds(8), Ground::postgres).await;
}
