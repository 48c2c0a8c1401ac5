//! Calls at the same moment that mean the same record, and what others change between a plan and its writes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use futures_util::future;
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinHandle};
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client, outcome},
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::{Odoo, odoo, odoo_14},
    poll_for,
};

fn unique(what: &str) -> String {
    format!("{what} {}", Uuid::new_v4().simple())
}

fn body(model: &str, vals: Value) -> String {
    json!({"model": model, "vals": vals}).to_string()
}

fn upsert(key: &str) -> String {
    body("res.partner", json!({"search_key": {"ref": key}, "payload": {"name": "A racer", "ref": key}}))
}

/// A new child of a parent that is made where it is not there.
fn child_of(parent: &str) -> String {
    body(
        "res.partner",
        json!({
            "payload": {"name": "A child", "parent_id": {"ref": parent}},
            "auto_create": {"parent_id": {"name": "A parent", "ref": parent}},
        }),
    )
}

async fn of_ref(odoo: &Odoo, key: &str) -> Value {
    odoo.search_count("res.partner", json!([["ref", "=", key]])).await
}

fn spawn(client: &Client, route: &'static str, body: String) -> JoinHandle<Answer> {
    let client = client.clone();
    tokio::spawn(async move { client.post(route, body).await })
}

fn error(answer: &Answer) -> &Value {
    let refused = &answer.json["result"]["error"];
    if refused.is_object() { refused } else { &answer.json["error"]["data"] }
}

fn code_and_retry(answer: &Answer) -> (&str, &str) {
    let error = error(answer);
    (error["code"].as_str().unwrap_or("ok"), error["retry"].as_str().unwrap_or_default())
}

async fn waiting(gateway: &Gateway) -> f64 {
    gateway.metrics().await.get("odoo_gateway_odoo_waiting").copied().unwrap_or_default()
}

/// A gateway before a proxy that can hold an RPC.
struct Held {
    proxy: FaultProxy,
    gateway: Gateway,
    client: Client,
    reached: Arc<Notify>,
    release: Arc<Notify>,
}

impl Held {
    async fn before(odoo: &Odoo, more: &str) -> Self {
        let proxy = FaultProxy::before(odoo).await;
        let gateway = Gateway::before(&proxy.url, &odoo.database, more);
        let client = Client::with_login(&gateway, &odoo.login, &odoo.password);
        Self { proxy, gateway, client, reached: Arc::default(), release: Arc::default() }
    }

    /// The first RPCs of this name, as many as said, are held at Odoo's door.
    fn hold(&self, held: &str, times: usize) {
        let hold = Fault::Hold { reached: self.reached.clone(), release: self.release.clone() };
        let (held, number) = (held.to_owned(), AtomicUsize::new(0));
        self.proxy.run(move |_, rpc| match rpc == held && number.fetch_add(1, Relaxed) < times {
            true => hold.clone(),
            false => Fault::Pass,
        });
    }

    fn seen(&self, rpc: &str) -> usize {
        self.proxy.seen().iter().filter(|seen| *seen == rpc).count()
    }
}

#[tokio::test]
async fn sixty_four_upserts_of_one_key_at_once_make_one_record() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_key(&gateway).await;
    let key = unique("key");
    let answers = future::join_all((0..64).map(|_| client.post("create_update_data", upsert(&key)))).await;
    assert!(answers.iter().all(|answer| outcome(answer) == "ok"), "{answers:?}");
    assert_eq!(of_ref(odoo, &key).await, 1);
}

#[tokio::test]
async fn creates_that_make_the_parent_they_lack_and_upserts_of_it_make_one_parent() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_key(&gateway).await;
    let parent = unique("parent");
    let call = |number: usize| match number % 4 {
        0 => client.post("create_update_data", upsert(&parent)),
        _ => client.post("create_data", child_of(&parent)),
    };
    let answers = future::join_all((0..16).map(call)).await;
    assert!(answers.iter().all(|answer| outcome(answer) == "ok"), "{answers:?}");
    assert_eq!(of_ref(odoo, &parent).await, 1);
    assert_eq!(odoo.search_count("res.partner", json!([["parent_id.ref", "=", parent]])).await, 12);
}

#[tokio::test]
async fn calls_that_make_each_others_parents_in_opposite_order_all_end_and_make_each_once() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_key(&gateway).await;
    for _ in 0..5 {
        let keys = [unique("a"), unique("b")];
        let call = |first: usize| {
            let (near, far) = (&keys[first], &keys[1 - first]);
            let entries =
                json!([{"name": "near", "ref": near, "parent_id": {"ref": far}}, {"name": "far", "ref": far}]);
            let vals =
                json!({"payload": {"name": "x", "parent_id": {"ref": near}}, "auto_create": {"parent_id": entries}});
            client.post("create_data", body("res.partner", vals))
        };
        let answers = future::join_all((0..8).map(|number| call(number % 2))).await;
        assert!(answers.iter().all(|answer| outcome(answer) == "ok"), "{answers:?}");
        assert_eq!(odoo.search_count("res.partner", json!([["ref", "in", keys]])).await, 2);
    }
}

