//! Gateways that are killed, hang, or come back late.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use odoo_gateway::store::{Filter, State, Store};
use serde_json::json;
use sqlx::Connection;
use tokio::{sync::Notify, time};
use uuid::Uuid;

use super::{SPANS, Shop, an_hour_ago, create, folder_with, with_shop};
use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::odoo,
    poll_for,
    tls::Authority,
};

const PARTNER: &str = "res.partner";

#[tokio::test]
async fn a_call_that_ended_its_gateway_five_times_is_given_up_without_another_try() {
    let odoo = odoo().await;
    let (config, key) = with_shop(odoo, &odoo.url, "[delivery]\nlongest_request = \"2s\"", "");
    let folder = folder_with(&config, &odoo.key);
    let name = format!("poison {}", Uuid::new_v4());
    let (clock, call) = (an_hour_ago(), create("k", PARTNER, &name));
    let store = Store::in_folder(&folder.path().join("delivery"), SPANS, clock.clone()).await.unwrap();
    store.accept(call.clone(), false).await.unwrap();
    for _ in 0..5 {
        assert!(store.claim("shop").await.unwrap().is_some());
        clock.set(clock.now() + 30_000);
    }
    drop(store);
    let shop = Shop::with(Gateway::again(folder).unwrap(), key).await;
    shop.until(call.id, State::Dead).await;
    let dead = shop.find(call.id).await;
    assert_eq!((dead.error.as_deref(), dead.attempts), (Some("poison"), 6));
    assert!(shop.gateway().log().is_empty(), "it was tried");
    let outcome = String::from_utf8(dead.outcome.unwrap()).unwrap();
    assert!(outcome.contains("has ended 5 times while it made this call"), "{outcome}");
    // Where a person has it tried again, it is found out first what the five have done.
    assert_eq!(shop.store.retry(&Filter { ids: vec![call.id], ..Filter::default() }).await.unwrap(), 1);
    poll_for(async || shop.find(call.id).await.state.is_closed()).await;
    let found = shop.find(call.id).await;
    assert_eq!(found.state, State::Done, "{}", String::from_utf8_lossy(&found.outcome.unwrap_or_default()));
    assert_eq!(odoo.search_count(PARTNER, json!([["name", "=", name]])).await, json!(1));
}

#[tokio::test]
async fn a_call_that_is_too_old_is_given_up_until_a_person_has_it_tried_again() {
    let odoo = odoo().await;
    let (config, key) = with_shop(odoo, &odoo.url, "[delivery]\nmax_age = \"30m\"", "");
    let folder = folder_with(&config, &odoo.key);
    let call = create("k", PARTNER, "too old");
    let store = Store::in_folder(&folder.path().join("delivery"), SPANS, an_hour_ago()).await.unwrap();
    store.accept(call.clone(), false).await.unwrap();
    drop(store);
    let shop = Shop::with(Gateway::again(folder).unwrap(), key).await;
    shop.until(call.id, State::Dead).await;
    assert_eq!(shop.find(call.id).await.error.as_deref(), Some("too_old"));
    // A person may have it tried after all.
    let dead = Filter { states: vec![State::Dead], ..Filter::default() };
    assert_eq!(shop.store.retry(&dead).await.unwrap(), 1);
    shop.until(call.id, State::Done).await;
}

#[tokio::test]
async fn a_call_that_is_too_old_is_in_doubt_where_its_gateway_died_while_it_made_it() {
    let odoo = odoo().await;
    let (config, key) = with_shop(odoo, &odoo.url, "[delivery]\nmax_age = \"30m\"", "");
    let folder = folder_with(&config, &odoo.key);
    let (clock, call) = (an_hour_ago(), create("k", PARTNER, "too old, perhaps done"));
    let store = Store::in_folder(&folder.path().join("delivery"), SPANS, clock).await.unwrap();
    store.accept(call.clone(), false).await.unwrap();
    assert!(store.claim("shop").await.unwrap().is_some());
    drop(store);
    let shop = Shop::with(Gateway::again(folder).unwrap(), key).await;
    shop.until(call.id, State::InDoubt).await;
    let found = shop.find(call.id).await;
    assert_eq!(found.error.as_deref(), Some("too_old"));
    let outcome = String::from_utf8(found.outcome.unwrap()).unwrap();
    assert!(outcome.contains("unsafe") && !outcome.contains("nothing was written"), "{outcome}");
}

