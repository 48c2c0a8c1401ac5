//! What a caller sends who is proven without Odoo is in the log whether or not Odoo is there, and can be replayed when it is.

use std::{fs, net::SocketAddr};

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client, outcome},
    fault::FaultProxy,
    gateway::{Gateway, new_client},
    odoo::odoo,
    poll, poll_for,
};

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A gateway with the client `webshop`, whose Odoo key stands in a file; and that client.
async fn with_key_file(url: &str, odoo_key: &str) -> (Gateway, Client, NamedTempFile) {
    let odoo = odoo().await;
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), odoo_key).unwrap();
    let (key, entry) = new_client("webshop");
    let entry = format!("{entry}odoo_login = \"{}\"\nodoo_key_file = \"{}\"\n", odoo.login, file.path().display());
    let gateway = Gateway::before(url, &odoo.database, &entry);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    (gateway, client, file)
}

async fn create(client: &Client, name: &str) -> Answer {
    let vals = json!({"payload": {"name": name}});
    client.post("create_data", json!({"id": 7, "model": "res.partner", "vals": vals}).to_string()).await
}

/// What the log has of the call that was answered: whether its payload is there, its client and its login.
fn recorded(gateway: &Gateway, answer: &Answer) -> (Value, Value, Value) {
    let id = json!(answer.headers["gateway-call-id"].to_str().unwrap());
    let line = gateway.log().into_iter().find(|line| line["id"] == id).unwrap();
    (line["vals"]["payload"]["name"].clone(), line["client"].clone(), line["caller"]["login"].clone())
}

async fn count(name: &str) -> Value {
    odoo().await.search_count("res.partner", json!([["name", "=", name]])).await
}

// The proxy goes on while a command runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_sends_while_odoo_was_never_there_is_replayed_when_it_comes() {
    let odoo = odoo().await;
    let address = nobody().await;
    let (gateway, client, _file) = with_key_file(&format!("http://{address}"), &odoo.key).await;
    let name = format!("away {}", Uuid::new_v4());
    let answer = create(&client, &name).await;
    assert_eq!((answer.status, outcome(&answer).as_str()), (502, "odoo_unreachable"));
    assert_eq!((&answer.json["id"], &answer.headers["retry-after"]), (&json!(7), &"5".parse().unwrap()), "{answer:?}");
    assert_eq!(recorded(&gateway, &answer), (json!(name), json!("webshop"), Value::Null));
    let id = answer.headers["gateway-call-id"].to_str().unwrap();
    let _proxy = FaultProxy::at(address, odoo).await;
    poll(|| gateway.run(&["replay", id]).0 == Some(0)).await;
    assert_eq!(count(&name).await, 1);
    let again = gateway.run_json(&["log", "ls", "--json", "-n", "1"]).remove(0);
    assert_eq!((&again["replay_of"], &again["login"]), (&json!(id), &json!(odoo.login)), "{again}");
    assert_eq!(gateway.run_json(&["log", "ls", "--json", "-n", "1", "--caller", &odoo.login]).len(), 1);
    let (_, shown, _) = gateway.run(&["log", "show", again["id"].as_str().unwrap()]);
    assert!(shown.contains(&format!("client webshop, `{}` in Odoo", odoo.login)), "{shown}");
}

#[tokio::test]
async fn what_a_client_sends_whose_odoo_account_is_refused_is_replayed_when_it_is_mended() {
    let odoo = odoo().await;
    let (gateway, client, file) = with_key_file(&odoo.url, &"0".repeat(40)).await;
    let name = format!("refused {}", Uuid::new_v4());
    let answer = create(&client, &name).await;
    assert_eq!((answer.status, outcome(&answer).as_str()), (502, "client_account"));
    assert_eq!(answer.headers["retry-after"], "5");
    assert_eq!(recorded(&gateway, &answer), (json!(name), json!("webshop"), Value::Null));
    fs::write(file.path(), &odoo.key).unwrap();
    poll_for(async || gateway.metrics().await.contains_key("odoo_gateway_reloads_total{outcome=\"done\"}")).await;
    let (status, told, said) = gateway.run(&["replay", answer.headers["gateway-call-id"].to_str().unwrap()]);
    assert_eq!(status, Some(0), "{told}{said}");
    assert_eq!(count(&name).await, 1);
}

#[tokio::test]
async fn of_what_a_stranger_sends_while_odoo_is_away_nothing_but_the_id_is_kept() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&format!("http://{}", nobody().await), &odoo.database, "");
    let name = format!("stranger {}", Uuid::new_v4());
    for client in [
        Client::with_header(&gateway, "authorization", &format!("Bearer {}", odoo.key)),
        Client::with_header(&gateway, "x-api-key", &format!("gw_{}", "0".repeat(64))),
    ] {
        let answer = create(&client, &name).await;
        assert_eq!((&answer.json["id"], recorded(&gateway, &answer).0), (&json!(7), Value::Null), "{answer:?}");
    }
    assert!(!gateway.log_text().contains(&name));
}
