//! Callers that the gateway knows: until when, from where, how fast and for what each is let in, and what the operator sees.

use std::{collections::BTreeMap, fs::Permissions, os::unix::fs::PermissionsExt, sync::Arc, time::Duration};

use futures_util::{StreamExt, future, stream};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use crate::support::{
    client::{Client, http, outcome},
    fault::{Fault, FaultProxy},
    gateway::{Gateway, new_client, run_in},
    odoo::{Odoo, odoo},
    poll_for,
};

/// So many try wrong keys at once, each on a connection of its own.
const FLOODERS: usize = 200;
const COUNTRY: &str = r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#;

async fn search(client: &Client) -> String {
    outcome(&client.post("search_data", COUNTRY).await)
}

/// A client that acts as the run's user, and what its entry says besides; its key and the entry.
fn entry(odoo: &Odoo, name: &str, more: &str) -> (String, String) {
    let (key, entry) = new_client(name);
    (key, format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n{more}\n", odoo.login))
}

fn before(odoo: &Odoo, url: &str, more: &str) -> Gateway {
    Gateway::before_with(url, &odoo.database, more, &[("ODOO_KEY", &odoo.key)])
}

/// A gateway with one client, and that client.
fn one(odoo: &Odoo, more: &str) -> (Gateway, Client) {
    let (key, entry) = entry(odoo, "shop", more);
    let gateway = before(odoo, &odoo.url, &entry);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    (gateway, client)
}

#[tokio::test]
async fn a_client_is_let_in_until_it_expires_or_is_revoked_and_from_where_it_may_call() {
    let odoo = odoo().await;
    for (more, expected) in [
        ("expires = \"2999-12-31\"\naddresses = [\"127.0.0.0/8\"]", "ok"),
        ("expires = \"2020-01-01\"", "client_expired"),
        ("revoked = true", "client_revoked"),
        ("addresses = [\"203.0.113.0/24\"]", "address_not_allowed"),
        ("routes = [\"create_data\"]", "route_not_allowed"),
        ("models = { allow = [\"res.partner\"] }", "model_not_allowed"),
    ] {
        let (gateway, client) = one(odoo, more);
        let answer = client.post("search_data", COUNTRY).await;
        assert_eq!(outcome(&answer), expected, "{more}: {answer:?}");
        let line = gateway.log().pop().unwrap();
        assert_eq!((&line["client"], line["error"].as_str().unwrap_or("ok")), (&json!("shop"), expected), "{line}");
        let stranger = Client::with_header(&gateway, "x-api-key", &format!("gw_{}", "0".repeat(64)));
        assert_eq!(search(&stranger).await, "unknown_client");
    }
}

#[tokio::test]
async fn the_log_says_which_rule_refused() {
    let odoo = odoo().await;
    let (gateway, client) = one(odoo, "never_write = [\"*.vat\"]");
    let refused = client.call("create_data", "res.partner", json!({"payload": {"name": "x", "vat": "1"}})).await;
    assert_eq!(refused["error"]["code"], "field_not_writable");
    assert_eq!(refused["messages"], "the client `shop` may not write `res.partner.vat`: `never_write` has \"*.vat\"");
    let line = gateway.log().pop().unwrap();
    assert_eq!(line["result"]["error"]["rule"], "`never_write` has \"*.vat\"", "{line}");
}

#[tokio::test]
async fn a_client_that_is_revoked_by_command_is_let_in_no_more_and_the_file_keeps_its_comments() {
    let odoo = odoo().await;
    let (gateway, client) = one(odoo, "# narrow\nroutes = [\"search_data\"]");
    assert_eq!(search(&client).await, "ok");
    std::fs::set_permissions(gateway.config_file(), Permissions::from_mode(0o640)).unwrap();
    let (status, said, _) = gateway.run(&["client", "revoke", "shop"]);
    assert_eq!(status, Some(0), "{said}");
    poll_for(async || search(&client).await == "client_revoked").await;
    // Whoever could read the file still can, and nobody else.
    let mode = std::fs::metadata(gateway.config_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let text = std::fs::read_to_string(gateway.config_file()).unwrap();
    assert!(text.contains("# narrow\n") && text.contains("revoked = true"), "{text}");
    let (status, _, said) = gateway.run(&["client", "revoke", "nobody"]);
    assert!(status == Some(1) && said.contains("there are: shop"), "{said}");
}

#[tokio::test]
async fn the_clients_are_listed_with_their_last_calls() {
    let odoo = odoo().await;
    let (first, second) =
        (entry(odoo, "first", "methods = [\"res.partner.x\"]"), entry(odoo, "second", "expires = \"2020-01-01\""));
    let gateway = before(odoo, &odoo.url, &(second.1 + &first.1));
    assert_eq!(search(&Client::with_header(&gateway, "x-api-key", &first.0)).await, "ok");
    let listed = gateway.run_json(&["client", "list", "--json"]);
    let of = |name: &str| listed.iter().find(|client| client["name"] == name).unwrap();
    assert_eq!((&of("first")["state"], &of("first")["methods"]), (&json!("active"), &json!(["res.partner.x"])));
    assert!(of("first")["last"].is_string() && of("second")["last"].is_null(), "{listed:?}");
    assert_eq!(of("second")["state"], "expired");
    let (_, table, _) = gateway.run(&["client", "list"]);
    assert!(table.lines().count() == 3 && table.starts_with("NAME "), "{table}");
    // A configuration without a log, too.
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(gateway.config_file(), folder.path().join("gateway.toml")).unwrap();
    assert_eq!(run_in(folder.path(), &["client", "list"]).0, Some(0));
}

#[tokio::test]
async fn who_calls_too_fast_or_too_often_at_once_is_asked_to_come_back_and_others_are_not() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let fast = entry(odoo, "fast", "requests_per_second = 5");
    let wide = entry(odoo, "wide", "in_flight = 2");
    let gateway = before(odoo, &proxy.url, &(fast.1 + &wide.1));
    let (fast, wide) =
        (Client::with_header(&gateway, "x-api-key", &fast.0), Client::with_header(&gateway, "x-api-key", &wide.0));
    assert_eq!(search(&wide).await, "ok");
    let answers = future::join_all((0..20).map(|_| fast.post("search_data", COUNTRY))).await;
    let limited: Vec<_> = answers.iter().filter(|answer| outcome(answer) == "rate_limited").collect();
    // The first five in any case; a slow machine has time for more.
    assert!((1..=15).contains(&limited.len()), "{}", limited.len());
    assert!(limited.iter().all(|answer| answer.status == 429 && answer.headers.contains_key("retry-after")));
    poll_for(async || search(&fast).await == "ok").await;

    let (reached, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = Fault::Hold { reached: reached.clone(), release: release.clone() };
    proxy.run(move |number, _| if number < 2 { held.clone() } else { Fault::Pass });
    let calls = tokio::spawn({
        let wide = wide.clone();
        async move { future::join(search(&wide), search(&wide)).await }
    });
    reached.notified().await;
    reached.notified().await;
    assert_eq!(search(&wide).await, "too_many_in_flight");
    assert_eq!(search(&fast).await, "ok");
    release.notify_waiters();
    assert_eq!(calls.await.unwrap(), ("ok".to_owned(), "ok".to_owned()));
    assert_eq!(search(&wide).await, "ok");
}

#[tokio::test]
async fn callers_with_an_odoo_credential_can_be_narrowed_and_refused_altogether() {
    let odoo = odoo().await;
    let narrowed = "[policy]\nmodels = { deny = [\"res.country\"] }\nmethods = []";
    let gateway = Gateway::before(&odoo.url, &odoo.database, narrowed);
    let own = Client::with_header(&gateway, "x-api-key", &odoo.key);
    assert_eq!(search(&own).await, "model_not_allowed");
    let call = json!({"payload": {"method": "name_get"}, "search_key": {"id": 1}});
    assert_eq!(own.call("call_function", "res.partner", call).await["error"]["code"], "method_not_allowed");
    let (key, entry) = entry(odoo, "shop", "");
    let gateway = before(odoo, &odoo.url, &format!("[policy]\nown_credentials = false\n{entry}"));
    assert_eq!(search(&Client::with_header(&gateway, "x-api-key", &odoo.key)).await, "own_credentials");
    assert_eq!(search(&Client::with_header(&gateway, "x-api-key", &key)).await, "ok");
}

#[tokio::test]
async fn a_loose_search_key_changes_no_more_records_than_a_client_may() {
    let odoo = odoo().await;
    let (_gateway, client) = one(odoo, "methods = [\"res.partner.action_archive\"]\nmax_records = { read = 2 }");
    let mark = Uuid::new_v4().to_string();
    for _ in 0..3 {
        odoo.create("res.partner", json!({"name": mark, "ref": mark})).await;
    }
    let many = json!({"search_key": {"ref": mark}, "payload": {"name": "changed"}});
    for route in ["update_data", "create_update_data"] {
        let refused = client.call(route, "res.partner", many.clone()).await;
        assert_eq!(refused["error"]["code"], "too_many_records", "{refused}");
    }
    let archive = json!({"search_key": {"ref": mark}, "payload": {"method": "action_archive"}});
    assert_eq!(client.call("call_function", "res.partner", archive).await["error"]["code"], "too_many_records");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", mark]])).await, 3);
    let domain = json!([["ref", "=", mark]]);
    for (payload, expected) in [
        (json!({"search_domain": domain, "search_field": ["name"]}), "too_many_records"),
        (json!({"search_domain": domain, "search_field": ["name"], "limit": 3}), "too_many_records"),
        (json!({"search_domain": domain, "search_field": ["name"], "limit": 2}), "ok"),
    ] {
        let body = json!({"model": "res.partner", "vals": {"payload": payload}}).to_string();
        assert_eq!(outcome(&client.post("search_data", body).await), expected, "{payload}");
    }
}

#[tokio::test]
async fn a_client_reaches_the_records_of_its_domain_alone_and_makes_no_others() {
    let odoo = odoo().await;
    let mark = Uuid::new_v4().to_string();
    let domain = format!("domains = {{ \"res.partner\" = [[\"ref\", \"=\", \"{mark}\"]] }}");
    let (gateway, client) = one(odoo, &format!("{domain}\nmax_records = {{ write = 100 }}"));
    let own = odoo.create("res.partner", json!({"name": "own", "ref": mark})).await;
    let other = odoo.create("res.partner", json!({"name": "other", "ref": "elsewhere", "vat": mark})).await;
    let code = |answer: &Value| answer["error"]["code"].as_str().unwrap_or("ok").to_owned();

    let found =
        json!({"payload": {"search_domain": ["|", ["id", "=", own], ["id", "=", other]], "search_field": ["name"]}});
    assert_eq!(client.call("search_data", "res.partner", found).await["result"], json!([{"id": own, "name": "own"}]));
    let update = |id: &i64, payload: Value| json!({"search_key": {"id": id}, "payload": payload});
    let missed = client.call("update_data", "res.partner", update(&other, json!({"name": "x"}))).await;
    assert_eq!(missed["warnings"][0]["code"], "nothing_matched", "{missed}");
    // Neither as a parent, nor to read what is behind it.
    let child =
        json!({"payload": {"name": "child", "ref": mark, "parent_id": other}, "result_field": ["parent_id{vat}"]});
    assert_eq!(code(&client.call("create_data", "res.partner", child).await), "no_match");
    let child =
        json!({"payload": {"name": "child", "ref": mark, "parent_id": own}, "result_field": ["parent_id{name}"]});
    let made = client.call("create_data", "res.partner", child).await;
    assert_eq!(made["result"]["parent_id"], json!([{"id": own, "name": "own"}]), "{made}");
    // What is made outside is gone again; what is there cannot be moved out.
    let name = format!("outside {mark}");
    let outside =
        client.call("create_data", "res.partner", json!({"payload": {"name": name, "ref": "elsewhere"}})).await;
    assert_eq!(code(&outside), "outside_domain", "{outside}");
    let lines = json!({"payload": {"name": name, "ref": mark, "child_ids": [{"name": name, "ref": "elsewhere"}]}});
    assert_eq!(code(&client.call("create_data", "res.partner", lines).await), "outside_domain");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 0);
    assert_eq!(
        code(&client.call("update_data", "res.partner", update(&own, json!({"ref": "away"}))).await),
        "outside_domain"
    );
    let kept = client.call("update_data", "res.partner", update(&own, json!({"ref": mark, "city": "Ghent"}))).await;
    assert_eq!(kept["is_success"], true, "{kept}");
    let commands = update(&own, json!({"child_ids": [[1, other, {"name": "taken"}]]}));
    assert_eq!(code(&client.call("update_data", "res.partner", commands).await), "outside_domain");
    let read = odoo.call("res.partner", "read", json!([[other], ["name"]]), json!({})).await.unwrap();
    assert_eq!(read[0]["name"], "other");
    let shown = gateway.log().into_iter().find(|line| line["route"] == "search_data").unwrap();
    assert!(shown["odoo"].to_string().contains(&mark), "{shown}");
}

/// How many wrong keys are tried; `ODOO_GATEWAY_TEST_KEYS=200000` for the whole of it.
fn wrong_keys() -> usize {
    std::env::var("ODOO_GATEWAY_TEST_KEYS").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000)
}

