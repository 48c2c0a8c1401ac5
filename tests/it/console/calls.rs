//! The list of calls, one call, and calls as they end.

use std::time::{Duration, Instant};

use http::header;
use serde_json::{Value, json};

use crate::support::{
    client::{Client, http},
    console::{Console, console_user},
    gateway::{Gateway, new_client},
    odoo::odoo,
    poll_for,
};

/// What a page must never have as it is: HTML of a sender's, and signs that turn the direction of writing.
const HOSTILE: &str = "<script>alert(1)</script> \"quoted' <b>bold</b> \u{202e}desrever";

async fn create(client: &Client, name: &str) -> Value {
    client.call("create_data", "res.partner", json!({"payload": {"name": name}})).await
}

/// The id of the last call that has ended.
fn last(gateway: &Gateway) -> String {
    gateway.log().last().unwrap()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_list_is_filtered_by_its_address_and_paged_by_a_cursor() {
    let gateway = Gateway::start().await;
    let client = Client::with_key(&gateway).await;
    let console = Console::operator(&gateway).await;
    console.get("/calls").await.assert_has("There are no calls yet");
    for number in 0..52 {
        create(&client, &format!("listed {number}")).await;
    }
    client.call("create_data", "res.partner", json!({"payload": {"no_such_field": 1}})).await;
    client.call("search_data", "no.such.model", json!({"payload": {}})).await;

    let page = console.get("/calls").await;
    assert_eq!(page.text.matches("<tr role=\"row\" data-key=").count(), 50);
    let (_, earlier) = page.text.split_once("/calls?after=").expect("a second page");
    let earlier = console.get(&format!("/calls?after={}", earlier.split('"').next().unwrap())).await;
    assert_eq!(earlier.text.matches("<tr role=\"row\" data-key=").count(), 4);
    earlier.assert_has(">Latest</a>");
    earlier.assert_lacks("data-live");
    console.get("/calls?after=nonsense").await.assert_has("Not a page of the list");

    let failed = console.get("/calls?state=failed&model=no.such.model").await;
    assert_eq!(failed.text.matches("<tr role=\"row\" data-key=").count(), 1);
    failed.assert_has("/docs#error-unknown_model");
    failed.assert_has("class=\"is-bad\"");
    failed.assert_has("/again?state=failed&#38;model=no.such.model");
    failed.assert_has("<option value=\"failed\" selected>");
    let none = console.get("/calls?caller=nobody-of-this-name").await;
    none.assert_has("No calls match. <a href=\"/calls\">Clear the filters</a>");
    none.assert_has("<details open>");

    let mistaken = console.get("/calls?since=soon&record=x&model=res.partner").await;
    assert_eq!(mistaken.status, 400);
    mistaken.assert_has("`soon` is no time");
    mistaken.assert_has("`x` is no id of a record");
    mistaken.assert_has("value=\"res.partner\"");
}

#[tokio::test]
async fn a_call_is_shown_with_all_that_is_recorded_and_nothing_that_is_hidden() {
    let (token, entry) = console_user("ann", "read");
    let gateway = Gateway::start_with(&format!("[log]\nredact = [\"comment\"]\n{entry}")).await;
    let client = Client::with_key(&gateway).await;
    let vals = json!({"payload": {"name": HOSTILE, "comment": "s3cret-comment", "country_id": {"code": "BE"}}});
    let created = client.call("create_data", "res.partner", vals).await;
    assert_eq!(created["is_success"], true, "{created}");
    let record = gateway.log().last().unwrap()["records"]["res.partner"][0].as_i64().unwrap();
    let id = last(&gateway);
    let update = json!({"search_key": {"id": record}, "payload": {"name": "later"}});
    client.call("update_data", "res.partner", update).await;

    let console = Console::operator(&gateway).await;
    let page = console.get(&format!("/calls/{id}")).await;
    assert_eq!(page.status, 200);
    for words in [
        "create_data res.partner",
        "Create res.partner",
        "res.country with code",
        "As a curl command",
        "$GATEWAY_KEY",
        "class=\"bar\"",
        "Hidden in the log",
        "***",
        "&#60;script&#62;",
        "\\u{202e}desrever",
        &format!("/odoo/res.partner/{record}"),
        "Later calls on the same record",
        &format!("/calls/{id}/again"),
    ] {
        page.assert_has(words);
    }
    for words in ["<script>alert", "<b>bold", "\u{202e}", "s3cret-comment", &odoo().await.key] {
        page.assert_lacks(words);
    }
    // Each Odoo call has the time of its beginning.
    let begun: Vec<f64> = gateway.log().last().unwrap()["odoo"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rpc| rpc["at"].as_f64().unwrap())
        .collect();
    assert!(begun.iter().all(|at| *at >= 0.0) && !begun.is_empty());

    // The role `read` sees the same, and nothing that changes something.
    let ann = Console::with_token(&gateway, &token).await;
    let page = ann.get(&format!("/calls/{id}")).await;
    page.assert_has("Create res.partner");
    page.assert_lacks("/again");
    ann.get("/calls").await.assert_lacks("Run these again");
    let refused = ann.post(&format!("/calls/{id}/again"), &[]).await;
    assert_eq!(refused.status, 403);

    assert_eq!(console.get("/calls/00000000-0000-7000-8000-000000000000").await.status, 404);
    let hostile = console.get("/calls/%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert_eq!(hostile.status, 404);
    hostile.assert_lacks("<script>alert");
}

#[tokio::test]
async fn every_answer_has_the_policy_and_a_stranger_sees_nothing() {
    let gateway = Gateway::start().await;
    create(&Client::with_key(&gateway).await, "seen by nobody").await;
    let id = last(&gateway);
    let console = Console::operator(&gateway).await;
    let nobody = Console::nobody(&gateway);
    for path in ["/calls", "/calls?state=nonsense", &format!("/calls/{id}"), "/calls/none", "/live?state=nonsense"] {
        let page = console.get(path).await;
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(!page.text.contains(" style=") && !page.text.contains(" onclick="), "{path}");
        let stranger = nobody.get(path).await;
        assert_eq!(stranger.status, 401, "{path}");
        stranger.assert_lacks("res.partner");
    }
    let other = console.get_with("/calls", &[("host", "attacker.example")]).await;
    assert_eq!(other.status, 421);
    other.assert_lacks("res.partner");
    assert_eq!(nobody.events("/live").await.response.status(), 401);
    // A form of another session.
    let forged = console.send_form(&format!("/calls/{id}/again"), &[("csrf", &"0".repeat(64))]).await;
    assert_eq!(forged.status, 403);
}

#[tokio::test]
async fn a_call_comes_into_a_live_list_and_is_replaced_when_it_ends() {
    let gateway = Gateway::start().await;
    let client = Client::with_key(&gateway).await;
    let console = Console::operator(&gateway).await;
    let page = console.get("/calls").await;
    let (_, live) = page.text.split_once("data-live=\"").unwrap();
    let live = live.split('"').next().unwrap().replace("&#38;", "&");
    // What comes between the page and its stream is not lost.
    client.call("search_data", "no.such.model", json!({"payload": {}})).await;
    let mut all = console.events(&live).await;
    assert_eq!(all.response.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert!(all.response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
    all.until("unknown_model").await;
    let mut failed = console.events("/live?state=failed").await;
    failed.until(":\n\n").await;
    create(&client, HOSTILE).await;
    let done = last(&gateway);
    let seen = all.until(&format!("/calls/{done}")).await;
    assert!(seen.contains("event: rows\nid: ") && !seen.contains("<script>"), "{seen}");
    client.call("search_data", "no.other.model", json!({"payload": {}})).await;
    let seen = failed.until("no.other.model").await;
    assert!(!seen.contains(&done), "{seen}");
    // It ends with its session.
    console.post("/signout", &[]).await;
    assert!(all.ended().await);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_pages_that_are_live() {
    let gateway = Gateway::start_with("").await;
    let console = Console::operator(&gateway).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut events = console.events("/live").await;
        events.until(":\n\n").await;
        streams.push(events);
    }
    let begun = Instant::now();
    gateway.terminate();
    for mut events in streams {
        events.ended().await;
    }
    let (status, said, _) = gateway.ended().await;
    assert_eq!(status, Some(0), "{said}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_delivery_is_shown_as_it_was_sent_and_its_calls_are_linked() {
    let odoo = odoo().await;
    let (key, client) = new_client("shop");
    let template = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(template.path(), "{payload: {name}}").unwrap();
    let more = format!(
        "{client}odoo_login = \"{}\"\nodoo_password_env = \"SHOP_PASSWORD\"\n\
         [[hook]]\npath = \"/hooks/shop\"\nclient = \"shop\"\nroute = \"create_data\"\nmodel = \"res.partner\"\n\
         template = \"{}\"\naccept = \"answer\"\n",
        odoo.login,
        template.path().display()
    );
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &more, &[("SHOP_PASSWORD", &odoo.password)]);
    let sent = http()
        .post(format!("{}/hooks/shop?topic=made", gateway.url))
        .header("x-api-key", &key)
        .header("x-event", "contact")
        .json(&json!({"name": "By hook", "more": "than is used"}))
        .send()
        .await
        .unwrap();
    assert!(sent.status().is_success(), "{sent:?}");
    poll_for(async || gateway.log().iter().any(|line| line["state"] == "done" && line["hook"] == "shop")).await;
    let id = last(&gateway);
    let console = Console::operator(&gateway).await;
    let page = console.get(&format!("/calls/{id}")).await;
    for words in ["What the sender sent", "POST /hooks/shop", "x-event", "than is used", "hook shop"] {
        page.assert_has(words);
    }
    page.assert_lacks(&key);
    console.get("/calls?hook=shop").await.assert_has("hook shop");
}
