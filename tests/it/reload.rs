//! A changed configuration comes into use while the gateway runs, whole or not at all.

use std::{fs, sync::Arc};

use futures_util::future;
use http::HeaderMap;
use serde_json::json;
use tokio::sync::Notify;

use crate::support::{
    client::{Answer, Client},
    fault::{Fault, FaultProxy},
    gateway::{Gateway, configuration, new_client},
    odoo::odoo,
    poll, poll_for,
    tls::Authority,
};

const COUNTRY: &str = r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#;
const DONE: &str = "odoo_gateway_reloads_total{outcome=\"done\"}";
const REFUSED: &str = "odoo_gateway_reloads_total{outcome=\"refused\"}";

/// Status, and `ok` or the code of the error.
fn outcome(answer: &Answer) -> (u16, String) {
    let error = &answer.json["error"]["data"]["code"];
    (answer.status, error.as_str().or(answer.json["result"]["error"]["code"].as_str()).unwrap_or("ok").to_owned())
}

async fn search(client: &Client) -> (u16, String) {
    outcome(&client.post("search_data", COUNTRY).await)
}

async fn count(gateway: &Gateway, series: &str) -> f64 {
    gateway.metrics().await.get(series).copied().unwrap_or_default()
}

#[tokio::test]
async fn a_changed_file_is_in_use_within_seconds() {
    let odoo = odoo().await;
    let gateway = Gateway::start().await;
    let (key, entry) = new_client("webshop");
    let (client, known) = (Client::with_header(&gateway, "x-api-key", &key), Client::with_key(&gateway).await);
    assert_eq!(search(&client).await, (200, "unknown_client".to_owned()));
    let version = async || known.send("GET", "/web/version", HeaderMap::new(), None::<String>).await.status;
    assert_eq!(version().await, 404);

    let secret = gateway.config_file().with_file_name("webshop.key");
    fs::write(&secret, &odoo.key).unwrap();
    let more = format!(
        "[limits]\nbody = \"1 KiB\"\n[proxy]\npass = [\"/web/version\"]\n{entry}odoo_login = \"{}\"\nodoo_key_file = \"webshop.key\"\n",
        odoo.login
    );
    fs::write(gateway.config_file(), configuration(&odoo.url, &odoo.database, &more)).unwrap();
    poll_for(async || search(&client).await == (200, "ok".to_owned())).await;
    // The rest came with it.
    assert_eq!(outcome(&known.post("search_data", " ".repeat(2 << 10)).await), (413, "body_too_large".to_owned()));
    assert_eq!(version().await, 200);
    let login = known.authenticate(&odoo.database, &odoo.login, &odoo.password).await;
    assert_eq!(login.status, 404, "it was passed on before");

    // A file that the configuration names has a change of its own.
    fs::write(&secret, "0".repeat(40)).unwrap();
    poll_for(async || search(&client).await == (502, "client_account".to_owned())).await;
    fs::write(&secret, &odoo.key).unwrap();
    poll_for(async || search(&client).await == (200, "ok".to_owned())).await;
    assert_eq!(count(&gateway, DONE).await, 3.0, "one for each change");
}