/// A name that the resolver does not know, and a certificate that nobody here trusts, may be right in a minute.
#[tokio::test]
async fn a_call_waits_while_odoos_name_or_certificate_is_wrong_and_is_made_when_it_is_right() {
    let odoo = odoo().await;
    let unknown = Authority::new();
    for wrong in ["http://odoo.invalid".to_owned(), unknown.before(odoo).await] {
        let mut shop = Shop::before(odoo, &wrong, "", "").await;
        let id = shop.queue("k", PARTNER, "not yet").await;
        poll_for(async || shop.gateway().get_admin("/ready").await.0 == 503).await;
        assert_eq!(shop.state(id).await, State::Queued, "{wrong}");
        let file = shop.gateway().config_file();
        let right = fs::read_to_string(&file).unwrap().replace(&wrong, &odoo.url);
        fs::write(&file, right).unwrap();
        shop.kill_and_restart();
        shop.until(id, State::Done).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_with_a_key_that_its_gateway_left_behind_is_brought_to_its_end() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (reached, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hold = (reached.clone(), release.clone());
    let is_first = AtomicBool::new(true);
    proxy.run(move |_, rpc| match rpc {
        "res.partner/create" if is_first.swap(false, Relaxed) => {
            Fault::Hold { reached: hold.0.clone(), release: hold.1.clone() }
        }
        _ => Fault::Pass,
    });
    let mut shop = Shop::before(odoo, &proxy.url, "[delivery]\nlongest_request = \"3s\"\nlease = \"3s\"", "").await;
    let body = json!({"model": PARTNER, "vals": {"payload": {"name": format!("{} left", shop.run)}}}).to_string();
    let post = async |shop: &Shop| {
        let client = Client::with_header(shop.gateway(), "x-api-key", &shop.key)
            .and("idempotency-key", &shop.run.replace(' ', "-"));
        client.try_post("create_data", body.clone()).await
    };
    tokio::select! {
        answer = post(&shop) => panic!("{answer:?}"),
        () = reached.notified() => {}
    }
    shop.kill_and_restart();
    // Odoo does it after all.
    release.notify_one();
    let all = async || shop.store.list(Filter::default(), 0, 10).await.unwrap();
    poll_for(async || all().await.iter().all(|call| call.state == State::Done)).await;
    let calls = all().await;
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].attempts > 1, "{calls:?}");
    assert_eq!(shop.made(odoo, PARTNER).await, ["left"]);
    let again = post(&shop).await.unwrap();
    assert_eq!((again.status, again.headers["idempotent-replay"].to_str().unwrap()), (200, "true"), "{again:?}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_for_a_while_is_asked_again() {
    let odoo = odoo().await;
    let shop = Shop::before(odoo, &odoo.url, "", "").await;
    let file = shop.gateway().config_file().with_file_name("delivery").join("store.sqlite");
    sqlx::any::install_default_drivers();
    let mut other = sqlx::AnyConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let is_up = async || shop.metric("odoo_gateway_store_up").await == 1.0;
    poll_for(async || !is_up().await).await;
    // Nobody who waits for an answer is kept from one.
    let client = Client::with_header(shop.gateway(), "x-api-key", &shop.key);
    let made = client.call("create_data", PARTNER, json!({"payload": {"name": format!("{} live", shop.run)}})).await;
    assert_eq!(made["is_success"], true, "{made}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let id = shop.queue("k", PARTNER, "queued").await;
    shop.until(id, State::Done).await;
    poll_for(is_up).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_lease_has_ended_records_nothing() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (reached, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hold = (reached.clone(), release.clone());
    proxy.run(move |_, rpc| match rpc {
        "res.partner/create" => Fault::Hold { reached: hold.0.clone(), release: hold.1.clone() },
        _ => Fault::Pass,
    });
    let shop = Shop::before(odoo, &proxy.url, "[delivery]\nlease = \"3s\"", "").await;
    let id = shop.queue("k", PARTNER, "late").await;
    reached.notified().await;
    shop.gateway().signal("STOP");
    let mut other = None;
    poll_for(async || {
        other = shop.store.claim("shop").await.unwrap();
        other.is_some()
    })
    .await;
    shop.gateway().signal("CONT");
    release.notify_one();
    poll_for(async || shop.metric("odoo_gateway_queue_attempts_total{end=\"lost\"}").await == 1.0).await;
    let (found, other) = (shop.find(id).await, other.unwrap());
    assert_eq!((found.state, found.attempts, found.is_held), (State::Queued, 2, true));
    assert_eq!(other.earlier.unwrap().unfinished, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_brings_to_an_end_what_was_begun_and_begins_nothing_more() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (reached, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hold = (reached.clone(), release.clone());
    proxy.run(move |_, rpc| match rpc {
        "res.partner/create" => Fault::Hold { reached: hold.0.clone(), release: hold.1.clone() },
        _ => Fault::Pass,
    });
    let mut shop = Shop::before(odoo, &proxy.url, "", "").await;
    let ids = [shop.queue("k", PARTNER, "1").await, shop.queue("k", PARTNER, "2").await];
    reached.notified().await;
    let gateway = shop.gateway.take().unwrap();
    gateway.terminate();
    time::sleep(Duration::from_millis(200)).await;
    release.notify_one();
    let (status, said, _folder) = gateway.ended().await;
    assert_eq!(status, Some(0), "{said}");
    assert_eq!((shop.state(ids[0]).await, shop.state(ids[1]).await), (State::Done, State::Queued));
    assert_eq!(shop.find(ids[1]).await.attempts, 0);
}
