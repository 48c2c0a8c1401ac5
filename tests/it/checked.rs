//! `check` and what the gateway does where its surroundings are wrong: a database that is not there, a secret that is missing.

use std::{
    fs::{self, File},
    net::TcpListener,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    client::Client,
    gateway::{Gateway, configuration, new_client, run_in},
    odoo::{odoo, odoo_14},
    poll_for,
};

/// A folder with a configuration for an Odoo that is not there.
fn folder(more: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration("http://127.0.0.1:9", "none", more);
    fs::write(folder.path().join("gateway.toml"), config).unwrap();
    folder
}

fn with_listener(from: &str, to: &str) -> TempDir {
    let folder = folder("");
    let file = folder.path().join("gateway.toml");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(file, config.replace(from, to)).unwrap();
    folder
}

#[test]
fn check_fails_exactly_where_the_gateway_does_not_start() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let held = |lock: &str| {
        let folder = folder("");
        let file = folder.path().join(lock);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let file = File::create(file).unwrap();
        file.lock().unwrap();
        (folder, file)
    };
    let (log_held, _log_lock) = held("log/LOCK");
    let (store_held, _store_lock) = held("delivery/store.lock");
    let client = new_client("shop").1 + "odoo_login = \"bot\"\nodoo_key_file = \"none.key\"\n";
    let hook = "[[hook]]\npath = \"/hooks/shop\"\nclient = \"shop\"\nroute = \"create_data\"\nmodel = \"res.partner\"\n\
                template = \"none.jq\"\n";
    for (what, folder, starts) in [
        ("nothing is wrong", folder(""), true),
        ("a key is misspelt", folder("databse = \"x\""), false),
        ("a certificate is not there", folder("[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\""), false),
        ("the authorities are not there", folder("ca = \"none.pem\""), false),
        ("a port is in use", with_listener("127.0.0.1:0", &occupied.local_addr().unwrap().to_string()), false),
        ("both listeners are at one place", with_listener("127.0.0.1:0", &free.to_string()), false),
        ("another process has the log", log_held, false),
        ("another process has the store", store_held, false),
        ("the log is no folder", folder("[log]\ndirectory = \"gateway.toml\""), false),
        ("a template is not there", folder(&format!("{client}{hook}")), false),
        ("a secret is missing", folder(&client), true),
    ] {
        let (status, said, _) = run_in(folder.path(), &["check", "--offline"]);
        assert_eq!(status, Some(if starts { 0 } else { 1 }), "{what}: {said}");
        match Gateway::again(folder) {
            Ok(_) => assert!(starts, "{what}: it starts"),
            Err(said) => assert!(!starts, "{what}: {said}"),
        }
    }
}

#[test]
fn check_tells_programs_the_same_and_warnings_can_be_denied() {
    let client = new_client("shop").1 + "odoo_login = \"bot\"\nodoo_key_file = \"none.key\"\n";
    let folder = folder(&client);
    let check = |more: &[&str]| run_in(folder.path(), &[&["check", "--offline"], more].concat());
    let (status, said, _) = check(&["--json"]);
    let told: Value = serde_json::from_str(&said).unwrap();
    let warning = told["findings"].as_array().unwrap().iter().find(|finding| finding["level"] == "warning").unwrap();
    assert_eq!((status, &warning["area"]), (Some(0), &json!("client")), "{told}");
    assert!(warning["message"].as_str().unwrap().starts_with("`shop` is not served: cannot read `"), "{told}");
    assert!(warning["remedy"].as_str().unwrap().contains("put the secret there"), "{told}");
    assert_eq!((&told["summary"]["warnings"], &told["summary"]["failures"]), (&json!(1), &json!(0)));
    assert_eq!(check(&["--deny-warnings"]).0, Some(1));
    let (_, listed, _) = run_in(folder.path(), &["client", "list", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap()["state"], "no secret", "{listed}");

    fs::write(folder.path().join("gateway.toml"), "[upstreem]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"x\"\n")
        .unwrap();
    let (status, said, _) = check(&["--json"]);
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &told["findings"][0]["line"], &told["findings"][0]["column"]), (Some(1), &json!(1), &json!(2)));
    assert_eq!(told["findings"][0]["remedy"], "did you mean [upstream]?", "{told}");
}

#[tokio::test]
async fn a_gateway_before_an_odoo_without_its_database_runs_and_is_not_ready() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, "no_such_database", "");
        let (status, ready) = gateway.get_admin("/ready").await;
        assert_eq!(
            (status, &ready["ready"], &ready["odoo"]["database"]),
            (503, &json!(false), &json!("missing")),
            "{ready}"
        );
        gateway.terminate();
        let (_, said) = gateway.wait();
        assert_eq!(said.matches("Odoo does not serve the configured database").count(), 1, "{said}");
    }
}

#[tokio::test]
async fn a_client_without_its_secret_is_not_served_until_it_is_there() {
    let odoo = odoo().await;
    let account = format!("odoo_login = \"{}\"\n", odoo.login);
    let ((key, shop), (other_key, other)) = (new_client("shop"), new_client("other"));
    let clients =
        format!("{shop}{account}odoo_key_file = \"shop.key\"\n{other}{account}odoo_key_file = \"other.key\"\n");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("gateway.toml", &configuration(&odoo.url, &odoo.database, &clients));
    write("other.key", &odoo.key);
    let secret = folder.path().join("shop.key");
    let gateway = Gateway::again(folder).unwrap();
    let (shop, other) =
        (Client::with_header(&gateway, "x-api-key", &key), Client::with_header(&gateway, "x-api-key", &other_key));
    assert_eq!(search(&other).await["result"]["is_success"], true);
    let refused = search(&shop).await;
    assert_eq!(refused["error"]["data"]["code"], "client_account", "{refused}");
    assert_eq!(refused["error"]["data"]["retry"], "safe", "{refused}");
    assert!(!refused.to_string().contains("shop.key"), "{refused}");
    fs::write(&secret, &odoo.key).unwrap();
    poll_for(async || search(&shop).await["result"]["is_success"] == true).await;
}

async fn search(client: &Client) -> Value {
    client.post("search_data", r#"{"model": "res.country", "vals": {"payload": {"limit": 1}}}"#).await.json
}
