//! The programs of `examples/recipes`, run as a reader runs them: against the gateway before a real Odoo 19.
//!
//! Between program and gateway stands a bad network. Nothing may be done twice, nor be missing.

use std::{
    path::Path,
    process::{Command, Output},
    sync::LazyLock,
};

use serde_json::json;
use uuid::Uuid;

use crate::support::{
    bad_network::BadNetwork,
    gateway::Gateway,
    odoo::{Odoo, odoo},
};

#[tokio::test]
async fn the_recipe_for_curl_writes_an_order_once() {
    check(&["bash", "curl.sh"]).await;
}

#[tokio::test]
async fn the_recipe_for_python_writes_an_order_once() {
    check(&["tests/programs", "--run", "python", "python_requests.py"]).await;
}

#[tokio::test]
async fn the_recipe_for_node_writes_an_order_once() {
    check(&["tests/programs", "--run", "node", "node_fetch.mjs"]).await;
}

#[tokio::test]
async fn the_recipe_for_php_writes_an_order_once() {
    check(&["php", "php_curl.php"]).await;
}

/// Runs the recipe twice, over a bad network and over a good one; Odoo has the order once, with all that belongs to it.
async fn check(command: &[&str]) {
    let gateway = Gateway::start().await;
    let network = BadNetwork::before(&gateway).await;
    let [customer, order] = ["C", "O"].map(|kind| format!("{kind}-{}", Uuid::new_v4().simple()));
    for url in [&network.url, &gateway.url] {
        let run = run(command, url, &customer, &order).await;
        let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "{command:?}: {said}");
        for part in [
            "customer ",
            "order ",
            "found S",
            " draft 550",
            "2 lines",
            "refused no_match payload.order_line[0].product_id",
        ] {
            assert!(said.contains(part), "{command:?} does not say {part}: {said}");
        }
        check_odoo(odoo().await, &customer, &order).await;
    }
    // Of four calls with a key each was asked three times: turned away, unanswered, answered.
    assert_eq!(network.asked(), [3; 4]);
}

async fn run(command: &[&str], url: &str, customer: &str, order: &str) -> Output {
    let [program @ .., recipe] = command else { panic!("a program and a recipe") };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("timeout");
    command
        .current_dir(root)
        .arg("120")
        .args(program)
        .arg(root.join("examples/recipes").join(recipe))
        .envs([("GATEWAY_URL", url), ("GATEWAY_KEY", &odoo().await.key), ("CUSTOMER", customer), ("ORDER", order)])
        .envs([("no_proxy", "127.0.0.1"), ("NO_PROXY", "127.0.0.1")]);
    let run = move || {
        LazyLock::force(&PROGRAMS);
        command.output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

static PROGRAMS: LazyLock<()> = LazyLock::new(|| {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let made = Command::new(programs).args(["jq", "php", "python", "node"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
});

async fn check_odoo(odoo: &Odoo, customer: &str, order: &str) {
    let read = async |model, domain, fields| {
        odoo.call(model, "search_read", json!([domain, fields]), json!({})).await.unwrap()
    };
    let customers =
        read("res.partner", json!([["ref", "=", customer], ["country_id.code", "=", "BE"]]), json!(["name"])).await;
    assert_eq!(customers.as_array().unwrap().len(), 1, "{customers}");
    let orders =
        read("sale.order", json!([["partner_id.ref", "=", customer]]), json!(["client_order_ref", "commitment_date"]))
            .await;
    let [made] = orders.as_array().unwrap().as_slice() else { panic!("not one order: {orders}") };
    assert_eq!((&made["client_order_ref"], &made["commitment_date"]), (&json!(order), &json!("2026-12-24 09:00:00")));
    let lines = read("sale.order.line", json!([["order_id", "=", made["id"]]]), json!(["product_uom_qty"])).await;
    let quantities: Vec<f64> =
        lines.as_array().unwrap().iter().map(|line| line["product_uom_qty"].as_f64().unwrap()).collect();
    assert_eq!(quantities, [2.0, 8.0]);
    let of_order = json!([["res_model", "=", "sale.order"], ["res_id", "=", made["id"]]]);
    let files = read("ir.attachment", of_order, json!(["name", "datas"])).await;
    let [file] = files.as_array().unwrap().as_slice() else { panic!("not one file: {files}") };
    assert_eq!((&file["name"], &file["datas"]), (&json!("order.txt"), &json!("QXMgb3JkZXJlZC4=")));
}
