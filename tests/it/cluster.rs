//! Two gateways before one Odoo, as two processes, that share a PostgreSQL.
//!
//! `ODOO_GATEWAY_TEST_ROUNDS` is the number of rounds of upserts through both.

mod exactly_once;
mod unconfirmed;

use std::{
    collections::HashMap,
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinHandle};
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client, http, outcome},
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::{Odoo, odoo},
    poll_for,
    postgres::Postgres,
};

fn unique(what: &str) -> String {
    format!("{what} {}", Uuid::new_v4().simple())
}

fn create(name: &str) -> String {
    json!({"model": "res.partner", "vals": {"payload": {"name": name}}}).to_string()
}

fn upsert(key: &str) -> String {
    let vals = json!({"search_key": {"ref": key}, "payload": {"name": "Of two gateways", "ref": key}});
    json!({"model": "res.partner", "vals": vals}).to_string()
}

fn spawn(client: &Client, body: String) -> JoinHandle<Answer> {
    let client = client.clone();
    tokio::spawn(async move { client.post("create_update_data", body).await })
}

async fn of_ref(odoo: &Odoo, key: &str) -> Value {
    odoo.search_count("res.partner", json!([["ref", "=", key]])).await
}

/// A gateway that shares the PostgreSQL, before Odoo or a proxy, and somebody who calls it.
fn shared(postgres: &Postgres, url: &str, odoo: &Odoo, limits: &str) -> (Gateway, Client) {
    let more = format!("{limits}\n[cluster]\nurl = \"{}\"", postgres.url());
    let gateway = Gateway::before(url, &odoo.database, &more);
    let client = Client::with_login(&gateway, &odoo.login, &odoo.key);
    (gateway, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_upserts_of_one_key_through_two_gateways_make_one_record() {
    let rounds: usize = env::var("ODOO_GATEWAY_TEST_ROUNDS").map_or(3, |given| given.parse().unwrap());
    let (odoo, postgres) = (odoo().await, Postgres::start().await);
    let gateways = [shared(&postgres, &odoo.url, odoo, ""), shared(&postgres, &odoo.url, odoo, "")];
    // One for all: to make a client of HTTPS takes longer than a call.
    let http = http();
    let begun = Instant::now();
    for _ in 0..rounds {
        let key = unique("key");
        let call = async |number: usize| {
            let (gateway, client) = &gateways[number % 2];
            let url = format!("{}/api/create_update_data", gateway.url);
            let request = http.post(url).header("authorization", client.credential()).body(upsert(&key));
            let answer = request.header("content-type", "application/json").send().await.unwrap();
            answer.json::<Value>().await.unwrap()
        };
        let answers = future::join_all((0..64).map(call)).await;
        assert!(answers.iter().all(|answer| answer["result"]["is_success"] == true), "{answers:?}");
        assert_eq!(of_ref(odoo, &key).await, 1);
    }
    println!("{rounds} rounds of 64 upserts through two gateways: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_their_postgresql_gateways_start_and_make_plain_calls_and_refuse_what_needs_a_shared_lock() {
    let (odoo, mut postgres) = (odoo().await, Postgres::copied());
    let (_gateway, client) = shared(&postgres, &odoo.url, odoo, "");
    let name = unique("plain");
    assert_eq!(outcome(&client.post("create_data", create(&name)).await), "ok");
    let mut keyed = HeaderMap::new();
    keyed.insert("idempotency-key", "one".parse().unwrap());
    let keyed = async || client.send("POST", "/api/create_data", keyed.clone(), Some(create(&name))).await;
    let begun = Instant::now();
    let refused = keyed().await;
    assert_eq!((refused.status, outcome(&refused).as_str()), (503, "store_unavailable"), "{refused:?}");
    let key = unique("key");
    let refused = client.post("create_update_data", upsert(&key)).await;
    assert_eq!((refused.status, outcome(&refused).as_str()), (503, "store_unavailable"), "{refused:?}");
    let error = refused.json["error"]["data"]["retry"].as_str();
    assert_eq!(error.or(refused.json["result"]["error"]["retry"].as_str()), Some("safe"), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    assert_eq!(of_ref(odoo, &key).await, 0);
    postgres.start_again().await;
    assert_eq!(outcome(&client.post("create_update_data", upsert(&key)).await), "ok");
    assert_eq!(outcome(&keyed().await), "ok");
    assert_eq!(keyed().await.headers["idempotent-replay"], "true");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_lost_its_lock_before_its_first_write_finds_what_another_gateway_made_meanwhile() {
    let (odoo, postgres) = (odoo().await, Postgres::start().await);
    let proxy = FaultProxy::before(odoo).await;
    let (_slow, slow_client) = shared(&postgres, &proxy.url, odoo, "");
    let (_other, other_client) = shared(&postgres, &odoo.url, odoo, "");
    // Both know the model's fields.
    for client in [&slow_client, &other_client] {
        assert_eq!(outcome(&client.post("create_update_data", upsert(&unique("first"))).await), "ok");
    }
    let (reached, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (hold, held) = (Fault::Hold { reached: reached.clone(), release: release.clone() }, AtomicBool::new(false));
    proxy.run(move |_, rpc| match rpc == "res.partner/search_read" && !held.swap(true, Relaxed) {
        true => hold.clone(),
        false => Fault::Pass,
    });
    let key = unique("key");
    let slow = spawn(&slow_client, upsert(&key));
    // It holds the lock, and its search is on the way.
    reached.notified().await;
    let waiting = spawn(&other_client, upsert(&key));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(of_ref(odoo, &key).await, 0, "the other gateway does not wait for the lock");
    assert!(postgres.cut_connections() >= 1);
    let answer = waiting.await.unwrap();
    assert_eq!(outcome(&answer), "ok", "{answer:?}");
    // What the slow one was told is from before.
    release.notify_one();
    let answer = slow.await.unwrap();
    assert_eq!(outcome(&answer), "ok", "{answer:?}");
    assert_eq!(of_ref(odoo, &key).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_gateway_keeps_its_lock_and_a_killed_one_does_not() {
    let (odoo, postgres) = (odoo().await, Postgres::start().await);
    let proxy = FaultProxy::before(odoo).await;
    let limits = "[limits]\ncall_timeout = \"4s\"";
    let (holder, holder_client) = shared(&postgres, &proxy.url, odoo, "[limits]\ncall_timeout = \"40s\"");
    let (_other, other_client) = shared(&postgres, &odoo.url, odoo, limits);
    let (reached, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (hold, held) = (Fault::Hold { reached: reached.clone(), release: release.clone() }, AtomicUsize::new(0));
    // The search of the first call, and that of the second.
    proxy.run(move |_, rpc| match rpc == "res.partner/search_read" && held.fetch_add(1, Relaxed) < 2 {
        true => hold.clone(),
        false => Fault::Pass,
    });
    let key = unique("key");
    let slow = spawn(&holder_client, upsert(&key));
    reached.notified().await;
    holder.signal("STOP");
    poll_for(async || {
        let refused = other_client.post("create_update_data", upsert(&key)).await;
        // A PostgreSQL that the machine leaves no time may not answer at first; then nothing is written, either.
        assert!(
            refused.status == 503 && ["key_busy", "store_unavailable"].contains(&&*outcome(&refused)),
            "{refused:?}"
        );
        outcome(&refused) == "key_busy"
    })
    .await;
    holder.signal("CONT");
    release.notify_one();
    assert_eq!(outcome(&slow.await.unwrap()), "ok");
    poll_for(async || outcome(&other_client.post("create_update_data", upsert(&key)).await) == "ok").await;
    assert_eq!(of_ref(odoo, &key).await, 1);

    let key = unique("key");
    let dying = {
        let (client, body) = (holder_client.clone(), upsert(&key));
        tokio::spawn(async move { client.try_post("create_update_data", body).await.is_err() })
    };
    reached.notified().await;
    drop(holder.kill());
    assert!(dying.await.unwrap());
    poll_for(async || {
        let answer = other_client.post("create_update_data", upsert(&key)).await;
        assert!(answer.status == 200 || answer.json.to_string().contains("\"retry\":\"safe\""), "{answer:?}");
        outcome(&answer) == "ok"
    })
    .await;
    release.notify_one();
    assert_eq!(of_ref(odoo, &key).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upserts_through_two_gateways_make_one_record_each_while_postgresql_is_restarted_and_killed() {
    const KEYS: usize = 6;
    let (odoo, mut postgres) = (odoo().await, Postgres::start().await);
    let gateways = [shared(&postgres, &odoo.url, odoo, ""), shared(&postgres, &odoo.url, odoo, "")];
    let (is_over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let answered = std::sync::Mutex::new(HashMap::<String, usize>::new());
    let keys = std::sync::Mutex::new(Vec::new());
    let load = async {
        while !is_over.load(Relaxed) {
            let key = unique("key");
            keys.lock().unwrap().push(key.clone());
            // Each caller comes back until it is answered.
            let caller = async |number: usize| {
                loop {
                    let answer = gateways[number % 2].1.post("create_update_data", upsert(&key)).await;
                    let outcome = outcome(&answer);
                    let is_done = outcome == "ok";
                    assert!(is_done || answer.status == 503, "{answer:?}");
                    *answered.lock().unwrap().entry(outcome).or_default() += 1;
                    if is_done {
                        done.fetch_add(1, Relaxed);
                        return;
                    }
                }
            };
            future::join_all((0..KEYS).map(caller)).await;
        }
    };
    let more = async |than: usize| {
        let before = done.load(Relaxed);
        poll_for(async || done.load(Relaxed) > before + than).await;
    };
    let disasters = async {
        for number in 0..4 {
            more(KEYS).await;
            if number % 2 == 0 {
                postgres.restart().await;
            } else {
                postgres.kill();
                postgres.start_again().await;
            }
        }
        more(2 * KEYS).await;
        is_over.store(true, Relaxed);
    };
    future::join(load, disasters).await;
    println!("answered: {:?}", answered.lock().unwrap());
    for key in keys.into_inner().unwrap() {
        assert_eq!(of_ref(odoo, &key).await, 1, "{key}");
    }
}
