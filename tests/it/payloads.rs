//! What integrators send, case by case: from public bug reports, and beyond what the addon does.
//!
//! The cases are data in `tests/conformance/payloads/`, in the form of the conformance cases. A case with `"only": "19"` is for
//! that major version of Odoo, since the models or fields that it names exist there alone.

use serde_json::Value;

use crate::support::{
    case,
    client::Client,
    gateway::Gateway,
    odoo::{Odoo, odoo, odoo_14},
    schemas,
};

/// Runs the cases of one file by one protocol.
async fn check(file: &str, odoo: &Odoo, protocol: &str, client: impl AsyncFnOnce(&Gateway) -> Client) {
    let gateway = Gateway::before(&odoo.url, &odoo.database, &format!("protocol = \"{protocol}\""));
    let client = client(&gateway).await;
    let (mut failures, mut seen) = (Vec::new(), Vec::new());
    let is_for = |case: &Value| case["only"].as_str().is_none_or(|only| only == odoo.version.to_string());
    for case in case::load(&format!("payloads/{file}")).iter().filter(|case| is_for(case)) {
        if let Err(problem) = case::run(case, &gateway, odoo, &client, &mut seen).await {
            failures.push(format!("{}: {problem}", case["name"].as_str().unwrap()));
        }
    }
    assert!(failures.is_empty(), "Odoo {} by {protocol}:\n{}", odoo.version, failures.join("\n"));
    let differences = schemas::differences(seen).await;
    assert!(differences.is_empty(), "{file}, against the OpenAPI document:\n{}", differences.join("\n"));
}

async fn check_on_14_and_19(file: &str) {
    let old = odoo_14().await;
    check(file, old, "session", async |gateway| Client::log_in(gateway, old).await).await;
    let new = odoo().await;
    let bearer = format!("Bearer {}", new.key);
    check(file, new, "json-2", async |gateway| Client::with_header(gateway, "authorization", &bearer)).await;
}

#[tokio::test]
async fn values_are_converted_or_refused_by_the_type_of_their_field() {
    check_on_14_and_19("values.json").await;
}

#[tokio::test]
async fn lines_are_edited_in_place() {
    check_on_14_and_19("lines.json").await;
}

#[tokio::test]
async fn a_record_is_identified_surely() {
    check_on_14_and_19("identity.json").await;
}

#[tokio::test]
async fn routes_say_what_was_done_and_what_is_misplaced() {
    check_on_14_and_19("routes.json").await;
}

#[tokio::test]
async fn files_properties_and_languages_are_written_as_meant() {
    check_on_14_and_19("files.json").await;
}

#[tokio::test]
async fn many_records_are_written_in_one_request() {
    check_on_14_and_19("many.json").await;
}
