//! The collections of `examples/collections`, run by the tools that they are for: Postman's newman and Bruno's `bru`.
//!
//! n8n itself is too large for a test. Its workflow is walked through by `tests/it/collections/n8n.mjs`, which does what n8n does
//! with the few kinds of nodes in it, by Node.js and with requests to the real gateway.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::support::{bad_network::BadNetwork, gateway::Gateway, odoo::odoo};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program of `tests/programs` in a folder; gives its output, where it ends well.
async fn run(folder: PathBuf, arguments: Vec<String>) -> String {
    let run = move || {
        let programs = root().join("tests/programs");
        Command::new("timeout")
            .current_dir(folder)
            .arg("300")
            .arg(programs)
            .arg("--run")
            .args(arguments)
            .output()
            .unwrap()
    };
    let run = tokio::task::spawn_blocking(run).await.unwrap();
    let [out, said] = [run.stdout, run.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(run.status.success(), "{out}{said}");
    out
}

/// A gateway, and the record that the examples of the document speak of.
async fn gateway_with_the_record() -> Gateway {
    static RECORD: OnceCell<i64> = OnceCell::const_new();
    let record = json!({"name": "Azure Interior", "ref": "CUST-17"});
    RECORD.get_or_init(async || odoo().await.create("res.partner", record).await).await;
    Gateway::start().await
}

/// What was called, by the gateway's log: each route once, and nothing was written.
fn check_log(gateway: &Gateway) {
    let log = gateway.log();
    let mut routes: Vec<&str> = log.iter().map(|call| call["route"].as_str().unwrap()).collect();
    routes.sort_unstable();
    let all = ["call_function", "create_data", "create_update_data", "delete_data", "search_data", "update_data"];
    assert_eq!(routes, all, "{log:?}");
    assert!(log.iter().all(|call| call["vals"]["dry_run"] == true), "{log:?}");
}

#[tokio::test]
async fn newman_runs_the_postman_collection() {
    let gateway = gateway_with_the_record().await;
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let [url, key] = [format!("url={}", gateway.url), format!("key={}", odoo().await.key)];
    let collection = root().join("examples/collections/odoo-gateway.postman_collection.json");
    let mut arguments: Vec<String> = ["newman", "run", collection.to_str().unwrap()].map(str::to_owned).into();
    arguments.extend(["--env-var", &url, "--env-var", &key, "--reporters", "json"].map(str::to_owned));
    arguments.extend(["--reporter-json-export", report.to_str().unwrap()].map(str::to_owned));
    run(folder.path().to_owned(), arguments).await;
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let stats = &report["run"]["stats"];
    assert_eq!((&stats["requests"]["total"], &stats["requests"]["failed"]), (&json!(7), &json!(0)));
    assert_eq!((&stats["assertions"]["total"], &stats["assertions"]["failed"]), (&json!(6), &json!(0)));
    // The last one asks what became of the call before it, which is stored nowhere: it was a dry run.
    let last = report["run"]["executions"].as_array().unwrap().last().unwrap();
    assert_eq!(last["response"]["code"], 404, "{last}");
    check_log(&gateway);
}

#[tokio::test]
async fn bruno_runs_its_collection() {
    let gateway = gateway_with_the_record().await;
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let [url, key] = [format!("url={}", gateway.url), format!("key={}", odoo().await.key)];
    let mut arguments: Vec<String> = ["bru", "run", "-r", "--noproxy", "--env", "gateway"].map(str::to_owned).into();
    arguments
        .extend(["--env-var", &url, "--env-var", &key, "--reporter-json", report.to_str().unwrap()].map(str::to_owned));
    run(root().join("examples/collections/bruno"), arguments).await;
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let summary = &report[0]["summary"];
    assert_eq!((&summary["totalRequests"], &summary["passedRequests"]), (&json!(7), &json!(7)), "{summary}");
    assert_eq!((&summary["totalAssertions"], &summary["passedAssertions"]), (&json!(6), &json!(6)), "{summary}");
    check_log(&gateway);
}

#[tokio::test]
async fn the_workflow_for_n8n_writes_an_order_once_over_a_bad_network() {
    let gateway = Gateway::start().await;
    let network = BadNetwork::before(&gateway).await;
    let [customer, number] = ["C", "O"].map(|kind| format!("{kind}-{}", Uuid::new_v4().simple()));
    odoo().await.create("res.partner", json!({"name": "Ada Byron", "ref": customer})).await;
    for (url, requests) in [(&network.url, 3), (&gateway.url, 1)] {
        let lines = json!([{"code": "FURN_7777", "quantity": 2}, {"code": "FURN_8888", "quantity": 8}]);
        let said = walk(json!({"gateway": url, "number": number, "customer": customer, "lines": lines})).await;
        assert_eq!((&said["end"], &said["requests"]), (&json!("The order in Odoo"), &json!(requests)), "{said}");
        let same = json!([
            ["client_order_ref", "=", number],
            ["order_line.product_uom_qty", "=", 8],
            ["id", "=", said["json"]["id"]]
        ]);
        assert_eq!(odoo().await.search_count("sale.order", same).await, json!(1));
        let all = json!([["client_order_ref", "=", number]]);
        assert_eq!(odoo().await.search_count("sale.order", all).await, json!(1));
    }
    let lines = json!([{"code": "NO-SUCH-PRODUCT", "quantity": 1}]);
    let number = format!("{number}-mistake");
    let said = walk(json!({"gateway": gateway.url, "number": number, "customer": customer, "lines": lines})).await;
    let why = said["json"]["error"].as_str().unwrap();
    assert_eq!((&said["end"], &said["requests"]), (&json!("Refused"), &json!(1)), "{said}");
    assert!(why.starts_with("no_match payload.order_line[0].product_id "), "{why}");
}

/// Walks through the workflow with this order; gives where it ended, with what.
async fn walk(order: Value) -> Value {
    let [runner, workflow] = ["tests/it/collections/n8n.mjs", "examples/collections/n8n.json"];
    let key = &odoo().await.key;
    let arguments = ["node", runner, workflow, "x-api-key", key, &order.to_string()].map(str::to_owned);
    serde_json::from_str(&run(root().to_owned(), arguments.into()).await).unwrap()
}
