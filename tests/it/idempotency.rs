//! Idempotency keys: one key is one call, however often, at how many a time and after what it comes.

mod ends;
mod keys;

use futures_util::future;
use http::HeaderMap;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client, outcome},
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo},
};

/// A gateway before what is at `url`, with a client that acts as the run's user; and that client's key.
fn shop(odoo: &Odoo, url: &str, first: &str, more: &str) -> (Gateway, String) {
    let (key, entry) = new_client("shop");
    let login = &odoo.login;
    let config = format!("{first}\n{entry}odoo_login = \"{login}\"\nodoo_key_env = \"ODOO_KEY\"\n{more}\n");
    (Gateway::before_with(url, &odoo.database, &config, &[("ODOO_KEY", &odoo.key)]), key)
}

fn caller(gateway: &Gateway, key: &str) -> Client {
    Client::with_header(gateway, "x-api-key", key)
}

fn contact(name: &str) -> String {
    json!({"model": "res.partner", "vals": {"payload": {"name": name}}}).to_string()
}

fn unique() -> String {
    format!("keyed {}", Uuid::new_v4())
}

async fn contacts_named(name: &str) -> Value {
    odoo().await.search_count("res.partner", json!([["name", "=", name]])).await
}

/// One call with this key.
async fn create(client: &Client, key: &str, body: &str) -> Answer {
    let headers = HeaderMap::from_iter([("idempotency-key".parse().unwrap(), key.parse().unwrap())]);
    client.send("POST", "/api/create_data", headers, Some(body.to_owned())).await
}

fn is_replay(answer: &Answer) -> bool {
    answer.headers.get("idempotent-replay").is_some_and(|value| value == "true")
}

#[tokio::test]
async fn a_key_that_comes_again_is_answered_with_the_first_outcome_and_makes_nothing() {
    let odoo = odoo().await;
    let (gateway, key) = shop(odoo, &odoo.url, "", "");
    for client in [caller(&gateway, &key), Client::with_bearer(&gateway).await, Client::with_session(&gateway).await] {
        let (name, key) = (unique(), Uuid::new_v4().to_string());
        let first = create(&client, &key, &contact(&name)).await;
        assert_eq!((outcome(&first), is_replay(&first)), ("ok".to_owned(), false));
        let id = first.headers["gateway-call-id"].to_str().unwrap().to_owned();
        // The keys of the body stand in another order.
        let turned = format!(r#"{{"vals": {{"payload": {{"name": "{name}"}}}}, "model": "res.partner"}}"#);
        for body in [contact(&name), turned] {
            let again = create(&client, &key, &body).await;
            assert_eq!((again.status, &again.json, is_replay(&again)), (200, &first.json, true));
            let line = gateway.log().pop().unwrap();
            assert_eq!((&line["repeat_of"], &line["state"]), (&json!(id), &json!("done")), "{line}");
            assert!(line["odoo"].as_array().is_none_or(Vec::is_empty), "{line}");
        }
        assert_eq!(contacts_named(&name).await, 1);
    }
    // What failed has failed once.
    let (client, key) = (caller(&gateway, &key), Uuid::new_v4().to_string());
    let body = json!({"model": "res.partner", "vals": {"payload": {"name": "x", "country_id": {"code": "no such"}}}});
    for state in ["failed", "ignored"] {
        assert_eq!(outcome(&create(&client, &key, &body.to_string()).await), "no_match");
        assert_eq!(gateway.log().pop().unwrap()["state"], state);
    }
}

#[tokio::test]
async fn callers_at_the_same_time_with_one_key_make_one_record_and_get_equal_answers() {
    let odoo = odoo().await;
    let (gateway, key) = shop(odoo, &odoo.url, "", "");
    let (client, name) = (caller(&gateway, &key), unique());
    let body = contact(&name);
    let answers = future::join_all((0..64).map(|_| create(&client, "the one", &body))).await;
    // A blank is in no key.
    assert!(answers.iter().all(|answer| outcome(answer) == "invalid_key"));
    let answers = future::join_all((0..64).map(|_| create(&client, "the-one", &body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json == answers[0].json), "{:?}", answers[0]);
    assert_eq!(answers.iter().filter(|answer| !is_replay(answer)).count(), 1);
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn a_key_stands_for_one_request_of_one_caller() {
    let odoo = odoo().await;
    let (gateway, key) = shop(odoo, &odoo.url, "", "");
    let (client, user, name) = (caller(&gateway, &key), Client::with_bearer(&gateway).await, unique());
    assert_eq!(outcome(&create(&client, "k-1", &contact(&name)).await), "ok");
    let other = create(&client, "k-1", &contact(&format!("{name} other"))).await;
    assert_eq!((other.status, outcome(&other)), (422, "key_reused".to_owned()));
    let headers = HeaderMap::from_iter([("idempotency-key".parse().unwrap(), "k-1".parse().unwrap())]);
    let vals = json!({"payload": {"name": name}, "search_key": {"name": name}});
    let body = json!({"model": "res.partner", "vals": vals}).to_string();
    let other = client.send("POST", "/api/create_update_data", headers, Some(body)).await;
    assert_eq!(outcome(&other), "key_reused");
    // The same user of Odoo, with a credential of its own.
    let own = create(&user, "k-1", &contact(&name)).await;
    assert_eq!((outcome(&own), is_replay(&own)), ("ok".to_owned(), false));
    assert_eq!(contacts_named(&name).await, 2);
}

#[tokio::test]
async fn searches_and_dry_runs_have_no_key() {
    let odoo = odoo().await;
    let (gateway, key) = shop(odoo, &odoo.url, "", "[client.idempotency]\nrequired = true");
    let (client, name) = (caller(&gateway, &key), unique());
    let search = r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#;
    let headers = || HeaderMap::from_iter([("idempotency-key".parse().unwrap(), "a b".parse().unwrap())]);
    let found = client.send("POST", "/api/search_data", headers(), Some(search)).await;
    assert_eq!((outcome(&found), is_replay(&found)), ("ok".to_owned(), false));
    let dry = json!({"model": "res.partner", "vals": {"payload": {"name": name}, "dry_run": true}}).to_string();
    for _ in 0..2 {
        let planned = create(&client, "k-2", &dry).await;
        assert_eq!((outcome(&planned), is_replay(&planned)), ("ok".to_owned(), false));
    }
    assert_eq!(outcome(&create(&client, "k-2", &contact(&name)).await), "ok");
    assert_eq!(outcome(&client.post("create_data", contact(&name)).await), "key_required");
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn a_replay_by_the_operator_is_not_swallowed_by_the_key_of_what_it_repeats() {
    let odoo = odoo().await;
    let (gateway, key) = shop(odoo, &odoo.url, "", "[client.idempotency]\nrequired = true");
    let (client, name) = (caller(&gateway, &key), unique());
    let first = create(&client, "k-3", &contact(&name)).await;
    let id = first.headers["gateway-call-id"].to_str().unwrap();
    for made in [2, 3] {
        let (status, told, said) = gateway.run(&["replay", "--force", id]);
        assert_eq!(status, Some(0), "{told}{said}");
        assert_eq!(contacts_named(&name).await, made);
    }
}
