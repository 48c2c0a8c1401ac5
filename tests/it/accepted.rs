//! Calls that are accepted and made later: who may have that, what is answered, and what the queue holds.

use std::io::Write;

use http::HeaderMap;
use serde_json::{Value, json};
use sqlx::{Connection, Row};
use tempfile::NamedTempFile;
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client, outcome},
    fault::{Fault, FaultProxy},
    gateway::{Gateway, new_client},
    odoo::odoo,
    poll_for,
};

/// A gateway before nobody, so that nothing is delivered; and a client of it.
async fn before_nobody(first: &str, more: &str) -> (Gateway, Client) {
    let odoo = odoo().await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (key, entry) = new_client("shop");
    let config =
        format!("retries = 0\n{first}\n{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n{more}\n", odoo.login);
    let url = format!("http://{nobody}");
    let gateway = Gateway::before_with(&url, &odoo.database, &config, &[("ODOO_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    (gateway, client)
}

async fn send(client: &Client, path: &str, headers: &[(&'static str, &str)], body: &str) -> Answer {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    client.send("POST", path, HeaderMap::from_iter(headers), Some(body.to_owned())).await
}

fn contact(name: &str) -> String {
    json!({"id": 7, "params": {"model": "res.partner", "vals": {"payload": {"name": name}}}}).to_string()
}

/// The columns of the calls in the store of a gateway, in their order.
async fn stored(gateway: &Gateway, columns: &str) -> Vec<Vec<String>> {
    sqlx::any::install_default_drivers();
    let file = gateway.log_folder().with_file_name("delivery").join("store.sqlite");
    let mut store = sqlx::AnyConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let query = format!("SELECT {columns} FROM calls ORDER BY seq");
    let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut store).await.unwrap();
    let text = |row: &sqlx::any::AnyRow, at| row.try_get::<Option<String>, _>(at).unwrap().unwrap_or_default();
    rows.iter().map(|row| (0..columns.split(", ").count()).map(|at| text(row, at)).collect()).collect()
}

const ASYNC: &[(&str, &str)] = &[("prefer", "respond-async")];

#[tokio::test]
async fn a_call_is_accepted_before_odoo_is_asked_anything() {
    let (gateway, client) = before_nobody("", "").await;
    let answer = send(&client, "/api/create_data", ASYNC, &contact("later")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json["result"]["result"]["call"].as_str().unwrap().to_owned();
    assert_eq!(
        (&answer.json["id"], &answer.json["result"]["result"]["state"], &answer.json["result"]["is_success"]),
        (&json!(7), &json!("queued"), &json!(true))
    );
    let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("location"), format!("/api/calls/{id}"));
    assert_eq!((header("preference-applied"), header("gateway-call-id")), ("respond-async".to_owned(), id.clone()));
    let line = gateway.lines().into_iter().find(|line| line["event"] == "call.finished" && line["id"] == id).unwrap();
    assert_eq!(
        (&line["state"], &line["client"], &line["odoo"]),
        (&json!("queued"), &json!("shop"), &json!([])),
        "{line}"
    );
    let rows = stored(&gateway, "id, client, route, model, lane").await;
    assert_eq!(rows, [[&*id, "shop", "create_data", "res.partner", &format!("call {id}")]]);
    let request: Vec<u8> = {
        let file = gateway.log_folder().with_file_name("delivery").join("store.sqlite");
        let mut store = sqlx::AnyConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        sqlx::query("SELECT request FROM calls").fetch_one(&mut store).await.unwrap().try_get(0).unwrap()
    };
    let request: Value = serde_json::from_slice(&request).unwrap();
    assert_eq!((&request["vals"], &request["client"]), (&json!({"payload": {"name": "later"}}), &json!("shop")));
    assert!(!request.to_string().contains(client.credential()) && !request.to_string().contains(&odoo().await.key));
}

#[tokio::test]
async fn only_a_client_can_have_a_call_made_later_and_only_what_writes() {
    let odoo = odoo().await;
    let (key, entry) = new_client("shop");
    let config = format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n", odoo.login);
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &config, &[("ODOO_KEY", &odoo.key)]);
    let (user, client) = (Client::with_bearer(&gateway).await, Client::with_header(&gateway, "x-api-key", &key));
    let refused = send(&user, "/api/create_data", ASYNC, &contact("never")).await;
    assert_eq!((refused.status, outcome(&refused)), (403, "async_needs_client".to_owned()));
    let search = r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#;
    let dry = r#"{"model": "res.partner", "vals": {"payload": {"name": "x"}, "dry_run": true}}"#;
    for (client, path, body) in
        [(&client, "search_data", search), (&user, "search_data", search), (&client, "create_data", dry)]
    {
        let answer = send(client, &format!("/api/{path}"), ASYNC, body).await;
        assert_eq!((answer.status, outcome(&answer)), (200, "ok".to_owned()), "{answer:?}");
        assert!(!answer.headers.contains_key("preference-applied"));
    }
}

#[tokio::test]
async fn a_key_that_comes_again_is_answered_with_the_same_call_and_another_body_is_refused() {
    let (gateway, client) = before_nobody("", "delivery = \"async\"").await;
    let key = [("idempotency-key", "k-1")];
    let first = send(&client, "/api/create_data", &key, &contact("a")).await;
    let again = send(&client, "/api/create_data", &key, &contact("a")).await;
    assert_eq!((first.status, again.status, &again.json), (202, 202, &first.json));
    assert_eq!(
        (first.headers.get("idempotent-replay"), &again.headers["idempotent-replay"]),
        (None, &"true".parse().unwrap())
    );
    assert_eq!(first.headers["location"], again.headers["location"]);
    let other = send(&client, "/api/create_data", &key, &contact("b")).await;
    assert_eq!((other.status, outcome(&other)), (422, "key_reused".to_owned()));
    assert_eq!(stored(&gateway, "idempotency_key").await, [["k-1"]]);
}

#[tokio::test]
async fn calls_of_a_search_key_have_one_lane_and_others_have_their_own() {
    for (ordering, lanes) in [("strict", 3), ("none", 4)] {
        let (gateway, client) = before_nobody("", &format!("delivery = \"async\"\nordering = \"{ordering}\"")).await;
        let upsert =
            |key: Value| json!({"model": "res.partner", "vals": {"payload": {"name": "x"}, "search_key": key}});
        for key in [json!({"ref": "A", "name": "x"}), json!({"name": "x", "ref": "A"}), json!({"ref": "B"})] {
            assert_eq!(send(&client, "/api/create_update_data", &[], &upsert(key).to_string()).await.status, 202);
        }
        assert_eq!(send(&client, "/api/create_data", &[], &contact("x")).await.status, 202);
        let mut seen: Vec<_> = stored(&gateway, "lane").await.concat();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), lanes, "{seen:?}");
    }
}

#[tokio::test]
async fn a_hook_is_queued_as_its_template_made_it_and_in_the_order_that_it_says() {
    let mut template = NamedTempFile::new().unwrap();
    template.write_all(b"{payload: {name, ref: .customer}}").unwrap();
    let more = format!(
        "[[hook]]\npath = \"/hooks/orders\"\nclient = \"shop\"\nroute = \"create_data\"\nmodel = \"res.partner\"\n\
         template = \"{}\"\nkey = \".customer\"\n",
        template.path().display()
    );
    let (gateway, client) = before_nobody("", &more).await;
    for (name, customer) in [("a", json!("C1")), ("b", json!("C1")), ("c", json!("C2")), ("d", json!(null))] {
        let body = json!({"name": name, "customer": customer}).to_string();
        assert_eq!(send(&client, "/hooks/orders", &[], &body).await.status, 202);
    }
    let rows = stored(&gateway, "lane, id, route").await;
    let lanes: Vec<&str> = rows.iter().map(|row| &*row[0]).collect();
    let own = format!("call {}", rows[3][1]);
    assert_eq!(lanes, ["shop/hook orders/\"C1\"", "shop/hook orders/\"C1\"", "shop/hook orders/\"C2\"", &own]);
}

#[tokio::test]
async fn a_full_queue_takes_no_more_calls() {
    let (_gateway, client) = before_nobody("[delivery]\nqueue_per_client = 2", "delivery = \"async\"").await;
    let mut answers = Vec::new();
    for name in ["a", "b", "c"] {
        let answer = send(&client, "/api/create_data", &[], &contact(name)).await;
        answers.push((answer.status, outcome(&answer)));
    }
    let ok = || (202, "ok".to_owned());
    assert_eq!(answers, [ok(), ok(), (503, "queue_full".to_owned())]);
}

#[tokio::test]
async fn a_call_is_queued_while_odoo_is_away_where_its_client_says_so() {
    let (gateway, client) = before_nobody("", "when_down = \"queue\"").await;
    // The first ones find out that Odoo is away; later ones know it.
    for number in 0..8 {
        let key = format!("k-{number}");
        let answer = send(&client, "/api/create_data", &[("idempotency-key", &key)], &contact("x")).await;
        assert_eq!(answer.status, 202, "{number}: {answer:?}");
    }
    let again = send(&client, "/api/create_data", &[("idempotency-key", "k-0")], &contact("x")).await;
    assert_eq!((again.status, again.headers.contains_key("idempotent-replay")), (202, true));
    assert_eq!(stored(&gateway, "state").await.len(), 8);
    let (_gateway, client) = before_nobody("", "").await;
    let answer = send(&client, "/api/create_data", &[], &contact("x")).await;
    assert_eq!(outcome(&answer), "odoo_unreachable");
}

#[tokio::test]
async fn a_call_is_answered_at_once_while_odoo_is_there() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (key, entry) = new_client("shop");
    let config =
        format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\nwhen_down = \"queue\"\n", odoo.login);
    let gateway = Gateway::before_with(&proxy.url, &odoo.database, &config, &[("ODOO_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    let name = format!("there {}", Uuid::new_v4());
    let answer = send(&client, "/api/create_data", &[("idempotency-key", "k")], &contact(&name)).await;
    assert_eq!((answer.status, outcome(&answer)), (200, "ok".to_owned()));
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
}

#[tokio::test]
async fn an_accepted_call_is_delivered_and_its_key_is_then_answered_with_the_outcome() {
    let odoo = odoo().await;
    let (key, entry) = new_client("shop");
    let config = format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n", odoo.login);
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &config, &[("ODOO_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    let name = format!("delivered {}", Uuid::new_v4());
    let headers = [("prefer", "respond-async"), ("idempotency-key", "k-1")];
    let accepted = send(&client, "/api/create_data", &headers, &contact(&name)).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let mut last = accepted;
    poll_for(async || {
        last = send(&client, "/api/create_data", &headers, &contact(&name)).await;
        assert!(last.headers.contains_key("idempotent-replay"), "{last:?}");
        last.status == 200
    })
    .await;
    let id = last.json["result"]["result"]["id"].as_i64().unwrap();
    let found = odoo.call("res.partner", "search", json!([[["name", "=", name]]]), json!({})).await.unwrap();
    assert_eq!(found, json!([id]));
    // A caller that waits gets it, too.
    let waits = send(&client, "/api/create_data", &headers[1..], &contact(&name)).await;
    assert_eq!((waits.status, &waits.json), (200, &last.json));
}

#[tokio::test]
async fn a_call_that_was_queued_while_odoo_was_away_is_delivered_once_when_it_is_back() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (key, entry) = new_client("shop");
    let login = &odoo.login;
    let config =
        format!("retries = 0\n{entry}odoo_login = \"{login}\"\nodoo_key_env = \"ODOO_KEY\"\nwhen_down = \"queue\"\n");
    let gateway = Gateway::before_with(&proxy.url, &odoo.database, &config, &[("ODOO_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    proxy.run(|_, _| Fault::BadGateway);
    let names: Vec<String> = (0..3).map(|_| format!("away {}", Uuid::new_v4())).collect();
    for name in &names {
        let answer = send(&client, "/api/create_data", &[], &contact(name)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    proxy.run(|_, _| Fault::Pass);
    for name in &names {
        poll_for(async || odoo.search_count("res.partner", json!([["name", "=", name]])).await == 1).await;
    }
    poll_for(async || stored(&gateway, "state").await.iter().all(|row| row[0] == "done")).await;
    for name in &names {
        assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
    }
}
