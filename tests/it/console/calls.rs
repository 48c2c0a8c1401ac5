//! The list of calls, one call, and calls as they end.

use serde_json::json;

use crate::support::{
    client::Client,
    console::{Console, console_user},
    gateway::Gateway,
};

#[tokio::test]
async fn a_person_signs_in_and_a_stranger_sees_nothing() {
    let (token, entry) = console_user("ann", "read");
    let gateway = Gateway::start_with(&entry).await;
    let name = "Signed & Sons";
    Client::with_key(&gateway).await.call("create_data", "res.partner", json!({"payload": {"name": name}})).await;
    let stranger = Console::nobody(&gateway).get("/calls").await;
    assert_eq!(stranger.status, 401);
    stranger.assert_lacks("res.partner");
    let ann = Console::with_token(&gateway, &token).await;
    ann.get("/calls").await.assert_has("ann");
}
