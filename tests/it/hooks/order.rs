//! The order of events: what is about the same record goes one after another, and an older event never hides a newer one.

use std::time::Duration;

use futures_util::future;
use serde_json::{Value, json};
use tokio::time;

use super::shop::{ORDER, Shop, orders, unique};
use crate::support::odoo::odoo;

/// `ODOO_GATEWAY_TEST_ROUNDS=20` for many.
fn rounds() -> usize {
    std::env::var("ODOO_GATEWAY_TEST_ROUNDS").map_or(2, |rounds| rounds.parse().unwrap())
}

fn entry(accept: &str) -> String {
    format!("accept = \"{accept}\"\nkey = \".ref\"\nonly_if_newer = \".updated_at\"\ndelivery_id = \".event\"")
}

fn event(number: u32, reference: &str, customer: &str, sku: Option<&str>) -> Value {
    json!({
        "event": format!("{reference} {number}"), "ref": reference, "customer": customer, "sku": sku,
        "note": format!("version {number}"), "updated_at": format!("2026-03-04T10:00:0{number}+02:00"),
    })
}

/// Two events of one new order, the second one so long after the first.
async fn send_both(shop: &Shop, reference: &str, gap: Duration, is_newer_first: bool) {
    let customer = unique("customer");
    let (created, updated) =
        (event(1, reference, &customer, Some(&unique("product"))), event(2, reference, &customer, None));
    let (first, second) = if is_newer_first { (updated, created) } else { (created, updated) };
    let second = async {
        time::sleep(gap).await;
        shop.send(&second).await
    };
    let (first, second) = future::join(shop.send(&first), second).await;
    for answer in [first, second] {
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
    }
}

async fn one_order_for_each(accept: &str) {
    let shop = Shop::start(ORDER, &entry(accept)).await;
    let mut references = Vec::new();
    for gap in [0, 10, 30, 60, 100] {
        for round in 0..rounds() {
            for is_newer_first in [false, true] {
                let reference = unique(&format!("order {gap} {round}"));
                send_both(&shop, &reference, Duration::from_millis(gap), is_newer_first).await;
                references.push((reference, gap, is_newer_first));
            }
        }
    }
    let states = shop.ended().await;
    assert!(states.iter().all(|state| state == "done"), "{states:?}");
    for (reference, gap, is_newer_first) in &references {
        let found = orders(reference).await;
        let [order] = &found.as_array().unwrap()[..] else { panic!("{gap} ms, {is_newer_first}: {found}") };
        assert!(order["note"].as_str().unwrap().contains("version 2"), "{gap} ms, {is_newer_first}: {order}");
    }
    let ignored = shop.ends().iter().filter(|line| line["state"] == "ignored").count();
    println!("{} pairs of events, {ignored} events ignored as older", references.len());
    assert!(ignored > 0, "an older event that came last is ignored");
}

#[tokio::test]
async fn created_and_updated_of_one_new_order_that_are_stored_make_one_order_in_its_newer_state() {
    one_order_for_each("store").await;
}

#[tokio::test]
async fn created_and_updated_of_one_new_order_that_are_answered_make_one_order_in_its_newer_state() {
    one_order_for_each("answer").await;
}

#[tokio::test]
async fn two_orders_of_one_new_customer_and_of_one_new_product_make_one_of_each() {
    let odoo = odoo().await;
    for accept in ["store", "answer"] {
        let shop = Shop::start(ORDER, &entry(accept)).await;
        let mut made = Vec::new();
        for _ in 0..rounds() {
            let (customer, sku) = (unique("customer"), unique("product"));
            let references = [unique("order"), unique("order"), unique("order")];
            let sent = references.iter().map(|reference| event(1, reference, &customer, Some(&sku)));
            let sent = sent.map(async |event| shop.send(&event).await);
            let statuses: Vec<u16> = future::join_all(sent).await.iter().map(|answer| answer.status).collect();
            assert!(statuses.iter().all(|status| matches!(status, 200 | 202)), "{statuses:?}");
            made.push((customer, sku, references));
        }
        let states = shop.ended().await;
        assert!(states.iter().all(|state| state == "done"), "{states:?}");
        for (customer, sku, references) in made {
            assert_eq!(odoo.search_count("res.partner", json!([["name", "=", customer]])).await, 1, "{accept}");
            assert_eq!(odoo.search_count("product.template", json!([["name", "=", sku]])).await, 1, "{accept}");
            for reference in references {
                assert_eq!(orders(&reference).await.as_array().unwrap().len(), 1, "{accept}");
            }
        }
    }
}

#[tokio::test]
async fn a_record_that_does_not_match_when_is_left_as_it_is() {
    let odoo = odoo().await;
    let shop = Shop::start(ORDER, "accept = \"answer\"\nwhen = [[\"state\", \"=\", \"draft\"]]").await;
    let (reference, customer) = (unique("order"), unique("customer"));
    let note = async || orders(&reference).await[0]["note"].as_str().unwrap().to_owned();
    for number in [1, 2] {
        let answer = shop.send(&event(number, &reference, &customer, None)).await;
        assert_eq!(answer.json["result"]["is_success"], true, "{answer:?}");
        assert!(note().await.contains(&format!("version {number}")));
    }
    let id = &orders(&reference).await[0]["id"];
    odoo.call("sale.order", "write", json!([[id], {"state": "cancel"}]), json!({})).await.unwrap();
    let answer = shop.send(&event(3, &reference, &customer, None)).await;
    let told = &answer.json["result"]["result"];
    assert_eq!(told["code"], "not_when", "{answer:?}");
    let why = told["ignored"].as_str().unwrap();
    assert!(why.contains(&format!("record {id} of `sale.order` does not match `when`")), "{why}");
    assert!(note().await.contains("version 2"));
    let last = shop.ends().pop().unwrap();
    assert_eq!((&last["state"], &last["error"]), (&json!("ignored"), &Value::Null), "{last}");
}
