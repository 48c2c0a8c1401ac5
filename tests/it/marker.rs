//! `[delivery] marker = "external-id"`: the record of a call has an external id of its own, and is found by it.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::support::{
    client::{Client, outcome},
    fault::{Fault, FaultProxy},
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo},
    poll_for,
};

const DELIVERY: &str = "[delivery]\nmarker = \"external-id\"\nlongest_request = \"3s\"\nlease = \"3s\"\n";
const MODELS: &str = "models = { allow = [\"res.partner\", \"ir.model.data\"] }\n";

/// The configuration with a client that may call this, and the client's key.
fn with_client(odoo: &Odoo, models: &str) -> (String, String) {
    let (key, entry) = new_client("shop");
    (key, format!("{DELIVERY}{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n{models}", odoo.login))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_changed_since_is_found_by_its_external_id_after_the_gateway_was_killed() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (reached, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let hold = Fault::Hold { reached: reached.clone(), release };
    // It was given, and before that is known the gateway is killed.
    proxy.run(move |_, rpc| match rpc {
        "ir.model.data/create" => Fault::ResetAfter,
        "ir.model.data/check_object_reference" => hold.clone(),
        _ => Fault::Pass,
    });
    let (key, config) = with_client(odoo, MODELS);
    let gateway = Gateway::before_with(&proxy.url, &odoo.database, &config, &[("ODOO_KEY", &odoo.key)]);
    let [reference, renamed] = [(); 2].map(|()| Uuid::new_v4().simple().to_string());
    let body = json!({"model": "res.partner", "vals": {"payload": {"name": "Marked", "ref": reference}}}).to_string();
    let client = Client::with_header(&gateway, "x-api-key", &key).and("idempotency-key", &reference);
    let _cut = {
        let (client, body) = (client.clone(), body.clone());
        tokio::spawn(async move { client.try_post("create_data", body).await })
    };
    reached.notified().await;
    let folder = gateway.kill();
    let found = odoo.call("res.partner", "search", json!([[["ref", "=", reference]]]), json!({})).await.unwrap();
    let id = found[0].as_i64().unwrap();
    odoo.call("res.partner", "write", json!([[id], {"name": "Another", "ref": renamed}]), json!({})).await.unwrap();

    proxy.run(|_, _| Fault::Pass);
    let gateway = Gateway::again_with(folder, &[("ODOO_KEY", &odoo.key)]).unwrap();
    let client = Client::with_header(&gateway, "x-api-key", &key).and("idempotency-key", &reference);
    poll_for(async || {
        let answer = client.post("create_data", body.clone()).await;
        if answer.status != 200 {
            return false;
        }
        assert_eq!(
            (outcome(&answer).as_str(), answer.json["result"]["result"]["id"].as_i64()),
            ("ok", Some(id)),
            "{answer:?}"
        );
        true
    })
    .await;
    assert_eq!(odoo.search_count("res.partner", json!([["ref", "=", reference]])).await, json!(0));
}

#[tokio::test]
async fn a_record_that_cannot_be_marked_is_written_with_a_warning() {
    let odoo = odoo().await;
    let (key, config) = with_client(odoo, "");
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &config, &[("ODOO_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "x-api-key", &key).and("idempotency-key", &Uuid::new_v4().to_string());
    let answer = client.call("create_data", "res.partner", json!({"payload": {"name": "Unmarked"}})).await;
    assert_eq!((&answer["is_success"], &answer["warnings"][0]["code"]), (&json!(true), &json!("marker_not_written")));
}
