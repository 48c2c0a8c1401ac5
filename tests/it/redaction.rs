//! What the log hides, and what no caller can hide in it.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client, outcome},
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo},
};

fn unique(what: &str) -> String {
    format!("{what} {}", Uuid::new_v4())
}

fn id(answer: &Answer) -> String {
    answer.headers["gateway-call-id"].to_str().unwrap().to_owned()
}

/// A gateway with a client whose calls can be made again, as its Odoo account is in the configuration.
fn with_client(odoo: &Odoo, more: &str) -> (Gateway, Client) {
    let (key, entry) = new_client("webshop");
    let entry = format!("{entry}odoo_login = \"{}\"\nodoo_password_env = \"ACCOUNT\"\n", odoo.login);
    let variables = [("ACCOUNT", odoo.password.as_str())];
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &format!("{more}\n{entry}"), &variables);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    (gateway, client)
}

#[tokio::test]
async fn a_caller_cannot_blank_the_record_of_what_it_did() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_bearer(&gateway).await;
    let name = unique("to be deleted");
    let partner = odoo.create("res.partner", json!({"name": name})).await;
    // Each of these texts stands somewhere in the record of the call.
    let blank = ["unlink", "res.partner", "call_function", "method", "search_read", "domain", "name"];
    let vals = json!({"search_key": {"id": partner, "name": name},
        "payload": {"method": "unlink", "zz_token": [blank, [name, "vals", "payload"]]}});
    let deleted = client.call("call_function", "res.partner", vals).await;
    assert_eq!(deleted["is_success"], true, "{deleted}");
    let lines = gateway.lines();
    let line = |event: &str| lines.iter().rfind(|line| line["event"] == event).unwrap();
    let [received, planned, finished] = ["call.received", "call.planned", "call.finished"].map(line);
    assert_eq!(
        received["vals"],
        json!({"search_key": {"id": partner, "name": name}, "payload": {"method": "unlink", "zz_token": "***"}})
    );
    let call = &planned["plan"]["calls"][0];
    assert_eq!((&call["model"], &call["method"]), (&json!("res.partner"), &json!("unlink")), "{planned}");
    let calls = finished["odoo"].as_array().unwrap();
    assert!(!finished["odoo"].to_string().contains("***"), "{finished}");
    let made = calls.last().unwrap();
    assert_eq!((&made["model"], &made["method"]), (&json!("res.partner"), &json!("unlink")), "{finished}");
    assert_eq!(finished["message"], "Function 'unlink' called successfully");
    assert_eq!(finished["records"], json!({"res.partner": [partner]}));
    assert!(!finished["result"].to_string().contains("***"), "{finished}");

    // The same of values that were written.
    let (name, email, comment) = (unique("made"), format!("{}@example.com", Uuid::new_v4()), unique("comment"));
    let payload =
        json!({"name": name, "email": email, "comment": comment, "zz_token": [name, email, comment, "create"]});
    let made = client.call("create_data", "res.partner", json!({"payload": payload, "result_field": ["name"]})).await;
    let lines = gateway.lines();
    let line = |event: &str| lines.iter().rfind(|line| line["event"] == event).unwrap();
    let [received, planned, finished] = ["call.received", "call.planned", "call.finished"].map(line);
    let expected = json!({"name": name, "email": email, "comment": comment, "zz_token": "***"});
    assert_eq!(received["vals"]["payload"], expected);
    let expected = json!({"name": name, "email": email, "comment": comment});
    assert_eq!(planned["plan"]["calls"][0]["args"]["vals"], expected, "{planned}");
    assert_eq!(finished["odoo"].as_array().unwrap().last().unwrap()["args"]["vals"], expected, "{finished}");
    assert_eq!(finished["result"], made);
}

