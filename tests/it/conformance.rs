//! The addon's behaviour, case by case, with each kind of credential.

use crate::support::{case, client::Client, gateway::Gateway, odoo::odoo};

/// Runs a file's cases with the session and with a key, and tells all that do not hold.
async fn check(file: &str) {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let callers = [("session", Client::with_session(&gateway).await), ("key", Client::with_bearer(&gateway).await)];
    let mut failures = Vec::new();
    for case in case::load(file) {
        let name = case["name"].as_str().unwrap();
        for (kind, client) in &callers {
            if let Err(problem) = case::run(&case, &gateway, odoo, client).await {
                failures.push(format!("{name} ({kind}): {problem}"));
            }
        }
    }
    assert!(failures.is_empty(), "{file}:\n{}", failures.join("\n"));
}

#[tokio::test]
async fn records_are_created_as_the_addon_does() {
    check("create.json").await;
}

#[tokio::test]
async fn relations_are_resolved_as_the_addon_does() {
    check("relational.json").await;
}

#[tokio::test]
async fn records_are_updated_as_the_addon_does() {
    check("update.json").await;
}

#[tokio::test]
async fn records_are_searched_as_the_addon_does() {
    check("search.json").await;
}

#[tokio::test]
async fn methods_are_called_as_the_addon_does() {
    check("call.json").await;
}

#[tokio::test]
async fn requests_are_enveloped_as_the_addon_does() {
    check("envelope.json").await;
}

#[tokio::test]
async fn files_are_attached_as_the_addon_does() {
    check("attachments.json").await;
}
