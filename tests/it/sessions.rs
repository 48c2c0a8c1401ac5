//! Logging in through the gateway, and what it must not do to Odoo.

use http::{HeaderMap, HeaderValue, header};
use serde_json::json;

use crate::support::{client::Client, gateway::Gateway, odoo::odoo};

#[tokio::test]
async fn a_login_through_the_gateway_does_not_change_the_address_of_odoos_links() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    Client::with_session(&gateway).await;
    // Logins of other tests may set it meanwhile, each to the address that it reached Odoo by; none to this gateway's.
    let address = odoo.call("ir.config_parameter", "get_param", json!(["web.base.url"]), json!({})).await.unwrap();
    assert_ne!(address, json!(gateway.url));
}

#[tokio::test]
async fn a_login_to_another_database_is_refused() {
    let gateway = Gateway::start().await;
    let answer = Client::nobody(&gateway).authenticate("postgres", "admin", "admin").await;
    assert_eq!(answer.json["error"]["data"]["code"], "other_database", "{answer:?}");
    // Odoo takes its login by any method, and with slashes that need not be there.
    let body = json!({"params": {"db": "postgres", "login": "admin", "password": "admin"}}).to_string();
    for (method, path) in [("PUT", "authenticate"), ("POST", "authenticate/"), ("POST", "/authenticate")] {
        let path = format!("/web/session/{path}");
        let answer = Client::nobody(&gateway).send(method, &path, HeaderMap::new(), Some(body.clone())).await;
        assert_eq!(answer.json["error"]["data"]["code"], "other_database", "{method} {path}: {answer:?}");
    }
    let unread =
        Client::nobody(&gateway).send("POST", "/web/session/authenticate", Default::default(), Some("\u{feff}{")).await;
    assert_eq!(unread.status, 400);
}

#[tokio::test]
async fn a_login_that_is_none_by_its_size_or_says_a_thing_twice_is_refused() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let nobody = Client::nobody(&gateway);
    let long = json!({"params": {"db": odoo.database, "login": "x".repeat(70_000), "password": "x"}}).to_string();
    let twice =
        format!(r#"{{"params": {{"db": "{}", "db": "postgres", "login": "a", "password": "b"}}}}"#, odoo.database);
    for (body, status, code) in [(long, 413, "body_too_large"), (twice, 400, "invalid_json")] {
        let answer = nobody.send("POST", "/web/session/authenticate", HeaderMap::new(), Some(body)).await;
        assert_eq!((answer.status, &answer.json["error"]["data"]["code"]), (status, &json!(code)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_session_that_was_ended_is_refused_at_once() {
    let gateway = Gateway::start().await;
    let client = Client::with_session(&gateway).await;
    let search = || {
        client.post(
            "search_data",
            r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#,
        )
    };
    assert_eq!(search().await.json["result"]["is_success"], true);
    client.send("POST", "/web/session/destroy", Default::default(), Some(r#"{"params": {}}"#)).await;
    let answer = search().await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (200, &json!(100)), "{answer:?}");
}

#[tokio::test]
async fn each_caller_acts_with_the_rights_of_its_own_user() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let admin = Client::with_key(&gateway).await;
    let groups = json!([[6, 0, []]]);
    let login = format!("portal-{}", uuid::Uuid::new_v4());
    odoo.create(
        "res.users",
        json!({"name": "P", "login": login, "password": "a long enough password", "group_ids": groups}),
    )
    .await;
    let answer = Client::nobody(&gateway).authenticate(&odoo.database, &login, "a long enough password").await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let nobody_much = Client::with_header(&gateway, "cookie", &cookie);
    let create = json!({"payload": {"name": "x"}});
    assert_eq!(admin.call("create_data", "res.partner", create.clone()).await["is_success"], true);
    let refused = nobody_much.call("create_data", "res.partner", create).await;
    assert_eq!(
        (&refused["is_success"], &refused["error"]["code"]),
        (&json!(false), &json!("access_error")),
        "{refused}"
    );
}

#[tokio::test]
async fn a_session_cannot_be_used_by_a_form_in_a_foreign_page() {
    let gateway = Gateway::start().await;
    let client = Client::with_session(&gateway).await;
    let form = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
    let body = r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#;
    let answer = client.send("POST", "/api/search_data", form.clone(), Some(body)).await;
    assert_eq!((answer.status, &answer.json["error"]["data"]["code"]), (415, &json!("content_type")), "{answer:?}");
    let answer = Client::with_key(&gateway).await.send("POST", "/api/search_data", form, Some(body)).await;
    assert_eq!(answer.json["result"]["is_success"], true);
}
