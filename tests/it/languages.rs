//! Texts by language: what a refusal in the middle leaves, and what it costs.

use serde_json::json;

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::{Odoo, odoo, odoo_14},
};

const TEMPLATE: &str = "product.template";

async fn install_french(odoo: &Odoo) {
    let french = json!([[["code", "=", "fr_FR"], ["active", "in", [true, false]]]]);
    let id = odoo.call("res.lang", "search", french, json!({})).await.unwrap()[0].clone();
    // Odoo empties its cache of languages before it commits, and another request may fill it again with what was before.
    for _ in 0..2 {
        odoo.call("res.lang", "write", json!([[id], {"active": true}]), json!({})).await.unwrap();
    }
}

async fn check_undone(odoo: &Odoo) {
    install_french(odoo).await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::log_in(&gateway, odoo).await;
    let name = format!("chair {}", uuid::Uuid::new_v4().simple());
    proxy.run(|_, rpc| if rpc == "product.template/write" { Fault::Refuse } else { Fault::Pass });
    let vals = json!({"payload": {"name": {"en_US": name, "fr_FR": format!("{name} fr")}}});
    let answer = client.call("create_data", TEMPLATE, vals.clone()).await;
    assert_eq!(answer["is_success"], false, "{answer}");
    assert_eq!(odoo.search_count(TEMPLATE, json!([["name", "like", name]])).await, 0);

    proxy.run(|_, _| Fault::Pass);
    let answer = client.call("create_data", TEMPLATE, vals.clone()).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    let methods = gateway.last_methods();
    let ends: Vec<&str> = methods.iter().map(String::as_str).rev().take(2).collect();
    assert_eq!(ends, ["write", "create"], "{methods:?}");
    let mut shown = vals;
    shown["dry_run"] = json!(true);
    let shown = client.call("create_data", TEMPLATE, shown).await;
    let calls = shown["result"]["calls"].as_array().unwrap();
    assert_eq!((calls.len(), &calls[1]["context"]["lang"]), (2, &json!("fr_FR")), "{shown}");
}

#[tokio::test]
async fn a_record_whose_second_language_is_refused_is_deleted_again() {
    check_undone(odoo_14().await).await;
    check_undone(odoo().await).await;
}
