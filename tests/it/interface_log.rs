//! The log of calls: what a line holds, and what it must never hold.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{client::Client, gateway::Gateway, odoo::odoo};

#[tokio::test]
async fn every_call_leaves_a_line_with_what_was_asked_and_what_came_of_it() {
    let gateway = Gateway::start().await;
    let client = Client::with_session(&gateway).await;
    let payload = json!({"name": "log me", "country_id": {"code": "TH"}});
    let body = json!({"id": 1, "params": {"model": "res.partner", "vals": {"payload": payload}}});
    let answer = client.post("create_data", body.to_string()).await;
    let log = gateway.log();
    let line = log.last().unwrap();
    assert_eq!(line["id"], answer.headers["gateway-call-id"].to_str().unwrap());
    assert_eq!(
        (&line["route"], &line["model"], &line["state"]),
        (&json!("create_data"), &json!("res.partner"), &json!("done"))
    );
    assert_eq!(
        line["caller"],
        json!({"credential": "session", "door": "session", "uid": odoo().await.uid().await, "login": odoo().await.login})
    );
    assert_eq!(line["vals"]["payload"], payload);
    assert_eq!(line["result"], answer.json["result"]);
    assert!(line["duration_ms"].as_f64().unwrap() > 0.0);
    let calls = line["odoo"].as_array().unwrap();
    assert!(calls.iter().all(|call| call["ms"].as_f64().unwrap() > 0.0));
    assert_eq!(calls.last().unwrap()["method"], "create");
    assert!(line["ts"].as_str().unwrap().ends_with('Z'));
    assert_eq!(line["records"], json!({"res.partner": [answer.json["result"]["result"]["id"]]}));
}

#[tokio::test]
async fn what_never_got_to_odoo_is_in_the_log_too() {
    let gateway = Gateway::start().await;
    let client = Client::nobody(&gateway);
    client.post("create_data", "{bad").await;
    client.post("search_data", r#"{"model": "res.partner", "vals": {}}"#).await;
    let errors: Vec<Value> =
        gateway.log().iter().map(|line| json!([line["route"], line["state"], line["error"]])).collect();
    assert_eq!(
        errors,
        [json!(["create_data", "failed", "invalid_json"]), json!(["search_data", "failed", "no_credentials"])]
    );
}

#[tokio::test]
async fn no_password_key_or_cookie_reaches_the_log_or_standard_error() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let session = Client::with_session(&gateway).await;
    let key = Client::with_key(&gateway).await;
    let secret = "correct horse battery staple";
    let login = format!("secret-{}", uuid::Uuid::new_v4());
    session
        .call("create_data", "res.users", json!({"payload": {"name": "S", "login": login, "password": secret}}))
        .await;
    key.call(
        "search_data",
        "res.users",
        json!({"payload": {"search_field": ["login"], "search_domain": [["login", "=", login]]}}),
    )
    .await;
    let vals = json!({"search_key": {"login": login}, "payload": {"method": "write", "parameter": {"vals": {"password": secret}}}});
    key.call("call_function", "res.users", vals).await;
    // A secret as something to look up by, and in the sentence of a refusal.
    let by_secret =
        json!({"payload": {"search_field": ["login"], "search_domain": format!("[('password', '=', '{secret}')]")}});
    key.call("search_data", "res.users", by_secret).await;
    key.call("update_data", "res.users", json!({"search_key": {"password": secret}, "payload": {"name": "x"}})).await;
    Client::with_header(&gateway, "x-api-key", "wrong-but-still-secret")
        .post("search_data", r#"{"model": "m", "vals": {}}"#)
        .await;
    assert_eq!(gateway.log().len(), 6);
    let log = gateway.log_text();
    gateway.terminate();
    let (_, said) = gateway.wait();
    for hidden in [secret, &odoo.key, "wrong-but-still-secret", "session_id"] {
        assert!(!log.contains(hidden) && !said.contains(hidden), "{hidden} is in the log");
    }
}

#[tokio::test]
async fn the_log_is_for_its_owner_alone_and_for_one_gateway_at_a_time() {
    let gateway = Gateway::start().await;
    let folder = gateway.log_folder();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in ["00000000000000000001.jsonl", "LOCK", "control.json"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
    let (status, _, said) = gateway.run(&["serve"]);
    assert_eq!(status, Some(1));
    assert!(said.contains("is in use by another process (process "), "{said}");
}

#[tokio::test]
async fn lines_of_calls_that_come_at_once_are_all_there_and_whole() {
    let gateway = Gateway::start().await;
    let client = Client::nobody(&gateway);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.post("create_data", "{}").await })
        })
        .collect();
    let mut ids = std::collections::HashSet::new();
    for call in calls {
        ids.insert(call.await.unwrap().headers["gateway-call-id"].to_str().unwrap().to_owned());
    }
    let logged: std::collections::HashSet<String> =
        gateway.log().iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(logged, ids);
}

#[tokio::test]
async fn of_a_stranger_the_size_is_kept_and_nothing_else() {
    let gateway = Gateway::start().await;
    let body = r#"{"id": 5, "model": "res.partner", "vals": {"payload": {"name": "from a stranger"}}}"#;
    let answer = Client::nobody(&gateway).post("create_data", body).await;
    assert_eq!(answer.json["id"], 5);
    let line = gateway.log()[0].clone();
    assert_eq!(
        (&line["size"], &line["vals"], &line["error"]),
        (&json!(body.len()), &Value::Null, &json!("no_credentials"))
    );
    assert!(!line.to_string().contains("from a stranger"));
}

#[tokio::test]
async fn what_was_too_large_too_slow_or_had_wrong_credentials_is_in_the_log_too() {
    let gateway = Gateway::start_with("[limits]\nbody = \"1 KiB\"\nbody_timeout = \"1s\"").await;
    let client = Client::nobody(&gateway);
    client.post("create_data", "x".repeat(2_000)).await;
    Client::with_header(&gateway, "x-api-key", "no such key").post("create_data", "{}").await;
    let mut slow = tokio::net::TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    slow.write_all(b"POST /api/update_data HTTP/1.1\r\nHost: g\r\nContent-Length: 100\r\n\r\n{").await.unwrap();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    let log = gateway.log();
    let told: Vec<Value> = log.iter().map(|line| json!([line["event"], line["route"], line["error"]])).collect();
    assert_eq!(
        told,
        [
            json!(["call.refused", "create_data", "body_too_large"]),
            json!(["call.refused", "create_data", "wrong_key"]),
            json!(["call.refused", "update_data", "body_timeout"])
        ]
    );
    // What was asked of Odoo to find out who calls stands under the call.
    assert_eq!(log[1]["odoo"][0]["error"], "wrong_key", "{}", log[1]);
}
