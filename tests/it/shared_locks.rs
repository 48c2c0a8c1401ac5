//! The locks that gateways share, on a real PostgreSQL: each [`AdvisoryLocks`] has a session as a gateway has one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future;
use odoo_gateway::{
    locks::{NotTaken, RecordKey, SharedLock, SharedLocks},
    store::AdvisoryLocks,
};
use serde_json::json;
use tokio::{
    sync::Mutex,
    time::{self, Instant},
};

use crate::support::{poll, poll_for, postgres::Postgres};

fn key(name: usize) -> RecordKey {
    RecordKey::new("d", "m", &[("name", &json!(name))])
}

fn gateway(postgres: &Postgres) -> AdvisoryLocks {
    AdvisoryLocks::new(postgres.url().parse().unwrap())
}

fn within(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

/// The locks and places that PostgreSQL has given out.
fn given_out(postgres: &Postgres) -> String {
    postgres.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
}

async fn take(gateway: &AdvisoryLocks, name: usize) -> Box<dyn SharedLock> {
    gateway.take(key(name), within(60)).await.unwrap()
}

#[tokio::test]
async fn a_shared_lock_is_held_by_one_gateway_at_a_time_and_given_back() {
    const KEYS: usize = 4;
    let postgres = Postgres::start().await;
    let gateways: Vec<(AdvisoryLocks, [Mutex<()>; KEYS])> =
        (0..3).map(|_| (gateway(&postgres), Default::default())).collect();
    let inside: [AtomicUsize; KEYS] = Default::default();
    let call = async |number: usize| {
        let ((gateway, own), name) = (&gateways[number % 3], number % KEYS);
        let _own = own[name].lock().await;
        let _lock = take(gateway, name).await;
        assert_eq!(inside[name].fetch_add(1, Relaxed), 0, "two gateways hold a lock");
        time::sleep(Duration::from_millis(1)).await;
        inside[name].fetch_sub(1, Relaxed);
    };
    future::join_all((0..200).map(call)).await;
    poll(|| given_out(&postgres) == "0").await;
}

#[tokio::test]
async fn calls_that_wait_for_shared_locks_go_on_when_postgresql_was_restarted_killed_or_cut() {
    let mut postgres = Postgres::start().await;
    let (url, gateways) = (postgres.url(), 3);
    let is_over = AtomicBool::new(false);
    let (taken, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let load = future::join_all((0..gateways).map(|_| async {
        let gateway = AdvisoryLocks::new(url.parse().unwrap());
        while !is_over.load(Relaxed) {
            match gateway.take(key(1), within(20)).await {
                Ok(_) => taken.fetch_add(1, Relaxed),
                Err(_) => failed.fetch_add(1, Relaxed),
            };
        }
    }));
    let disasters = async {
        for number in 0..6 {
            let before = taken.load(Relaxed);
            poll(|| taken.load(Relaxed) > before + 20).await;
            match number % 3 {
                0 => postgres.restart().await,
                1 => {
                    postgres.kill();
                    postgres.start_again().await;
                }
                _ => assert!(postgres.cut_connections() > 0),
            }
        }
        let before = taken.load(Relaxed);
        poll(|| taken.load(Relaxed) > before + 20).await;
        is_over.store(true, Relaxed);
    };
    future::join(load, disasters).await;
    assert_eq!(failed.load(Relaxed), 0);
}

#[tokio::test]
async fn a_gateway_that_takes_a_lock_all_the_time_lets_another_one_have_it() {
    let postgres = Postgres::start().await;
    let (greedy, other) = (gateway(&postgres), gateway(&postgres));
    let is_over = AtomicBool::new(false);
    let taken = AtomicUsize::new(0);
    // Its calls wait in a queue, so that the next one asks as soon as one has ended.
    let own = Mutex::new(());
    let greedy = future::join_all((0..4).map(|_| async {
        while !is_over.load(Relaxed) {
            let _own = own.lock().await;
            let _lock = take(&greedy, 1).await;
            time::sleep(Duration::from_millis(3)).await;
            taken.fetch_add(1, Relaxed);
        }
    }));
    let other = async {
        poll(|| taken.load(Relaxed) > 3).await;
        for _ in 0..10 {
            drop(take(&other, 1).await);
        }
        is_over.store(true, Relaxed);
        taken.load(Relaxed)
    };
    let (_, meanwhile) = future::join(greedy, other).await;
    // Some two or three go before it each time: the one that holds the lock, and those that come within a pause.
    assert!(meanwhile < 400, "{meanwhile}");
}

#[tokio::test]
async fn what_a_caller_that_gave_up_would_have_got_is_free_again() {
    let postgres = Postgres::start().await;
    let (one, other) = (gateway(&postgres), gateway(&postgres));
    let lock = take(&one, 1).await;
    // It has its session before its patience is tried.
    drop(take(&other, 2).await);
    let gave_up = other.take(key(1), within(3)).await;
    assert!(matches!(gave_up, Err(NotTaken::Busy)), "{gave_up:?}");
    assert!(other.try_take(key(1)).await.is_none());
    // One that goes away while it waits.
    let _ = time::timeout(Duration::from_millis(300), other.take(key(1), within(60))).await.unwrap_err();
    poll(|| given_out(&postgres) == "1").await;
    drop(lock);
    poll_for(async || other.try_take(key(1)).await.is_some()).await;
    poll(|| given_out(&postgres) == "0").await;
}

/// Its time may end while PostgreSQL is being asked once more, which has answered until then.
#[tokio::test]
async fn a_caller_whose_time_ends_is_told_that_the_lock_is_busy() {
    let postgres = Postgres::start().await;
    let (one, other) = (gateway(&postgres), gateway(&postgres));
    let _lock = take(&one, 1).await;
    drop(take(&other, 2).await);
    for patience in 0..60 {
        let until = Instant::now() + Duration::from_millis(100 + patience);
        let gave_up = other.take(key(1), until).await;
        assert!(matches!(gave_up, Err(NotTaken::Busy)), "{patience}: {gave_up:?}");
    }
}

#[tokio::test]
async fn a_lock_whose_session_was_cut_is_not_held_and_another_gateway_has_it() {
    let postgres = Postgres::start().await;
    let (one, other) = (gateway(&postgres), gateway(&postgres));
    let lock = take(&one, 1).await;
    assert!(one.is_current(lock.session()).await);
    assert_eq!(postgres.cut_connections(), 1);
    let taken = take(&other, 1).await;
    assert!(!one.is_current(lock.session()).await);
    // The guard of the lost lock releases nothing, also while its gateway has another session.
    let _further = take(&one, 2).await;
    drop(lock);
    assert!(one.try_take(key(1)).await.is_none());
    assert!(other.is_current(taken.session()).await);
    assert_eq!(given_out(&postgres), "2");
}

#[tokio::test]
async fn a_postgresql_that_is_suspended_or_away_is_told_within_seconds() {
    let mut postgres = Postgres::start().await;
    let gateway = gateway(&postgres);
    let lock = take(&gateway, 1).await;
    postgres.suspend();
    let told = |taken: Result<Box<dyn SharedLock>, NotTaken>| match taken {
        Err(NotTaken::Unavailable(reason)) => reason,
        other => panic!("{other:?}"),
    };
    told(gateway.take(key(2), within(2)).await);
    assert!(!gateway.is_current(lock.session()).await);
    postgres.resume();
    take(&gateway, 2).await;
    postgres.stop().await;
    let begun = Instant::now();
    told(gateway.take(key(2), within(60)).await);
    assert!(begun.elapsed() < Duration::from_secs(20));
    postgres.start_again().await;
    take(&gateway, 2).await;
}

#[tokio::test]
async fn ten_thousand_locks_of_one_call_fit_beside_those_of_another_gateway() {
    let postgres = Postgres::start().await;
    let (one, other) = (gateway(&postgres), gateway(&postgres));
    let mut keys: Vec<RecordKey> = (0..10_000).map(key).collect();
    keys.sort_unstable();
    let all = async |gateway: &AdvisoryLocks| {
        let mut locks = Vec::new();
        for key in &keys {
            locks.push(gateway.take(*key, within(60)).await.unwrap());
        }
        locks.len()
    };
    let begun = Instant::now();
    assert_eq!(future::join(all(&one), all(&other)).await, (10_000, 10_000));
    println!("10,000 locks by each of two gateways, one after the other: {:?}", begun.elapsed());
    poll(|| given_out(&postgres) == "0").await;
}

#[tokio::test]
async fn calls_of_gateways_that_take_several_locks_in_order_never_wait_for_each_other_in_a_circle() {
    let postgres = Postgres::start().await;
    let gateways: Vec<AdvisoryLocks> = (0..3).map(|_| gateway(&postgres)).collect();
    let own: Arc<Vec<Vec<Mutex<()>>>> =
        Arc::new((0..3).map(|_| (0..9_000).map(|_| Mutex::default()).collect()).collect());
    // More keys than locks, so that different keys have the same lock.
    let call = async |number: usize| {
        let mut names: Vec<usize> = (0..6).map(|_| fastrand::usize(0..9_000)).chain([number % 5]).collect();
        names.sort_unstable_by_key(|name| key(*name));
        names.dedup();
        let mut held = Vec::new();
        for name in names {
            let own = own[number % 3][name].lock().await;
            held.push((own, take(&gateways[number % 3], name).await));
        }
    };
    future::join_all((0..150).map(call)).await;
    poll(|| given_out(&postgres) == "0").await;
}
