//! Order, outages, pace, and what is to be seen of a queue.

use std::{net::TcpListener, sync::Arc, time::Instant};

use odoo_gateway::store::{Filter, State};
use serde_json::json;
use tokio::sync::Notify;

use super::Shop;
use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    odoo::odoo,
    poll_for,
};

const PARTNER: &str = "res.partner";
const TAG: &str = "res.partner.category";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_a_key_are_delivered_in_order_once_odoo_is_there() {
    let odoo = odoo().await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shop = Shop::before(odoo, &format!("http://{address}"), "", "").await;
    let mut ids = Vec::new();
    for number in 0..8 {
        for lane in ["a", "b", "c"] {
            ids.push(shop.queue(lane, PARTNER, &format!("{lane}{number}")).await);
        }
    }
    poll_for(async || shop.metric("odoo_gateway_queue_calls{client=\"shop\",state=\"queued\"}").await == 24.0).await;
    let tries: u32 = futures_util::future::join_all(ids.iter().map(|id| shop.find(*id)))
        .await
        .iter()
        .map(|call| call.attempts)
        .sum();
    assert!(tries <= 8, "{tries} tries while Odoo is away");

    let _proxy = FaultProxy::at(address, odoo).await;
    assert!(shop.until_closed(&ids).await.iter().all(|state| *state == State::Done));
    let made = shop.made(odoo, PARTNER).await;
    assert_eq!(made.len(), 24, "{made:?}");
    for lane in ["a", "b", "c"] {
        let of_lane: Vec<&String> = made.iter().filter(|name| name.starts_with(lane)).collect();
        let expected: Vec<String> = (0..8).map(|number| format!("{lane}{number}")).collect();
        assert_eq!(of_lane, expected.iter().collect::<Vec<_>>());
    }
    // Each attempt is a call of its own in the log, and says whose.
    let log = shop.gateway().log();
    let last = log.iter().rfind(|line| line["attempt_of"] == ids[23].to_string().as_str()).unwrap();
    assert_eq!((&last["state"], &last["client"]), (&"done".into(), &"shop".into()), "{last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_tried_again_keeps_its_own_key_waiting_and_is_shown() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let too_many = || Fault::Answer { status: "429 Too Many Requests", body: String::new() };
    proxy.run(move |_, rpc| if rpc == "res.partner.category/create" { too_many() } else { Fault::Pass });
    let shop = Shop::before(odoo, &proxy.url, "", "").await;
    let blocked = [shop.queue("tags", TAG, "1").await, shop.queue("tags", TAG, "2").await];
    poll_for(async || shop.find(blocked[0]).await.error.is_some()).await;
    let passes = shop.queue("partners", PARTNER, "1").await;
    shop.until(passes, State::Done).await;
    let first = shop.find(blocked[0]).await;
    assert_eq!((first.state, first.error.as_deref()), (State::Queued, Some("odoo_overloaded")));
    let waiting = shop.store.list(Filter { is_blocked: true, ..Filter::default() }, 0, 10).await.unwrap();
    assert_eq!(waiting.iter().map(|call| (call.id, call.attempts)).collect::<Vec<_>>(), [(blocked[1], 0)]);
    poll_for(async || shop.metric("odoo_gateway_queue_blocked_keys{client=\"shop\"}").await == 1.0).await;

    proxy.run(|_, _| Fault::Pass);
    assert_eq!(shop.until_closed(&blocked).await, [State::Done, State::Done]);
    assert_eq!(shop.made(odoo, TAG).await, ["1", "2"]);
}

#[tokio::test]
async fn what_odoo_refuses_is_dead_at_once_and_its_key_goes_on() {
    let odoo = odoo().await;
    let shop = Shop::before(odoo, &odoo.url, "", "never_write = [\"res.partner.category.*\"]").await;
    let ids = [shop.queue("k", TAG, "denied").await, shop.queue("k", PARTNER, "next").await];
    assert_eq!(shop.until_closed(&ids).await, [State::Dead, State::Done]);
    let dead = shop.find(ids[0]).await;
    assert_eq!((dead.error.as_deref(), dead.attempts), (Some("field_not_writable"), 1));
    let outcome = String::from_utf8(dead.outcome.unwrap()).unwrap();
    assert!(outcome.contains("never_write"), "{outcome}");
    assert_eq!(shop.metric("odoo_gateway_queue_attempts_total{end=\"dead\"}").await, 1.0);
    assert_eq!(shop.metric("odoo_gateway_queue_attempts_total{end=\"done\"}").await, 1.0);
    assert!(shop.metric("odoo_gateway_queue_claim_duration_seconds_count").await >= 2.0);
}

#[tokio::test]
async fn calls_are_begun_at_the_rate_of_the_configuration() {
    let odoo = odoo().await;
    let shop = Shop::before(odoo, &odoo.url, "[delivery]\nrate = 4", "").await;
    let mut ids = Vec::new();
    for number in 0..13 {
        ids.push(shop.queue(&format!("lane {number}"), PARTNER, &number.to_string()).await);
    }
    let done = Filter { states: vec![State::Done], ..Filter::default() };
    poll_for(async || !shop.store.list(done.clone(), 0, 20).await.unwrap().is_empty()).await;
    let began = Instant::now();
    shop.until_closed(&ids).await;
    // The first has ended, twelve more are begun a quarter of a second apart.
    let took = began.elapsed().as_secs_f64();
    assert!((2.4..6.0).contains(&took), "{took}");
    assert_eq!(shop.made(odoo, PARTNER).await.len(), 13);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_begun_while_callers_wait_for_odoo() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let shop = Shop::before(odoo, &proxy.url, "max_in_flight = 1", "").await;
    let client = Client::with_header(shop.gateway(), "x-api-key", &shop.key);
    let country = json!({"payload": {"limit": 1, "search_field": ["code"]}});
    client.call("search_data", "res.country", country.clone()).await;
    let (reached, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hold = (reached.clone(), release.clone());
    proxy.run(move |number, _| match number {
        0 => Fault::Hold { reached: hold.0.clone(), release: hold.1.clone() },
        _ => Fault::Pass,
    });
    let search = async || client.call("search_data", "res.country", country.clone()).await;
    let other = json!({"payload": {"limit": 1, "search_field": ["name"]}});
    let waits = async || client.call("search_data", "res.currency", other.clone()).await;
    let watch = async {
        reached.notified().await;
        poll_for(async || shop.metric("odoo_gateway_odoo_waiting").await == 1.0).await;
        let id = shop.queue("k", PARTNER, "later").await;
        poll_for(async || shop.metric("odoo_gateway_queue_calls{client=\"shop\",state=\"queued\"}").await == 1.0).await;
        assert_eq!(shop.find(id).await.attempts, 0);
        release.notify_one();
        id
    };
    let (_, _, id) = futures_util::future::join3(search(), waits(), watch).await;
    shop.until(id, State::Done).await;
}

#[tokio::test]
async fn readiness_tells_whether_the_store_answers() {
    let odoo = odoo().await;
    let shop = Shop::before(odoo, &odoo.url, "", "").await;
    let (status, body) = shop.gateway().get_admin("/ready").await;
    assert_eq!((status, &body["store"]), (200, &"answers".into()), "{body}");
    poll_for(async || shop.metric("odoo_gateway_store_up").await == 1.0).await;
}
