//! The careless and the hostile caller: each gets an error that names what to mend, and the next call works.

use http::HeaderMap;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::odoo,
};

/// Sends a body to `create_data` and compares status, code and message; then makes sure that the gateway still works.
async fn check_body(body: &str, status: u16, code: &str, message: &str) {
    let gateway = Gateway::start().await;
    let client = Client::with_session(&gateway).await;
    let answer = client.post("create_data", body.to_owned()).await;
    let error = &answer.json["error"];
    assert_eq!(
        (answer.status, &error["data"]["code"], &error["message"]),
        (status, &json!(code), &json!(message)),
        "{body}"
    );
    assert_eq!(
        client.call("search_data", "res.country", json!({"payload": {"limit": 1, "search_field": ["code"]}})).await["is_success"],
        true
    );
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_with_the_place() {
    check_body("{bad", 400, "invalid_json", "the body is no JSON: key must be a string at line 1 column 2").await;
}

#[tokio::test]
async fn a_json_array_is_refused() {
    check_body("[]", 400, "invalid_envelope", "the body must be a JSON object, not a list").await;
}

#[tokio::test]
async fn parameters_of_the_wrong_kind_are_named() {
    check_body(r#"{"params": [1]}"#, 200, "invalid_envelope", "`params` must be an object, not a list").await;
    check_body(
        r#"{"params": {"model": "res.partner", "vals": [1]}}"#,
        200,
        "invalid_envelope",
        "`params.vals` must be an object, not a list",
    )
    .await;
    check_body(
        r#"{"params": {"model": 5, "vals": {}}}"#,
        200,
        "invalid_envelope",
        "`params.model` must be a model's name, not a number",
    )
    .await;
}

#[tokio::test]
async fn a_body_nested_without_end_is_refused() {
    let body =
        format!(r#"{{"params": {{"model": "res.partner", "vals": {}{}}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let gateway = Gateway::start().await;
    let answer = Client::with_session(&gateway).await.post("create_data", body).await;
    assert_eq!((answer.status, answer.json["error"]["data"]["code"].as_str()), (400, Some("nested_too_deep")));
}

#[tokio::test]
async fn vals_of_the_wrong_kind_are_named_and_nothing_is_written() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let name = format!("bad {}", uuid::Uuid::new_v4());
    let cases = [
        ("create_data", json!({"payload": "x"}), "invalid_value", "payload"),
        ("create_data", json!({"payload": {"name": name}, "result_field": "name"}), "invalid_fields", "result_field"),
        (
            "create_data",
            json!({"payload": {"name": name}, "result_field": ["no_such"]}),
            "unknown_field",
            "result_field",
        ),
        (
            "create_data",
            json!({"payload": {"name": name}, "result_field": ["name{x}"]}),
            "not_relational",
            "result_field",
        ),
        ("create_data", json!({"payload": {"name": name}, "strict": 1}), "invalid_value", "strict"),
        ("create_data", json!({"payload": {"name": [1]}}), "invalid_value", "payload.name"),
        ("create_data", json!({"payload": {"name": name, "country_id": "TH"}}), "invalid_value", "payload.country_id"),
        ("create_data", json!({"payload": {"name": name, "country_id": {}}}), "invalid_value", "payload.country_id"),
        (
            "create_data",
            json!({"payload": {"name": name, "country_id": {"code": {"a": 1}}}}),
            "invalid_value",
            "payload.country_id.code",
        ),
        (
            "create_data",
            json!({"payload": {"name": name, "child_ids": {"name": "k"}}}),
            "invalid_value",
            "payload.child_ids",
        ),
        (
            "create_data",
            json!({"payload": {"name": name, "child_ids": [{"name": "k"}, 5]}}),
            "invalid_value",
            "payload.child_ids[1]",
        ),
        (
            "create_data",
            json!({"payload": {"name": name, "child_ids": [{"country_id": {"code": "Q9"}}]}}),
            "no_match",
            "payload.child_ids[0].country_id",
        ),
        ("update_data", json!({"search_key": {}, "payload": {"name": name}}), "missing_parameter", "search_key"),
        (
            "update_data",
            json!({"search_key": {"ref": null}, "payload": {"name": name}}),
            "invalid_value",
            "search_key.ref",
        ),
        (
            "update_data",
            json!({"search_key": {"id": 1}, "payload": {"child_ids": null}}),
            "invalid_value",
            "payload.child_ids",
        ),
        (
            "create_data",
            json!({"payload": {"name": name, "category_id": {"mode": "replace"}}}),
            "invalid_value",
            "payload.category_id",
        ),
        (
            "create_data",
            json!({"payload": {"name": name, "country_id": {"code": null}}}),
            "invalid_value",
            "payload.country_id.code",
        ),
        (
            "update_data",
            json!({"search_key": {"ref": {"a": 1}}, "payload": {"name": name}}),
            "invalid_value",
            "search_key.ref",
        ),
        ("search_data", json!({"payload": {"search_domain": "[(1"}}), "invalid_domain", "payload.search_domain"),
        ("search_data", json!({"payload": {"search_domain": "{'a': 1}"}}), "invalid_value", "payload.search_domain"),
        ("search_data", json!({"payload": {"search_field": ["child_ids{"]}}), "invalid_fields", "search_field"),
        ("search_data", json!({"payload": {"limit": "ten"}}), "invalid_value", "payload.limit"),
        ("search_data", json!({"payload": {"offset": -1}}), "invalid_value", "payload.offset"),
        ("search_data", json!({"payload": {"order": ["name"]}}), "invalid_value", "payload.order"),
        (
            "call_function",
            json!({"search_key": {"id": 1}, "payload": {"method": "_write"}}),
            "private_method",
            "payload.method",
        ),
        (
            "call_function",
            json!({"search_key": {"id": 1}, "payload": {"method": "read", "parameter": [1]}}),
            "invalid_value",
            "payload.parameter",
        ),
    ];
    for (route, vals, code, path) in cases {
        let answer = client.call(route, "res.partner", vals.clone()).await;
        assert_eq!(answer["is_success"], false, "{vals}");
        assert_eq!(
            (answer["error"]["code"].as_str(), answer["error"]["path"].as_str()),
            (Some(code), Some(path)),
            "{vals}: {answer}"
        );
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 0);
}

#[tokio::test]
async fn an_unknown_model_or_method_is_named_by_either_door() {
    let gateway = Gateway::start().await;
    for client in [Client::with_session(&gateway).await, Client::with_key(&gateway).await] {
        for route in ["create_data", "search_data"] {
            for model in ["no.such.model", "../../web/database", "", "res.partner/x"] {
                let body = json!({"model": model, "vals": {"payload": {}}});
                let answer = client.post(route, body.to_string()).await.json;
                let error = if model.is_empty() { &answer["error"]["data"] } else { &answer["result"]["error"] };
                let code = if model.is_empty() { "missing_parameter" } else { "unknown_model" };
                assert_eq!(error["code"], code, "{route} {model}: {answer}");
            }
        }
        let vals = json!({"search_key": {"id": 1}, "payload": {"method": "no_such_method"}});
        let answer = client.call("call_function", "res.partner", vals).await;
        assert_eq!(answer["error"]["code"], "unknown_method", "{answer}");
        assert!(answer["messages"].as_str().unwrap().contains("no_such_method"));
    }
}

#[tokio::test]
async fn a_misspelt_parameter_is_said_and_refused_where_strict() {
    let gateway = Gateway::start_with("[compat]\nstrict = false").await;
    let client = Client::with_session(&gateway).await;
    let vals = json!({"payload": {"domain": "[('id', '=', 1)]", "search_field": ["id"], "limit": 1}});
    let answer = client.call("search_data", "res.country", vals.clone()).await;
    assert_eq!(answer["warnings"][0]["path"], "payload.domain", "{answer}");
    let strict = Gateway::start_with("[compat]\nstrict = true").await;
    let answer = Client::with_session(&strict).await.call("search_data", "res.country", vals).await;
    assert_eq!(answer["error"]["code"], "unknown_parameter", "{answer}");
}

#[tokio::test]
async fn no_or_wrong_credentials_get_an_error_object_and_no_data() {
    let gateway = Gateway::start().await;
    let body = json!({"id": 3, "params": {"model": "res.country", "vals": {"payload": {}}}}).to_string();
    let zeroes = "0".repeat(40);
    let cases = [
        (Client::nobody(&gateway), "no_credentials", 200),
        (Client::with_header(&gateway, "authorization", &format!("Bearer {zeroes}")), "wrong_key", 200),
        (Client::with_header(&gateway, "x-api-key", &zeroes), "wrong_key", 200),
        (Client::with_header(&gateway, "x-api-key", "key with a \u{e9}"), "unreadable_credential", 200),
        (Client::with_header(&gateway, "cookie", &format!("session_id={zeroes}")), "session_expired", 100),
        (Client::with_header(&gateway, "authorization", "Digest abc"), "no_credentials", 200),
        (Client::with_header(&gateway, "authorization", "Basic YTpi"), "wrong_login", 200),
    ];
    for (client, code, number) in cases {
        let answer = client.post("search_data", body.clone()).await;
        let error = &answer.json["error"];
        assert_eq!(
            (answer.status, &answer.json["id"], &error["data"]["code"]),
            (200, &json!(3), &json!(code)),
            "{answer:?}"
        );
        assert_eq!(error["code"], number);
        assert!(!answer.json.to_string().contains(&zeroes));
    }
}

#[tokio::test]
async fn an_odoo_that_is_not_there_is_said_by_the_status_and_costs_the_gateway_nothing() {
    let gateway = Gateway::before("http://127.0.0.1:9", "none", "");
    let client = Client::with_header(&gateway, "x-api-key", "k");
    for _ in 0..2 {
        let answer = client.post("create_data", r#"{"model": "res.partner", "vals": {}}"#).await;
        assert_eq!((answer.status, answer.json["error"]["data"]["code"].as_str()), (502, Some("odoo_unreachable")));
        assert_eq!(answer.json["error"]["data"]["retry"], "safe");
    }
    assert_eq!(client.authenticate("none", "a", "b").await.status, 502);
    assert_eq!(gateway.get_admin("/health").await.0, 200);
    assert_eq!(gateway.get_admin("/ready").await.0, 503);
}

#[tokio::test]
async fn a_database_that_odoo_does_not_serve_is_named() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, "no_such_database", "");
    let answer = Client::with_key(&gateway).await.post("search_data", r#"{"model": "res.partner", "vals": {}}"#).await;
    assert_eq!((answer.status, answer.json["error"]["data"]["code"].as_str()), (502, Some("no_such_database")));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_whether_it_says_so_or_not() {
    let gateway = Gateway::start_with("[limits]\nbody = \"1 KiB\"").await;
    let client = Client::with_session(&gateway).await;
    let answer = client.post("create_data", "x".repeat(2000)).await;
    assert_eq!((answer.status, answer.json["error"]["data"]["code"].as_str()), (413, Some("body_too_large")));
    let mut stream = TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    let chunk = format!("7d0\r\n{}\r\n", "x".repeat(2000));
    let request = format!("POST /api/create_data HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(std::str::from_utf8(&answer).unwrap(), "HTTP/1.1 413");
}

#[tokio::test]
async fn a_silent_or_trickling_peer_is_dropped() {
    let gateway = Gateway::start_with("[limits]\nheader_timeout = \"300ms\"\nbody_timeout = \"300ms\"").await;
    let address = gateway.url.trim_start_matches("http://").to_owned();
    for (sent, expected) in [
        ("", ""),
        ("POST /api/create_data HT", ""),
        ("POST /api/create_data HTTP/1.1\r\nHost: g\r\nContent-Length: 10\r\n\r\n{", "HTTP/1.1 408"),
    ] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(std::time::Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the connection stays open after {sent:?}");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(expected), "{sent:?}");
        assert_eq!(answer.contains("body_timeout"), !expected.is_empty(), "{sent:?}");
    }
}

#[tokio::test]
async fn no_path_leads_past_the_session_routes() {
    let gateway = Gateway::start().await;
    let address = gateway.url.trim_start_matches("http://").to_owned();
    for path in [
        "/web/session/../database/manager",
        "/web/session/%2e%2e/database/manager",
        "/web/database/manager",
        "/web/session/..%2f..%2fjsonrpc",
    ] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    let answer = Client::nobody(&gateway).send("GET", "/web/database/list", HeaderMap::new(), None::<String>).await;
    assert_eq!((answer.status, answer.json["error"]["code"].as_str()), (404, Some("not_found")));
}

#[tokio::test]
async fn an_odoo_error_carries_no_traceback_to_the_caller_and_one_to_the_log() {
    let gateway = Gateway::start().await;
    let client = Client::with_session(&gateway).await;
    let answer: Value = client.call("create_data", "res.partner", json!({"payload": {"ref": "no name"}})).await;
    assert_eq!((answer["is_success"].clone(), answer["error"]["retry"].as_str()), (json!(false), Some("no")));
    assert!(!answer.to_string().contains("Traceback"), "{answer}");
    let log = gateway.log();
    let failed = log.last().unwrap()["odoo"].as_array().unwrap().last().unwrap().clone();
    assert!(failed["traceback"].as_str().unwrap().contains("Traceback"), "{failed}");
}

#[tokio::test]
async fn a_name_of_any_length_is_refused_before_anything_is_sent() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_key(&gateway).await;
    // Who calls and what the models look like is known from here on.
    let warm = json!({"payload": {"name": "x", "parent_id": {"ref": "x"}}, "dry_run": true});
    client.call("create_data", "res.partner", warm).await;
    for length in [201, 70_000] {
        let long = "x".repeat(length);
        let dotted = format!("parent_id.{long}");
        let method = json!({"search_key": {"id": 1}, "payload": {"method": "read"}});
        let with = |pointer: &str, value: Value| {
            let mut vals = method.clone();
            let (at, key) = pointer.rsplit_once('/').unwrap();
            vals.pointer_mut(at).unwrap()[key] = value;
            vals
        };
        let cases = [
            ("create_data", long.as_str(), json!({"payload": {}}), "model"),
            ("call_function", "res.partner", with("/payload/method", json!(long)), "payload.method"),
            ("call_function", "res.partner", with("/payload/parameter", json!({&long: 1})), "payload.parameter"),
            ("call_function", "res.partner", with("/payload/context", json!({"lang": long})), "payload.context.lang"),
            ("call_function", "res.partner", with("/payload/context", json!({&long: 1})), "payload.context"),
            ("create_data", "res.partner", json!({"payload": {&long: 1}}), "payload"),
            ("create_data", "res.partner", json!({"payload": {"parent_id": {&long: 1}}}), "payload.parent_id"),
            ("update_data", "res.partner", json!({"search_key": {&dotted: 1}, "payload": {}}), "search_key"),
            (
                "search_data",
                "res.partner",
                json!({"payload": {"search_domain": ["|", ["id", "=", 1], [dotted, "=", 1]]}}),
                "payload.search_domain",
            ),
        ];
        proxy.run(|_, _| Fault::Pass);
        for (route, model, vals, path) in cases {
            let answer = client.call(route, model, vals).await;
            let error = &answer["error"];
            assert_eq!((&error["code"], &error["retry"]), (&json!("invalid_value"), &json!("no")), "{path}");
            assert_eq!(error["path"], path);
            assert!(answer.to_string().len() < 2_000, "{path}: the name is not carried along");
        }
        let picks = json!({"payload": {"search_field": [long]}});
        let answer = client.call("search_data", "res.partner", picks).await;
        assert_eq!((&answer["error"]["code"], &answer["error"]["retry"]), (&json!("invalid_fields"), &json!("no")));
        // The user is asked for again after some seconds.
        let seen = proxy.seen().into_iter().filter(|rpc| rpc != "res.users/read").collect::<Vec<_>>();
        assert_eq!(seen, Vec::<String>::new());
    }
}
