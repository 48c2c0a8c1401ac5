//! The addon's behaviour, case by case, through each of Odoo's doors, on the oldest and the newest Odoo.
//!
//! What comes of it stands in docs/versions.md, and is held against it. What was carried out is a request, and what was answered an
//! answer, that the OpenAPI document has.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{
    case,
    client::Client,
    gateway::Gateway,
    odoo::{Odoo, odoo, odoo_14},
    schemas,
};

const FILES: [&str; 7] =
    ["create.json", "relational.json", "update.json", "search.json", "call.json", "envelope.json", "attachments.json"];

/// Runs all cases through one door: all pass but those whose models are not there, and docs/versions.md says how many.
async fn check(odoo: &Odoo, door: &str) {
    let gateway = Gateway::before(&odoo.url, &odoo.database, &format!("protocol = \"{door}\""));
    let client = match door {
        "session" => Client::log_in(&gateway, odoo).await,
        "json-2" => Client::with_header(&gateway, "authorization", &format!("Bearer {}", odoo.key)),
        _ => Client::with_login(&gateway, &odoo.login, &odoo.key),
    };
    let (mut passed, mut not_applicable, mut failures, mut seen) = (0, 0, Vec::new(), Vec::new());
    for case in FILES.iter().flat_map(|file| case::load(file)) {
        if !has_models(odoo, &case).await {
            not_applicable += 1;
        } else if let Err(problem) = case::run(&case, &gateway, odoo, &client, &mut seen).await {
            failures.push(format!("{}: {problem}", case["name"].as_str().unwrap()));
        } else {
            passed += 1;
        }
    }
    let row = format!("| {} | {door} | {passed} | {} | {not_applicable} |", odoo.version, failures.len());
    println!("{row}");
    assert!(failures.is_empty(), "{row}\n{}", failures.join("\n"));
    assert!(seen.len() > 100, "{}", seen.len());
    let differences = schemas::differences(seen).await;
    assert!(differences.is_empty(), "{row}, against the OpenAPI document:\n{}", differences.join("\n"));
    let documented = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/versions.md")).unwrap();
    assert!(documented.contains(&row), "the table in docs/versions.md lacks what this run saw: {row}");
}

/// The models that the case needs are installed.
async fn has_models(odoo: &Odoo, case: &Value) -> bool {
    let needed = case["needs"].as_array().cloned().unwrap_or_default();
    let there = odoo.search_count("ir.model", json!([["model", "in", needed]])).await;
    there == json!(needed.len())
}

#[tokio::test]
async fn odoo_14_by_session_does_as_the_addon_does() {
    check(odoo_14().await, "session").await;
}

#[tokio::test]
async fn odoo_14_by_json_rpc_does_as_the_addon_does() {
    check(odoo_14().await, "json-rpc").await;
}

#[tokio::test]
async fn odoo_14_by_xml_rpc_does_as_the_addon_does() {
    check(odoo_14().await, "xml-rpc").await;
}

#[tokio::test]
async fn odoo_19_by_session_does_as_the_addon_does() {
    check(odoo().await, "session").await;
}

#[tokio::test]
async fn odoo_19_by_json_rpc_does_as_the_addon_does() {
    check(odoo().await, "json-rpc").await;
}

#[tokio::test]
async fn odoo_19_by_xml_rpc_does_as_the_addon_does() {
    check(odoo().await, "xml-rpc").await;
}

#[tokio::test]
async fn odoo_19_by_json_2_does_as_the_addon_does() {
    check(odoo().await, "json-2").await;
}
