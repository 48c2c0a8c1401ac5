//! Deliveries of several calls: in order, each in the log, and another attempt goes on from the one that failed.

use std::fs;

use serde_json::{Value, json};

use super::shop::{Shop, orders, unique};
use crate::support::{
    fault::{Fault, FaultProxy},
    odoo::odoo,
    poll_for,
};

/// An order, which is then confirmed by its id.
const CONFIRMED: &str = r#"
[
  {
    vals: {
      search_key: {client_order_ref: .ref},
      payload: {client_order_ref: .ref, partner_id: {name: .customer}, note: .note},
      auto_create: {partner_id: {name: .customer}}
    }
  },
  {
    route: "call_function",
    vals: {search_key: {id: $results[0].id}, payload: {method: "action_confirm"}}
  }
]
"#;

fn order() -> (Value, String) {
    let reference = unique("order");
    (json!({"ref": reference, "customer": unique("customer"), "note": "as it came"}), reference)
}

/// State of each call of the log that is a part of a delivery, by step.
fn steps(shop: &Shop) -> Vec<(u64, String)> {
    let steps =
        shop.ends().into_iter().filter_map(|line| Some((line["step"].as_u64()?, line["state"].as_str()?.to_owned())));
    steps.collect()
}

#[tokio::test]
async fn an_order_is_made_and_then_confirmed_by_the_id_that_it_got() {
    for accept in ["answer", "store"] {
        let shop = Shop::start(CONFIRMED, &format!("accept = \"{accept}\"\ndelivery_id = \".ref\"")).await;
        let (body, reference) = order();
        let answer = shop.send(&body).await;
        if accept == "answer" {
            let results = &answer.json["result"]["result"];
            assert_eq!(
                (results[0]["route"].clone(), results[1]["route"].clone()),
                (json!("create_update_data"), json!("call_function")),
                "{answer:?}"
            );
        } else {
            assert_eq!(answer.status, 202, "{answer:?}");
            assert_eq!(shop.ended().await, ["done"]);
        }
        let found = orders(&reference).await;
        assert_eq!((found.as_array().unwrap().len(), &found[0]["state"]), (1, &json!("sale")), "{found}");
        assert_eq!(steps(&shop), [(1, "done".to_owned()), (2, "done".to_owned())]);
        let delivery = answer.headers["gateway-call-id"].to_str().unwrap().to_owned();
        let of: Vec<_> = shop
            .gateway
            .lines()
            .into_iter()
            .filter(|line| line["attempt_of"] == *delivery && line["step"].is_u64())
            .collect();
        assert!(!of.is_empty(), "each call names its delivery");
        // The sender's repetition makes nothing.
        assert_eq!(shop.send(&body).await.status, 200);
        assert_eq!(orders(&reference).await.as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_delivery_that_was_refused_half_way_goes_on_from_there_when_its_template_is_mended() {
    let shop =
        Shop::start(&CONFIRMED.replace("action_confirm", "action_that_is_not_there"), "delivery_id = \".ref\"").await;
    let (body, reference) = order();
    assert_eq!(shop.send(&body).await.status, 202);
    assert_eq!(shop.ended().await, ["dead"]);
    let stopped = shop.ends().into_iter().rfind(|line| line["step"].is_null() && line["state"] == "failed").unwrap();
    assert_eq!(stopped["result"]["error"]["delivery"], json!({"call": 2, "of": 2, "done": 1}), "{stopped}");
    // A second order of the same reference would be seen.
    let id = orders(&reference).await[0]["id"].clone();
    let odoo = odoo().await;
    odoo.call("sale.order", "write", json!([[id], {"client_order_ref": format!("{reference} moved")}]), json!({}))
        .await
        .unwrap();
    fs::write(shop.template(), CONFIRMED).unwrap();
    shop.retried().await;
    assert_eq!(orders(&reference).await, json!([]), "the first call is not made again");
    assert_eq!(orders(&format!("{reference} moved")).await[0]["state"], "sale");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_killed_between_two_calls_makes_each_of_them_once() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let shop = Shop::before(
        &proxy.url,
        odoo,
        "[delivery]\nlease = \"3s\"\nlongest_request = \"6s\"",
        CONFIRMED,
        "delivery_id = \".ref\"",
    );
    proxy.run(|_, rpc| if rpc == "sale.order/action_confirm" { Fault::Stall(Vec::new()) } else { Fault::Pass });
    let (body, reference) = order();
    assert_eq!(shop.send(&body).await.status, 202);
    poll_for(async || shop.stored("state, CAST(progress IS NOT NULL AS TEXT)").await == [["queued", "1"]]).await;
    let shop = shop.killed_and_started_again(&odoo.key);
    proxy.run(|_, _| Fault::Pass);
    poll_for(async || orders(&reference).await[0]["state"] == "sale").await;
    assert_eq!(orders(&reference).await.as_array().unwrap().len(), 1);
    assert_eq!(shop.ended().await, ["done"]);
}

#[tokio::test]
async fn one_hook_makes_records_of_many_models() {
    let template = r#"[.events[] | if .kind == "contact"
        then {route: "create_data", model: "res.partner", vals: {payload: {name}}}
        else {route: "create_data", model: "res.partner.category", vals: {payload: {name}}} end]"#;
    let shop = Shop::start(template, "accept = \"answer\"").await;
    let (contact, tag) = (unique("contact"), unique("tag"));
    let answer =
        shop.send(&json!({"events": [{"kind": "contact", "name": contact}, {"kind": "tag", "name": tag}]})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let odoo = odoo().await;
    for (model, name) in [("res.partner", contact), ("res.partner.category", tag)] {
        assert_eq!(odoo.search_count(model, json!([["name", "=", name]])).await, 1);
    }
}
