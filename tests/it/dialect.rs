//! `[compat] dialect`: callers that send the forms of an older addon. The cases are data, proven on 18.0.1 of the addon in an Odoo.

use serde_json::json;

use crate::support::{
    case,
    client::Client,
    gateway::Gateway,
    odoo::{Odoo, odoo, odoo_14},
};

async fn check(odoo: &Odoo, door: &str) {
    let options = format!("protocol = \"{door}\"\n[compat]\ndialect = \"18.0.1\"");
    let gateway = Gateway::before(&odoo.url, &odoo.database, &options);
    let client = match door {
        "json-2" => Client::with_header(&gateway, "authorization", &format!("Bearer {}", odoo.key)),
        _ => Client::with_login(&gateway, &odoo.login, &odoo.key),
    };
    let mut failures = Vec::new();
    for case in case::load("dialect_18_0_1.json") {
        if let Err(problem) = case::run(&case, &gateway, odoo, &client, &mut Vec::new()).await {
            failures.push(format!("{}: {problem}", case["name"].as_str().unwrap()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn odoo_14_takes_the_forms_of_18_0_1() {
    check(odoo_14().await, "json-rpc").await;
}

#[tokio::test]
async fn odoo_19_takes_the_forms_of_18_0_1() {
    check(odoo().await, "json-2").await;
}

#[tokio::test]
async fn without_the_dialect_a_name_is_refused_with_the_form_of_a_lookup() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "");
    let client = Client::with_login(&gateway, &odoo.login, &odoo.key);
    let vals = json!({"payload": {"name": "Dialect", "country_id": "Belgium"}});
    let answer = client.call("create_data", "res.partner", vals).await;
    assert_eq!(answer["error"]["code"], "invalid_value", "{answer}");
    assert!(answer["messages"].as_str().unwrap().contains("a lookup such as"), "{answer}");
}