#[tokio::test]
async fn calls_for_other_records_and_dry_runs_do_not_wait() {
    let odoo = odoo().await;
    let held = Held::before(odoo, "batch = false").await;
    let (key, other) = (unique("key"), unique("other"));
    held.hold("res.partner/web_save", 1);
    let vals = json!({"search_key": {"ref": key}, "payload": {"name": "x", "ref": key}, "result_field": ["name"]});
    let first = spawn(&held.client, "create_update_data", body("res.partner", vals.clone()));
    held.reached.notified().await;
    assert_eq!(outcome(&held.client.post("create_update_data", upsert(&other)).await), "ok");
    let mut dry = vals;
    dry["dry_run"] = json!(true);
    assert_eq!(outcome(&held.client.post("create_update_data", body("res.partner", dry)).await), "ok");
    let second = spawn(&held.client, "create_update_data", upsert(&key));
    poll_for(async || waiting(&held.gateway).await == 1.0).await;
    held.release.notify_one();
    for answer in [first.await.unwrap(), second.await.unwrap()] {
        assert_eq!(outcome(&answer), "ok", "{answer:?}");
    }
    assert_eq!(of_ref(odoo, &key).await, 1);
}

#[tokio::test]
async fn a_call_that_waits_for_another_of_its_key_is_told_when_its_time_is_over() {
    let odoo = odoo().await;
    let held = Held::before(odoo, "batch = false\n[limits]\ncall_timeout = \"12s\"").await;
    let key = unique("key");
    assert_eq!(outcome(&held.client.post("create_update_data", upsert(&unique("warm"))).await), "ok");
    held.hold("res.partner/create", 1);
    let first = spawn(&held.client, "create_update_data", upsert(&key));
    held.reached.notified().await;
    let second = held.client.post("create_update_data", upsert(&key)).await;
    assert_eq!((second.status, code_and_retry(&second)), (503, ("key_busy", "safe")), "{second:?}");
    held.release.notify_one();
    first.await.unwrap();
    // The lock is free when the call has ended in Odoo, whatever its caller was told.
    poll_for(async || of_ref(odoo, &key).await == 1).await;
    let third = held.client.post("create_update_data", upsert(&key)).await;
    assert_eq!(outcome(&third), "ok", "{third:?}");
    assert_eq!(of_ref(odoo, &key).await, 1);
}

/// An upsert whose create comes second, behind that of another gateway.
async fn check_loser_of_a_unique_value(odoo: &Odoo, more: &str) {
    let held = Held::before(odoo, more).await;
    let name = unique("tag");
    let vals = json!({"search_key": {"name": name}, "payload": {"name": name, "color": 3}});
    let create = if more.contains("xml") { "xmlrpc/2/object" } else { "crm.tag/create" };
    let warm = json!({"search_key": {"name": unique("w")}, "payload": {"name": unique("w"), "color": 3}});
    assert_eq!(outcome(&held.client.post("create_update_data", body("crm.tag", warm)).await), "ok");
    // By XML-RPC the search and the create look the same: it is held at the search, and the other one is made meanwhile.
    held.hold(create, 1);
    if more.contains("xml") {
        let (reached, release, number) = (held.reached.clone(), held.release.clone(), AtomicUsize::new(0));
        held.proxy.run(move |_, _| match number.fetch_add(1, Relaxed) {
            1 => Fault::Hold { reached: reached.clone(), release: release.clone() },
            _ => Fault::Pass,
        });
    }
    let loser = spawn(&held.client, "create_update_data", body("crm.tag", vals));
    held.reached.notified().await;
    let id = odoo.create("crm.tag", json!({"name": name})).await;
    held.release.notify_one();
    let answer = loser.await.unwrap();
    assert_eq!(answer.json["result"]["result"]["id"], json!([id]), "{answer:?}");
    let tag = odoo.call("crm.tag", "read", json!([[id], ["color"]]), json!({})).await.unwrap();
    assert_eq!(tag[0]["color"], 3);
    assert_eq!(odoo.search_count("crm.tag", json!([["name", "=", name]])).await, 1);
}

#[tokio::test]
async fn an_upsert_that_loses_a_race_for_a_unique_value_searches_again_and_updates() {
    check_loser_of_a_unique_value(odoo().await, "").await;
    check_loser_of_a_unique_value(odoo().await, "protocol = \"xml-rpc\"").await;
    check_loser_of_a_unique_value(odoo_14().await, "").await;
}

