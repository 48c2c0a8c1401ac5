//! The store in a PostgreSQL that several gateways share: the contract, and each fault of PostgreSQL.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future;
use odoo_gateway::store::{Accepted, Clock, End, Error, Filter, Place, Store};
use uuid::Uuid;

use super::{BEGIN, SPANS, call, contract, queued};
use crate::support::{poll, postgres::Postgres};

/// The longest that an operation may take to fail: it waits for a connection, then for an answer.
const LONGEST: Duration = Duration::from_secs(16);

fn at(postgres: &Postgres, clock: &Clock) -> Store {
    Store::shared(&postgres.url(), SPANS, clock.clone()).unwrap()
}

/// As a gateway opens it.
fn gateway(postgres: &Postgres) -> Store {
    at(postgres, &Clock::of_this_machine())
}

async fn stored(store: &Store) -> Uuid {
    let new = queued(&Uuid::new_v4().to_string());
    assert!(matches!(store.accept(new.clone(), true).await.unwrap(), Accepted::New(None)));
    new.id
}

async fn is_told_to_be_away(store: &Store) {
    let begun = Instant::now();
    let refused = store.accept(queued("a"), true).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_postgresql_does_what_every_store_does() {
    let postgres = Postgres::start().await;
    let clock = Clock::virtual_at(BEGIN);
    let store = at(&postgres, &clock);
    assert!(store.is_shared());
    contract::holds(&store, &clock).await;
}

#[tokio::test]
async fn a_postgresql_that_is_away_at_first_is_used_when_it_is_there() {
    let mut postgres = Postgres::copied();
    let store = gateway(&postgres);
    is_told_to_be_away(&store).await;
    postgres.start_again().await;
    stored(&store).await;
}

#[tokio::test]
async fn gateways_that_start_together_make_the_tables_once() {
    let postgres = Postgres::start().await;
    let stores: Vec<Store> = (0..6).map(|_| gateway(&postgres)).collect();
    future::join_all(stores.iter().map(stored)).await;
    assert_eq!(postgres.query("SELECT count(*) FROM calls"), "6");
}

#[tokio::test]
async fn a_store_of_a_newer_gateway_is_refused_in_words() {
    let postgres = Postgres::start().await;
    stored(&gateway(&postgres)).await;
    postgres.query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (1000, 'later', true, '', 0)",
    );
    let refused = gateway(&postgres).accept(queued("a"), true).await.unwrap_err();
    assert!(matches!(refused, Error::Newer { .. }), "{refused}");
}

#[tokio::test]
async fn one_of_many_that_store_the_same_key_through_two_gateways_has_the_call() {
    let postgres = Postgres::start().await;
    let stores = [gateway(&postgres), gateway(&postgres)];
    for round in 0..5 {
        let key = format!("key {round}");
        let accepts = (0..64).map(|number| stores[number % 2].accept(call(Some(&key), Place::AtOnce), true));
        let accepted = future::try_join_all(accepts).await.unwrap();
        let new = accepted.iter().filter(|accepted| matches!(accepted, Accepted::New(Some(_)))).count();
        let open = accepted.iter().filter(|accepted| matches!(accepted, Accepted::Open { .. })).count();
        assert_eq!((new, open), (1, 63));
    }
}

#[tokio::test]
async fn workers_of_two_gateways_take_each_call_once_and_each_lane_in_order() {
    const LANES: usize = 12;
    const CALLS: usize = 360;
    let postgres = Postgres::start().await;
    let stores = [gateway(&postgres), gateway(&postgres)];
    let mut accepted: HashMap<Uuid, (usize, usize)> = HashMap::new();
    for number in 0..CALLS {
        let new = queued(&format!("lane {}", number % LANES));
        accepted.insert(new.id, (number % LANES, number));
        stores[number % 2].accept(new, true).await.unwrap();
    }
    let (busy, done) = (Mutex::new(HashSet::new()), Mutex::new(vec![Vec::new(); LANES]));
    let ended = AtomicUsize::new(0);
    let worker = async |store: &Store| {
        while ended.load(Relaxed) < CALLS {
            let Some(claimed) = store.claim("shop").await.unwrap() else { continue };
            let (lane, number) = accepted[&claimed.ticket.id];
            assert!(busy.lock().unwrap().insert(lane), "two calls of a lane at a time");
            tokio::time::sleep(Duration::from_millis(2)).await;
            busy.lock().unwrap().remove(&lane);
            done.lock().unwrap()[lane].push(number);
            assert!(store.finish(&claimed.ticket, End::Done { outcome: Vec::new() }, None).await.unwrap());
            ended.fetch_add(1, Relaxed);
        }
    };
    future::join_all((0..8).map(|number| worker(&stores[number % 2]))).await;
    let done = done.into_inner().unwrap();
    assert!(done.iter().all(|lane| lane.is_sorted_by(|a, b| a < b) && lane.len() == CALLS / LANES), "{done:?}");
}