#[tokio::test]
async fn a_hidden_value_is_hidden_in_sentences_where_it_stands_under_a_field_and_not_under_an_invented_key() {
    let gateway = Gateway::start_with("[log]\nredact = [\"ref\", \"*token*\"]").await;
    let client = Client::with_bearer(&gateway).await;
    let secret = format!("S3cret-{}", Uuid::new_v4());
    let payload = json!({"name": "x", "parent_id": {"ref": secret},
        "zz_token": ["'parent_id'", "found no match", "parent_id", "res.partner"], "access_token": "res.partner"});
    let refused = client.call("create_data", "res.partner", json!({"payload": payload})).await;
    assert_eq!(refused["messages"], format!("'parent_id': '{secret}' found no match."));
    let line = gateway.log().pop().unwrap();
    assert_eq!(line["message"], "'parent_id': '***' found no match.");
    assert_eq!(line["result"]["messages"], line["message"]);
    assert_eq!(line["result"]["error"]["path"], "payload.parent_id");
    assert!(!gateway.log_text().contains(&secret), "{line}");

    // Odoo's own sentence and traceback, of a call whose planning asks for no fields.
    let partner = odoo().await.create("res.partner", json!({"name": unique("x"), "ref": secret})).await;
    let vals = json!({"search_key": {"ref": secret, "id": partner}, "payload": {"method": "write",
        "parameter": {"vals": {"ref": secret, "color": secret}}, "zz_token": ["invalid literal", "Traceback"]}});
    let refused = client.call("call_function", "res.partner", vals).await;
    assert_eq!(refused["is_success"], false, "{refused}");
    let line = gateway.log().pop().unwrap();
    assert!(refused["messages"].as_str().unwrap().contains(&secret), "{refused}");
    assert!(line["message"].as_str().unwrap().contains("***"), "{line}");
    assert!(line["odoo"].to_string().contains("Traceback"), "{line}");
    // It stands in clear in its other place alone, which no pattern names: in `vals`, `plan` and `odoo`.
    let text = gateway.log_text();
    let places = [secret.clone(), format!("\"color\":\"{secret}\"")].map(|place| text.matches(&place).count());
    assert_eq!(places, [3, 3], "{text}");
}

#[tokio::test]
async fn a_call_with_a_hidden_value_that_odoo_never_gets_can_be_made_again() {
    let odoo = odoo().await;
    let (gateway, webshop) = with_client(odoo, "[log]\nredact = [\"*token*\", \"comment\"]");
    let (name, code) = (unique("again"), Uuid::new_v4().to_string());
    let line = json!({"name": "a child", "form_token": "x"});
    let create = async |payload: Value| {
        let body = json!({"model": "res.partner", "vals": {"payload": payload, "my_token": "abcdef"}});
        id(&webshop.post("create_data", body.to_string()).await)
    };
    let harmless =
        create(json!({"name": name, "csrf_token": "s3cret", "child_ids": [line, line], "parent_id": {"ref": code}}))
            .await;
    let needed = create(json!({"name": name, "comment": "a secret", "parent_id": {"ref": code}})).await;
    let (status, told, _) = gateway.run(&["replay", &needed]);
    assert!(
        status == Some(1)
            && told.contains("hidden_values now")
            && told.contains("parts of its payload were hidden in the log (payload.comment); give them"),
        "{told}"
    );
    assert_eq!(gateway.log().pop().unwrap()["error"], "hidden_values");
    odoo.create("res.partner", json!({"name": unique("parent"), "ref": code})).await;
    for dry in [&["--dry-run"][..], &[]] {
        let (status, told, _) = gateway.run(&[&["replay", &needed], dry].concat());
        assert!(
            status == Some(1) && told.contains("were hidden in the log (payload.comment); give them with --edit"),
            "{told}"
        );
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 0);
    let (status, told, said) = gateway.run(&["replay", &harmless]);
    assert!(status == Some(0) && told.contains("1 of 1 done"), "{told}{said}");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name], ["parent_id.ref", "=", code]])).await, 1);
    assert_eq!(odoo.search_count("res.partner", json!([["name", "ilike", "***"]])).await, 0);
}