/// The median of the times that calls took, one after another, until `is_over` or for `least` of them.
async fn median(client: &Client, least: usize, is_over: impl Fn() -> bool) -> Duration {
    let mut times = Vec::new();
    while times.len() < least || !is_over() {
        let began = Instant::now();
        assert_eq!(search(client).await, "ok");
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}

/// Tries wrong keys, of the gateway's form and of Odoo's, as fast as they are refused; gives how often each code came.
async fn flood(url: String, all: usize) -> BTreeMap<String, usize> {
    let http = http();
    let tries = stream::iter(0..all).map(|number| {
        let key = if number % 2 == 0 { format!("gw_{number:064x}") } else { format!("{number:040x}") };
        let request = http.post(format!("{url}/api/search_data")).header("x-api-key", key).body(COUNTRY);
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    });
    tries
        .buffer_unordered(FLOODERS)
        .fold(BTreeMap::new(), |mut codes, answer| async move {
            *codes.entry(answer["error"]["data"]["code"].as_str().unwrap_or("ok").to_owned()).or_insert(0) += 1;
            codes
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_wrong_keys_costs_others_little_and_odoo_next_to_nothing() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (key, entry) = entry(odoo, "shop", "");
    let gateway = before(odoo, &proxy.url, &entry);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    assert_eq!(search(&client).await, "ok");
    let usual = median(&client, 100, || true).await;
    let (memory, _) = gateway.memory();
    let asked = proxy.seen().len();
    let (all, began) = (wrong_keys(), Instant::now());
    let flood = tokio::spawn(flood(gateway.url.clone(), all));
    let busy = median(&client, 50, || flood.is_finished()).await;
    let codes = flood.await.unwrap();
    let (after, most) = gateway.memory();
    println!(
        "{all} wrong keys: p50 of a normal client {usual:.1?} alone, {busy:.1?} meanwhile ({:.2} times); memory {} MiB before, {} after, {} at most; answers {codes:?}; {} RPCs of the flood's reached Odoo",
        busy.as_secs_f64() / usual.as_secs_f64(),
        memory >> 20,
        after >> 20,
        most >> 20,
        proxy.requests("/json/2/res.users/context_get"),
    );
    assert_eq!(codes.values().sum::<usize>(), all);
    assert!(
        codes.keys().all(|code| ["unknown_client", "wrong_key", "too_many_attempts"].contains(&code.as_str())),
        "{codes:?}"
    );
    // So many in each minute, however long it takes.
    let minutes = usize::try_from(began.elapsed().as_secs() / 60).unwrap() + 1;
    assert!(proxy.requests("/json/2/res.users/context_get") <= 1 + 60 * minutes && proxy.seen().len() > asked);
    assert!(after < memory + (32 << 20), "{} MiB", after >> 20);
    // A new credential from this address has to wait, one from elsewhere would not; the log is not full of it.
    assert!(gateway.log().len() < 3_000 + all / 20, "{} lines", gateway.log().len());
}