/// A quotation with one line, and the vals that made it.
async fn order_with_a_line(odoo: &Odoo, client: &Client) -> (i64, Value) {
    let (key, product) = (unique("order"), unique("product"));
    odoo.create("product.product", json!({"name": product, "default_code": product})).await;
    let partner = odoo.create("res.partner", json!({"name": "A customer", "ref": key})).await;
    let line = json!({"product_id": {"default_code": product}, "product_uom_qty": 2});
    let payload = json!({"client_order_ref": key, "partner_id": partner, "order_line": [line]});
    let vals = json!({"search_key": {"client_order_ref": key}, "payload": payload});
    let answer = client.post("create_update_data", body("sale.order", vals.clone())).await;
    (answer.json["result"]["result"]["id"].as_i64().unwrap_or_else(|| panic!("{answer:?}")), vals)
}

/// The vals with another quantity, so that the line that is there is not the one that is sent.
fn with_quantity(mut vals: Value, quantity: usize) -> Value {
    vals["payload"]["order_line"][0]["product_uom_qty"] = json!(quantity);
    vals
}

async fn lines_of(odoo: &Odoo, order: i64) -> Vec<Value> {
    let orders = odoo.call("sale.order", "read", json!([[order], ["order_line"]]), json!({})).await.unwrap();
    orders[0]["order_line"].as_array().unwrap().clone()
}

/// What another call does to the lines of an order: takes them away, and makes one.
async fn replace_lines(odoo: &Odoo, order: i64) {
    let lines = lines_of(odoo, order).await;
    let mut commands: Vec<Value> = lines.iter().map(|line| json!([2, line, 0])).collect();
    commands.push(json!([0, 0, {"display_type": "line_note", "name": "another's"}]));
    odoo.call("sale.order", "write", json!([[order], {"order_line": commands}]), json!({})).await.unwrap();
}

#[tokio::test]
async fn an_update_whose_lines_are_gone_is_planned_anew_and_answered_safe_when_they_go_again() {
    let odoo = odoo().await;
    let held = Held::before(odoo, "").await;
    let (order, vals) = order_with_a_line(odoo, &held.client).await;
    for (times, expected) in [(1, ("ok", "")), (2, ("missing_record", "safe"))] {
        held.hold("sale.order/write", times);
        let vals = with_quantity(vals.clone(), 10 + times);
        let update = spawn(&held.client, "create_update_data", body("sale.order", vals));
        for _ in 0..times {
            held.reached.notified().await;
            replace_lines(odoo, order).await;
            held.release.notify_one();
        }
        let answer = update.await.unwrap();
        assert_eq!((answer.status, code_and_retry(&answer)), (200, expected), "{answer:?}");
        assert_eq!(held.seen("sale.order/write"), 2);
        assert_eq!(lines_of(odoo, order).await.len(), 1);
    }
}

#[tokio::test]
async fn two_updates_of_one_order_with_lines_at_once_both_go_well() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_key(&gateway).await;
    let (order, vals) = order_with_a_line(odoo, &client).await;
    for route in ["create_update_data", "update_data"] {
        for round in 0..5 {
            let update = |n: usize| client.post(route, body("sale.order", with_quantity(vals.clone(), 10 * round + n)));
            let answers = future::join_all((0..2).map(update)).await;
            assert!(answers.iter().all(|answer| outcome(answer) == "ok"), "{answers:?}");
            assert_eq!(lines_of(odoo, order).await.len(), 1);
        }
    }
}

#[tokio::test]
async fn what_odoo_refuses_whatever_others_do_is_sent_once_and_not_to_be_tried_again() {
    let odoo = odoo().await;
    let held = Held::before(odoo, "").await;
    // A product's barcode must be its own.
    let (barcode, key) = (unique("barcode"), unique("key"));
    odoo.create("product.product", json!({"name": "first", "barcode": barcode})).await;
    let vals = json!({"search_key": {"default_code": key}, "payload": {"name": "second", "barcode": barcode}});
    held.hold("", 0);
    let answer = held.client.post("create_update_data", body("product.product", vals)).await;
    assert_eq!(code_and_retry(&answer), ("validation_error", "no"), "{answer:?}");
    assert_eq!((held.seen("product.product/create"), held.seen("product.product/search_read")), (1, 2));
}

#[tokio::test]
async fn a_record_that_was_found_and_deleted_meanwhile_is_looked_up_again() {
    let odoo = odoo().await;
    let held = Held::before(odoo, "").await;
    let parent = unique("parent");
    let vals = json!({"payload": {"name": "A child", "parent_id": {"ref": parent}}});
    let id = odoo.create("res.partner", json!({"name": "A parent", "ref": parent})).await;
    held.hold("res.partner/create", 1);
    let create = spawn(&held.client, "create_data", body("res.partner", vals));
    held.reached.notified().await;
    odoo.call("res.partner", "unlink", json!([[id]]), json!({})).await.unwrap();
    held.release.notify_one();
    let answer = create.await.unwrap();
    assert_eq!(code_and_retry(&answer), ("no_match", "no"), "{answer:?}");
}
