//! Clients and people that a command lets in while the gateway runs.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::{
    client::{Client, outcome},
    console::Console,
    gateway::Gateway,
    odoo::odoo,
    poll_for,
};

const COUNTRY: &str = r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_a_command_adds_is_let_in_without_a_restart() {
    let odoo = odoo().await;
    let gateway = Gateway::start_with("# narrow, please").await;
    let folder = gateway.config_file().parent().unwrap().to_owned();
    std::fs::write(folder.join("shop.odoo"), &odoo.key).unwrap();
    let key_file = folder.join("shop.key");
    let new = |name: &str, more: &[&str]| {
        let args = ["client", "new", name, "--append", "--key-file", key_file.to_str().unwrap()];
        let odoos = ["--odoo-login", &odoo.login, "--odoo-key-file", "shop.odoo"];
        gateway.run(&[&args[..], &odoos, more].concat())
    };
    let (status, _, said) = new("web shop", &[]);
    assert!(status == Some(1) && said.contains("the name has ' ' in it"), "{said}");
    let (status, _, said) = new("shop", &["--routes", "drop_data"]);
    assert!(status == Some(1) && said.contains("drop_data") && !key_file.exists(), "{said}");

    let (status, out, said) = new("shop", &["--routes", "search_data", "--models", "res.country", "--json"]);
    assert_eq!(status, Some(0), "{said}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["name"], &report["key"]), (&json!("shop"), &json!(null)), "{report}");
    assert_eq!(std::fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(gateway.config_file()).unwrap();
    assert!(text.contains("# narrow, please\n") && text.contains("odoo_key_file = \"shop.odoo\""), "{text}");

    let key = std::fs::read_to_string(&key_file).unwrap();
    let client = Client::with_header(&gateway, "x-api-key", key.trim());
    poll_for(async || outcome(&client.post("search_data", COUNTRY).await) == "ok").await;
    assert_eq!(outcome(&client.post("create_data", COUNTRY).await), "route_not_allowed");

    let before = std::fs::read_to_string(gateway.config_file()).unwrap();
    let (status, _, said) = new("other", &[]);
    assert!(status == Some(1) && said.contains("shop.key` is there already"), "{said}");
    let (status, _, said) = new("shop", &[]);
    assert!(status == Some(1) && said.contains("there is a [[client]] `shop` in"), "{said}");
    assert_eq!(std::fs::read_to_string(gateway.config_file()).unwrap(), before);
}

#[tokio::test]
async fn a_person_that_a_command_adds_can_sign_in_without_a_restart() {
    let gateway = Gateway::before("http://127.0.0.1:9", "none", "");
    let (status, out, said) = gateway.run(&["console", "token", "anna", "--role", "operator", "--append"]);
    assert_eq!(status, Some(0), "{said}");
    let token = out.lines().next().unwrap().to_owned();
    poll_for(async || {
        let console = Console::nobody(&gateway);
        console.send_form("/signin", &[("token", &token)]).await.status == 303
    })
    .await;
}