#[tokio::test]
async fn a_value_in_the_form_of_a_key_is_kept_where_it_is_a_value() {
    let odoo = odoo().await;
    let (gateway, webshop) = with_client(odoo, "");
    let (name, commit) = (unique("commit"), Uuid::new_v4().simple().to_string() + "01234567");
    let digest = commit.repeat(2)[..64].to_owned();
    let payload = json!({"name": name, "ref": commit, "comment": digest, "country_id": {"code": commit}});
    let body = json!({"model": "res.partner", "vals": {"payload": payload}}).to_string();
    let failed = webshop.post("create_data", body).await;
    let line = gateway.log().pop().unwrap();
    assert_eq!(line["vals"]["payload"], payload);
    assert_eq!(failed.json["result"]["messages"], "'country_id': '***' found no match.");
    assert_eq!(line["message"], "'country_id': '***' found no match.");
    // A replay fails for the same reason, not for what was hidden.
    let (status, told, _) = gateway.run(&["replay", &id(&failed)]);
    assert!(status == Some(1) && told.contains("no_match"), "{told}");
}

#[tokio::test]
async fn the_secrets_of_odoos_own_models_are_hidden_by_default() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_bearer(&gateway).await;
    let secret = || format!("S3cret{}", Uuid::new_v4().simple());
    let (pass, key, value) = (secret(), BASE64_STANDARD.encode(secret()), secret());
    let server = json!({"name": unique("mail"), "smtp_host": "localhost", "smtp_user": "u", "smtp_pass": pass,
        "smtp_ssl_private_key": key, "active": false});
    let made = client
        .call("create_data", "ir.mail_server", json!({"payload": server, "result_field": ["name", "smtp_pass"]}))
        .await;
    assert_eq!(made["is_success"], true, "{made}");
    let parameter = unique("x.parameter");
    let payload = json!({"key": parameter, "value": value});
    let made = client.call("create_data", "ir.config_parameter", json!({"payload": payload})).await;
    assert_eq!(made["is_success"], true, "{made}");
    let found = client
        .call(
            "search_data",
            "ir.config_parameter",
            json!({"payload": {"search_field": ["key", "value"], "search_domain": [["value", "=", value]]}}),
        )
        .await;
    assert_eq!(found["result"][0]["value"], value, "{found}");
    let text = gateway.log_text();
    for secret in [&pass, &key, &value] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(text.contains(&parameter) && text.contains("\"smtp_user\":\"u\""));
    let parameters = json!([["key", "=", parameter]]);
    assert_eq!(odoo.search_count("ir.config_parameter", parameters).await, 1);
}

#[tokio::test]
async fn a_key_or_password_in_the_place_of_a_login_is_said_nowhere() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let body = r#"{"model": "res.partner", "vals": {"payload": {"name": "x"}}}"#;
    let stray = Uuid::new_v4().simple().to_string() + "89abcdef";
    let client_key = format!("gw_{stray}");
    let password = "correct horse battery staple";
    let mut said = String::new();
    for client in [
        Client::with_login(&gateway, &odoo.key, "x"),
        Client::with_login(&gateway, &stray, "x"),
        Client::with_login(&gateway, &client_key, "x"),
        // Password and login swapped.
        Client::with_login(&gateway, password, &odoo.login),
        Client::with_key(&gateway).await.and("x-odoo-login", &stray),
        Client::with_header(&gateway, "x-api-key", "no such key").and("x-odoo-login", &odoo.key),
        Client::with_header(&gateway, "x-api-key", &client_key),
        Client::nobody(&gateway),
    ] {
        let answer = client.post("create_data", body).await;
        assert_ne!(outcome(&answer), "ok", "{answer:?}");
        said += &answer.json.to_string();
    }
    // A path is anybody's to write.
    for key in [&odoo.key, &stray, &client_key] {
        said += &Client::nobody(&gateway)
            .send("GET", &format!("/nowhere/{key}/x"), Default::default(), None::<String>)
            .await
            .json
            .to_string();
    }
    said += &gateway.log_text();
    gateway.terminate();
    said += &gateway.wait().1;
    for hidden in [&*odoo.key, &*stray, &*client_key, password] {
        assert!(!said.contains(hidden), "{hidden} is told: {said}");
    }
}