#[tokio::test]
async fn what_was_stored_is_there_and_nobody_waits_for_long_while_postgresql_is_restarted_killed_and_cut() {
    let mut postgres = Postgres::start().await;
    let stores = [gateway(&postgres), gateway(&postgres)];
    let is_over = AtomicBool::new(false);
    let (stored, refused, unconfirmed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let client = async |store: &Store| {
        while !is_over.load(Relaxed) {
            let new = queued(&Uuid::new_v4().to_string());
            let begun = Instant::now();
            match store.accept(new.clone(), true).await {
                Ok(_) => stored.lock().unwrap().push(new.id),
                Err(Error::Unconfirmed(_)) => unconfirmed.lock().unwrap().push(new),
                Err(Error::Unavailable(_)) => {
                    refused.lock().unwrap().push(new.id);
                    // A PostgreSQL whose socket is gone refuses at once.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => panic!("{error}"),
            }
            assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
        }
    };
    let count = || stored.lock().unwrap().len();
    let disasters = async {
        for number in 0..6 {
            let before = count();
            // After each, both gateways go on by themselves.
            poll(|| count() > before + 50).await;
            match number % 3 {
                0 => postgres.restart().await,
                1 => {
                    postgres.kill();
                    postgres.start_again().await;
                }
                _ => assert!(postgres.cut_connections() > 0),
            }
        }
        let before = count();
        poll(|| count() > before + 50).await;
        is_over.store(true, Relaxed);
    };
    future::join(future::join_all((0..8).map(|number| client(&stores[number % 2]))), disasters).await;
    let (mut stored, refused) = (stored.into_inner().unwrap(), refused.into_inner().unwrap());
    let unconfirmed = unconfirmed.into_inner().unwrap();
    println!("{} calls stored, {} refused, {} unconfirmed", stored.len(), refused.len(), unconfirmed.len());
    for call in unconfirmed {
        stored.push(call.id);
        stores[0].accept(call, true).await.unwrap();
    }
    let there: HashSet<String> = postgres.query("SELECT id FROM calls").lines().map(str::to_owned).collect();
    let is_there = |id: &&Uuid| there.contains(&id.to_string());
    assert_eq!(stored.iter().filter(is_there).count(), stored.len());
    assert_eq!(refused.iter().filter(is_there).count(), 0);
    // None of the connections that broke is counted on for ever.
    for store in &stores {
        assert_eq!(store.list(Filter::default(), 0, 10).await.unwrap().len(), 10);
    }
}

#[tokio::test]
async fn a_suspended_postgresql_is_told_within_seconds_and_used_again_when_it_goes_on() {
    let postgres = Postgres::start().await;
    let store = gateway(&postgres);
    stored(&store).await;
    postgres.suspend();
    future::join_all((0..20).map(|_| is_told_to_be_away(&store))).await;
    postgres.resume();
    stored(&store).await;
}

#[tokio::test]
async fn the_time_is_that_of_postgresql_and_not_of_the_gateways_machine() {
    let postgres = Postgres::start().await;
    let clock = Clock::of_this_machine();
    // This machine's clock is a day ahead.
    clock.set(clock.now() + 86_400_000);
    let store = at(&postgres, &clock);
    let id = stored(&store).await;
    let now: i64 = postgres.query("SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint").parse().unwrap();
    let accepted = store.find(id).await.unwrap().unwrap().accepted;
    assert!((now - accepted).abs() < 10_000, "{accepted} at {now}");
}
