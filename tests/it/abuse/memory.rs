//! What bodies and answers take in memory: bodies of very many small values, many at a time, and a search of many rows.

use futures_util::future;
use serde_json::json;

use crate::support::{
    client::{Client, outcome},
    gateway::Gateway,
    odoo::odoo,
};

const MIB: usize = 1 << 20;
/// What an operator may give a gateway; address space counts, so that what is taken and not touched counts, too.
const LIMIT: u64 = 4 << 30;

/// A payload of about so many bytes, with a list of such items.
fn body(item: &str, size: usize) -> String {
    let list = vec![item; size / (item.len() + 1)].join(",");
    format!(r#"{{"params": {{"model": "res.partner", "vals": {{"payload": {{"name": "x", "comment": [{list}]}}}}}}}}"#)
}

async fn serves(client: &Client) -> bool {
    let vals = json!({"payload": {"limit": 1, "search_field": ["code"]}});
    client.call("search_data", "res.country", vals).await["is_success"] == true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_very_many_values_are_refused_before_they_take_memory() {
    let odoo = odoo().await;
    let mixed = format!("{}1{}", r#"{"a":[{"b":"#.repeat(8), "}]}".repeat(8));
    for (item, sizes) in [
        (r#"{"a":0}"#, &[1, 10, 40][..]),
        ("0", &[1, 10, 40]),
        ("[]", &[40]),
        (r#""a""#, &[40]),
        (r#"{"a":0,"b":"c"}"#, &[40]),
        (&mixed, &[40]),
    ] {
        for size in sizes {
            let gateway = Gateway::before(&odoo.url, &odoo.database, "");
            gateway.limit_address_space(LIMIT);
            let client = Client::with_key(&gateway).await;
            assert!(serves(&client).await);
            let before = gateway.memory().0;
            let answer = client.post("create_data", body(item, size * MIB)).await;
            let most = gateway.memory().1 - before;
            println!("{item:.20} {size} MiB: {} {}, {} MiB", answer.status, outcome(&answer), most >> 20);
            // What is planned is refused, since a comment is no list; what is larger is not planned at all.
            let expected = if *size == 1 { (200, "invalid_value") } else { (413, "too_many_values") };
            assert_eq!((answer.status, outcome(&answer).as_str()), expected, "{item:.20} {size} MiB");
            assert!(most < 3 * size * MIB + 128 * MIB, "{item:.20} {size} MiB: {} MiB", most >> 20);
            assert!(serves(&client).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_parsed_at_a_time_stays_within_twice_the_memory_for_bodies() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "[limits]\nbodies = \"256 MiB\"");
    let client = Client::with_key(&gateway).await;
    assert!(serves(&client).await);
    let before = gateway.memory().0;
    let alone = client.post("create_data", body(r#"{"a":0}"#, 4 * MIB)).await;
    assert_eq!((alone.status, outcome(&alone).as_str()), (413, "body_too_large"), "{alone:?}");
    assert!(alone.json["error"]["message"].as_str().unwrap().contains("[limits] bodies"), "{alone:?}");
    let body = body(r#"{"a":0}"#, MIB);
    let answers = future::join_all((0..16).map(|_| client.post("create_data", body.clone()))).await;
    let mut codes: Vec<String> = answers.iter().map(outcome).collect();
    codes.sort_unstable();
    codes.dedup();
    let most = gateway.memory().1 - before;
    println!("{codes:?}, {} MiB", most >> 20);
    assert!(codes.iter().all(|code| matches!(code.as_str(), "invalid_value" | "too_busy")), "{codes:?}");
    assert!(most < 512 * MIB, "{} MiB", most >> 20);
    assert_eq!(outcome(&client.post("create_data", body).await), "invalid_value");
    assert!(gateway.metrics().await["odoo_gateway_bodies_bytes"] < 1e6, "all of it is given back");
}

#[tokio::test]
async fn a_domain_in_a_text_counts_as_what_it_is_parsed_into() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "[limits]\nvalues = 1000\nbodies = \"128 MiB\"");
    let client = Client::with_key(&gateway).await;
    let search = async |domain: String| {
        let payload = json!({"limit": 1, "search_field": ["code"], "search_domain": domain});
        let body = json!({"params": {"model": "res.country", "vals": {"payload": payload}}});
        outcome(&client.post("search_data", body.to_string()).await)
    };
    assert_eq!(search(format!("[('id', 'in', [{}])]", "1,".repeat(500))).await, "ok");
    // A quotation mark within the other kind of text hides nothing.
    assert_eq!(
        search(format!("[('name', '=', '\"'), ('id', 'in', [{}])]", "1,".repeat(1000))).await,
        "too_many_values"
    );
}

#[tokio::test]
async fn an_answer_that_would_take_too_much_memory_is_not_parsed() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "[limits]\nbody = \"1 MiB\"\nbodies = \"4 MiB\"");
    let client = Client::with_key(&gateway).await;
    let search = |limit: usize| json!({"payload": {"limit": limit, "search_field": ["name", "model", "ttype"]}});
    let model = "ir.model.fields";
    let answer = |limit| json!({"params": {"model": model, "vals": search(limit)}}).to_string();
    assert_eq!(client.call("search_data", model, search(100)).await["is_success"], true);
    let refused = client.post("search_data", answer(8_000)).await;
    assert_eq!((refused.status, outcome(&refused).as_str()), (502, "answer_too_large"), "{:?}", refused.json["error"]);
    let message = refused.json["error"]["message"].as_str().unwrap();
    assert!(message.contains("[limits] bodies") && message.contains("`limit`"), "{message}");
    assert_eq!(client.call("search_data", model, search(100)).await["is_success"], true);
}