#[tokio::test]
async fn a_hangup_has_the_file_read_at_once() {
    let odoo = odoo().await;
    let gateway = Gateway::start().await;
    let client = Client::with_key(&gateway).await;
    gateway.signal("HUP");
    poll_for(async || count(&gateway, DONE).await == 1.0).await;
    for kibibytes in [1, 4, 1] {
        let more = format!("[limits]\nbody = \"{kibibytes} KiB\"");
        fs::write(gateway.config_file(), configuration(&odoo.url, &odoo.database, &more)).unwrap();
        gateway.signal("HUP");
        let is_large = async || client.post("search_data", " ".repeat(2 << 10)).await.status == 413;
        poll_for(async || is_large().await == (kibibytes == 1)).await;
    }
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_told_with_its_place() {
    let odoo = odoo().await;
    let good = configuration(&odoo.url, &odoo.database, "");
    let cases = [
        (good.clone() + "[limits\n", "gateway.toml:9:"),
        (
            good.clone() + "[limits]\nbodi = \"1 KiB\"\n",
            "gateway.toml:10:1: unknown key `bodi` in [limits]; did you mean `body`?",
        ),
        (good.clone() + "[limits]\nbody = \"much\"\n", "gateway.toml:10:8: [limits] body: `much` is not a size"),
        (good.clone() + "[tls]\ncertificate = \"none.pem\"\nkey = \"none.pem\"\n", "none.pem"),
        (good.clone() + "[log]\nkeep = \"60d\"\n", "[log] can be changed by a restart only"),
        (good.replacen("127.0.0.1:0", "127.0.0.1:1", 1), "[server] listen and drain can be changed by a restart only"),
        (good.replace("127.0.0.1:0", "127.0.0.1:1"), "[server] listen and drain, [admin] can be changed"),
        (String::new(), "gateway.toml:1:1: [upstream] url is missing"),
    ];
    let refused = cases.map(async |(bad, words)| {
        let gateway = Gateway::start_with("[limits]\nbody = \"1 MiB\"").await;
        fs::write(gateway.config_file(), bad).unwrap();
        gateway.signal("HUP");
        poll_for(async || count(&gateway, REFUSED).await >= 1.0).await;
        let client = Client::with_key(&gateway).await;
        assert_eq!(search(&client).await, (200, "ok".to_owned()), "{words}");
        assert_eq!(client.post("search_data", " ".repeat(2 << 20)).await.status, 413, "{words}");
        // It is mended, and read again.
        fs::write(gateway.config_file(), &good).unwrap();
        gateway.signal("HUP");
        poll_for(async || client.post("search_data", " ".repeat(2 << 20)).await.status != 413).await;
        gateway.terminate();
        let (status, said, _) = gateway.ended().await;
        let line = said.lines().find(|line| line.contains("the new configuration is not used")).unwrap();
        assert!(status == Some(0) && line.contains("ERROR") && line.contains(words), "{words}: {said}");
    });
    future::join_all(refused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_under_way_ends_as_it_began() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (key, entry) = new_client("webshop");
    let entry = entry + &format!("odoo_login = \"{}\"\nodoo_key_file = \"webshop.key\"\n", odoo.login);
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    fs::write(gateway.config_file().with_file_name("webshop.key"), &odoo.key).unwrap();
    fs::write(gateway.config_file(), configuration(&proxy.url, &odoo.database, &entry)).unwrap();
    let client = Client::with_header(&gateway, "x-api-key", &key);
    poll_for(async || search(&client).await == (200, "ok".to_owned())).await;
    let release = Arc::new(Notify::new());
    let hold = Fault::Hold { reached: Arc::default(), release: release.clone() };
    // That call alone: the searches below may come before the change does.
    proxy.run(move |number, _| if number == 0 { hold.clone() } else { Fault::Pass });
    let reload = async {
        poll(|| !proxy.seen().is_empty()).await;
        // Another Odoo, and nobody of that name any more.
        let more = "max_in_flight = 2";
        fs::write(gateway.config_file(), configuration(&odoo.url, &odoo.database, more)).unwrap();
        gateway.signal("HUP");
        poll_for(async || search(&client).await == (200, "unknown_client".to_owned())).await;
        release.notify_one();
    };
    let (answer, ()) = future::join(client.post("search_data", COUNTRY), reload).await;
    assert_eq!(outcome(&answer), (200, "ok".to_owned()), "{answer:?}");
    let line = gateway.log().into_iter().rfind(|line| line["state"] == "done").unwrap();
    assert_eq!(
        (&line["id"], &line["client"]),
        (&json!(answer.headers["gateway-call-id"].to_str().unwrap()), &json!("webshop"))
    );
}

#[tokio::test]
async fn what_is_known_of_odoo_outlasts_a_reload_unless_its_authority_has_changed() {
    let odoo = odoo().await;
    let (proxy, [first, second]) = (FaultProxy::before(odoo).await, [Authority::new(), Authority::new()]);
    let gateway = Gateway::before(&proxy.url, &odoo.database, &format!("ca = \"{}\"", first.root().display()));
    let client = Client::with_key(&gateway).await;
    let schemas_read = async || {
        proxy.run(|_, _| Fault::Pass);
        let tag = json!({"model": "res.partner.category", "vals": {"payload": {"name": "reload"}}});
        assert_eq!(outcome(&client.post("create_data", tag.to_string()).await), (200, "ok".to_owned()));
        proxy.seen().iter().filter(|rpc| *rpc == "res.partner.category/fields_get").count()
    };
    assert_eq!(schemas_read().await, 1);
    gateway.signal("HUP");
    poll_for(async || count(&gateway, DONE).await == 1.0).await;
    assert_eq!(schemas_read().await, 0);
    fs::copy(second.root(), first.root()).unwrap();
    gateway.signal("HUP");
    poll_for(async || count(&gateway, DONE).await >= 2.0).await;
    assert_eq!(schemas_read().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_before_and_after_a_reload_together_keep_to_the_limit() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let with = |timeout: &str| format!("max_in_flight = 1\nbatch = false\ntimeout = \"{timeout}\"");
    let gateway = Gateway::before(&proxy.url, &odoo.database, &with("50s"));
    let client = Client::with_key(&gateway).await;
    assert_eq!(search(&client).await, (200, "ok".to_owned()));
    let (reached, release): (Arc<Notify>, Arc<Notify>) = Default::default();
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    proxy.run(move |number, _| if number == 0 { hold.clone() } else { Fault::Pass });
    let reload = async {
        reached.notified().await;
        fs::write(gateway.config_file(), configuration(&proxy.url, &odoo.database, &with("51s"))).unwrap();
        gateway.signal("HUP");
        poll_for(async || count(&gateway, DONE).await >= 1.0).await;
        let release = async {
            poll_for(async || count(&gateway, "odoo_gateway_odoo_waiting").await == 1.0).await;
            release.notify_one();
        };
        future::join(search(&client), release).await.0
    };
    let both = future::join(search(&client), reload).await;
    assert_eq!(both, ((200, "ok".to_owned()), (200, "ok".to_owned())));
}
