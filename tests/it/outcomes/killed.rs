//! What the next gateway finds out of a create within which one was killed.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use super::{record, unique};
use crate::support::{
    client::{Client, outcome},
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::odoo,
    poll_for,
};

/// A gateway whose calls can be taken over soon after its end.
fn keyed(longest_request: &str) -> String {
    format!(
        "retries = 0\n[delivery]\nlease = \"3s\"\nlongest_request = \"{longest_request}\"\n[limits]\ncall_timeout = \"15s\""
    )
}

/// Makes a create with a key, and kills its gateway while Odoo has not seen it yet. It reaches Odoo where `is_late`.
async fn killed_within_a_create(more: &str, is_late: bool) -> (FaultProxy, Gateway, Client, String, String) {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, more);
    let name = unique();
    let client = |gateway: &Gateway| {
        Client::with_header(gateway, "authorization", &format!("Bearer {}", odoo.key))
            .and("idempotency-key", &name.replace(' ', "-"))
    };
    let (reached, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    proxy.run(move |_, rpc| if rpc.ends_with("/create") { hold.clone() } else { Fault::Pass });
    let body = json!({"model": "res.partner", "vals": {"payload": {"name": name}}}).to_string();
    let (first, sent) = (client(&gateway), body.clone());
    let call = tokio::spawn(async move { first.try_post("create_data", sent).await.map(|_| ()) });
    reached.notified().await;
    let folder = gateway.kill();
    call.await.unwrap().unwrap_err();
    if is_late {
        release.notify_one();
        poll_for(async || odoo.search_count("res.partner", json!([["name", "=", name]])).await == 1).await;
    }
    proxy.run(|_, _| Fault::Pass);
    let gateway = Gateway::again(folder).unwrap();
    let client = client(&gateway);
    (proxy, gateway, client, name, body)
}

#[tokio::test]
async fn a_call_that_a_killed_gateway_had_sent_is_found_and_one_that_never_arrived_is_sent() {
    for (is_late, creates) in [(true, 0), (false, 1)] {
        let (proxy, gateway, client, name, body) = killed_within_a_create(&keyed("2s"), is_late).await;
        let mut answer = client.post("create_data", body.clone()).await;
        // The key is in progress until the lease of the dead has ended.
        while outcome(&answer) == "key_in_progress" {
            answer = client.post("create_data", body.clone()).await;
        }
        let id = record(&answer)["id"].clone();
        let found =
            odoo().await.call("res.partner", "search", json!([[["name", "=", name]]]), json!({})).await.unwrap();
        assert_eq!(found, json!([id]), "{is_late}");
        assert_eq!(proxy.seen().iter().filter(|rpc| rpc.ends_with("/create")).count(), creates, "{is_late}");
        // Its end is known from now on.
        assert_eq!(record(&client.post("create_data", body).await)["id"], id);
        drop(gateway);
    }
}

#[tokio::test]
async fn a_call_that_may_still_be_at_work_is_not_sent_again_however_often_it_comes() {
    let (proxy, _gateway, client, name, body) = killed_within_a_create(&keyed("1h"), false).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let answer = client.post("create_data", body.clone()).await;
        if outcome(&answer) != "key_in_progress" {
            assert_eq!(answer.json["error"]["data"]["retry"], "safe", "{answer:?}");
            seen.push((answer.status, outcome(&answer)));
        }
    }
    assert_eq!(seen, [(504, "settling".to_owned()), (504, "settling".to_owned())]);
    assert_eq!(odoo().await.search_count("res.partner", json!([["name", "=", name]])).await, 0);
    assert_eq!(proxy.seen().iter().filter(|rpc| rpc.ends_with("/create")).count(), 0);
}
