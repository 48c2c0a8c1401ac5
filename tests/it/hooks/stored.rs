//! What a hook has accepted is not lost, and is done once: whatever Odoo, the template or the sender does.

use std::fs;

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::shop::{ORDER, Shop, orders, unique};
use crate::support::{
    client::outcome,
    fault::{Fault, FaultProxy},
    odoo::odoo,
    poll_for,
};

const BY_EVENT: &str = "delivery_id = '$headers[\"x-event-id\"]'";

fn order() -> (Value, String) {
    let reference = unique("order");
    (json!({"ref": reference, "customer": unique("customer"), "note": "n", "sku": null}), reference)
}

fn attempt(event: &str) -> HeaderMap {
    HeaderMap::from_iter([("x-event-id".parse().unwrap(), HeaderValue::from_str(event).unwrap())])
}

async fn nobody() -> String {
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    format!("http://{address}")
}

#[tokio::test]
async fn a_delivery_is_on_disk_while_odoo_was_never_there() {
    let odoo = odoo().await;
    let shop = Shop::before(&nobody().await, odoo, "", ORDER, BY_EVENT);
    let (body, _) = order();
    let answer = shop.send_with(attempt("e-1"), &body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let received = shop.gateway.lines().into_iter().find(|line| line["event"] == "call.received").unwrap();
    assert_eq!((&received["sent"]["body"], &received["sent"]["method"]), (&body, &json!("POST")), "{received}");
    assert_eq!(shop.stored("state, hook, delivery_id").await, [["queued", "shop", "e-1"]]);
    // It survives the gateway, too.
    let shop = shop.killed_and_started_again(&odoo.key);
    assert_eq!(shop.stored("state").await, [["queued"]]);
    let again = shop.send_with(attempt("e-1"), &body).await;
    assert_eq!((again.status, outcome(&again)), (200, "replayed".to_owned()));
}

#[tokio::test]
async fn a_delivery_whose_account_odoo_does_not_accept_is_kept() {
    let odoo = odoo().await;
    let mut wrong = odoo.clone();
    wrong.key = "0123456789abcdef0123456789abcdef01234567".to_owned();
    let shop = Shop::before(&odoo.url, &wrong, "", ORDER, "");
    let (body, reference) = order();
    assert_eq!(shop.send(&body).await.status, 202);
    poll_for(async || !shop.stored("error").await[0][0].is_empty()).await;
    assert_eq!(shop.stored("state, error").await, [["queued", "client_account"]]);
    let shop = shop.killed_and_started_again(&odoo.key);
    let (code, _, error) = shop.gateway.run(&["queue", "resume", "shop"]);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(shop.ended().await, ["done"]);
    assert_eq!(orders(&reference).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_delivery_that_is_refused_is_parked_and_done_when_its_template_is_mended() {
    let shop = Shop::start("{payload: {name: error(\"no such thing\")}}", BY_EVENT).await;
    let (body, reference) = order();
    assert_eq!(shop.send_with(attempt("e-1"), &body).await.status, 202);
    assert_eq!(shop.ended().await, ["dead"]);
    assert_eq!(shop.stored("error").await, [["hook_template"]]);
    // Its sender need not send it again.
    let again = shop.send_with(attempt("e-1"), &body).await;
    assert_eq!((again.status, outcome(&again)), (200, "replayed".to_owned()));
    fs::write(shop.template(), ORDER).unwrap();
    shop.retried().await;
    assert_eq!(orders(&reference).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_parked_with_its_text() {
    let shop = Shop::start(ORDER, "").await;
    let answer = shop.client.send("POST", "/hooks/shop", HeaderMap::new(), Some("{\"ref\": ".to_owned())).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(shop.ended().await, ["dead"]);
    assert_eq!(shop.stored("error").await, [["hook_body"]]);
    let received = shop.gateway.lines().into_iter().find(|line| line["event"] == "call.received").unwrap();
    assert_eq!(received["sent"]["unreadable"]["text"], "{\"ref\": ", "{received}");
}

#[tokio::test]
async fn attempts_that_a_sender_signs_anew_are_one_delivery() {
    for accept in ["store", "answer"] {
        let shop = Shop::start(
            "{route: \"create_data\", model: \"res.partner\", vals: {payload: {name: .customer}}}",
            &format!("{BY_EVENT}\naccept = \"{accept}\""),
        )
        .await;
        let (mut body, _) = order();
        for number in 0..3 {
            // Times and numbers of attempts differ.
            body["attempt"] = json!(number);
            let answer = shop.send_with(attempt("e-1"), &body).await;
            let expected = if number > 0 { "replayed" } else { "ok" };
            assert_eq!(outcome(&answer), expected, "{accept} {number}: {answer:?}");
        }
        assert_eq!(shop.ended().await, ["done"]);
        assert_eq!(odoo().await.search_count("res.partner", json!([["name", "=", body["customer"]]])).await, 1);
    }
}

#[tokio::test]
async fn a_delivery_without_the_identity_that_its_hook_needs_is_parked() {
    let shop = Shop::start(ORDER, "delivery_id = 'need($headers[\"x-event-id\"])'").await;
    let (body, _) = order();
    assert_eq!(shop.send(&body).await.status, 202);
    assert_eq!(shop.ended().await, ["dead"]);
    let why = shop.ends().pop().unwrap()["message"].as_str().unwrap().to_owned();
    assert!(why.starts_with("`delivery_id` of this hook fails on this body: "), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_of_a_delivery_in_doubt_is_not_told_that_it_is_done() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    // Nothing finds out what a method has done.
    let template = "{route: \"call_function\", model: \"res.partner\", vals: {search_key: {id: 1}, payload: {method: \"message_post\", parameter: {body: \"once\"}}}}";
    let shop = Shop::before(&proxy.url, odoo, "", template, BY_EVENT);
    proxy.run(|_, rpc| if rpc == "res.partner/message_post" { Fault::ResetAfter } else { Fault::Pass });
    let (body, _) = order();
    assert_eq!(shop.send_with(attempt("e-1"), &body).await.status, 202);
    assert_eq!(shop.ended().await, ["in_doubt"]);
    let again = shop.send_with(attempt("e-1"), &body).await;
    assert_eq!((again.status, outcome(&again)), (409, "delivery_in_doubt".to_owned()));
}

#[tokio::test]
async fn a_delivery_by_a_hook_that_the_configuration_has_no_more_waits_for_it() {
    let odoo = odoo().await;
    let shop = Shop::before(&nobody().await, odoo, "", ORDER, "");
    let (body, reference) = order();
    assert_eq!(shop.send(&body).await.status, 202);
    let file = shop.gateway.config_file();
    let config = fs::read_to_string(&file).unwrap();
    let url = config.lines().find_map(|line| line.strip_prefix("url = ")).unwrap().to_owned();
    let config = config.replace(&url, &format!("\"{}\"", odoo.url));
    fs::write(&file, config.replace("/hooks/shop", "/hooks/other")).unwrap();
    let shop = shop.killed_and_started_again(&odoo.key);
    poll_for(async || shop.stored("state, error").await == [["queued", "unknown_hook"]]).await;
    fs::write(&file, config).unwrap();
    let shop = shop.killed_and_started_again(&odoo.key);
    shop.retried().await;
    assert_eq!(orders(&reference).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_unknown_field_is_refused_and_not_warned_of() {
    let shop = Shop::start(
        "{route: \"create_data\", model: \"res.partner\", vals: {payload: {name: .customer, naem: 1}}}",
        "",
    )
    .await;
    let (body, _) = order();
    assert_eq!(shop.send(&body).await.status, 202);
    assert_eq!(shop.ended().await, ["dead"]);
    assert_eq!(shop.stored("error").await, [["unknown_field"]]);
}
