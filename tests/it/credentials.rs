//! Who calls: each kind of credential, what becomes of it when Odoo no longer accepts it, and how often Odoo is asked.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future;
use serde_json::json;
use uuid::Uuid;

use crate::support::{
    client::{Client, outcome},
    fault::{Fault, FaultProxy, exception},
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo, odoo_14},
    poll, poll_for,
};

const COUNTRY: &str = r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#;

async fn search(client: &Client) -> String {
    outcome(&client.post("search_data", COUNTRY).await)
}

/// A user with a password: the login.
async fn user(odoo: &Odoo, password: &str) -> String {
    let login = format!("user-{}", Uuid::new_v4());
    odoo.create("res.users", json!({"name": login, "login": login, "password": password})).await;
    login
}

#[tokio::test]
async fn a_login_with_a_password_or_a_key_is_enough_for_every_version() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let (login, password, key) = (&odoo.login, &odoo.password, &odoo.key);
        assert_eq!(search(&Client::with_login(&gateway, login, password)).await, "ok");
        assert_eq!(search(&Client::with_login(&gateway, login, key)).await, "ok");
        let key_beside_login = Client::with_header(&gateway, "x-api-key", key).and("x-odoo-login", login);
        assert_eq!(search(&key_beside_login).await, "ok");
        let doors: Vec<_> = gateway.log().iter().map(|line| line["caller"]["door"].clone()).collect();
        let by_key = if odoo.version == 14 { "json-rpc" } else { "json-2" };
        assert_eq!(doors, ["session", by_key, by_key]);
        assert_eq!(search(&Client::with_login(&gateway, login, "wrong")).await, "wrong_login");
        let wrong_key = if odoo.version == 14 { "wrong_login" } else { "wrong_key" };
        assert_eq!(search(&Client::with_login(&gateway, login, &"0".repeat(40))).await, wrong_key);
        let stranger = Client::with_header(&gateway, "x-api-key", key).and("x-odoo-login", "somebody else");
        assert_eq!(search(&stranger).await, "wrong_login");
    }
}

#[tokio::test]
async fn before_odoo_19_a_key_alone_is_refused_with_what_to_do() {
    let odoo = odoo_14().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "");
    let answer = Client::with_header(&gateway, "x-api-key", &odoo.key).post("search_data", COUNTRY).await;
    assert_eq!(outcome(&answer), "key_needs_login");
    assert!(answer.json["error"]["message"].as_str().unwrap().contains("X-Odoo-Login"));
}

#[tokio::test]
async fn json_2_before_odoo_19_is_a_mistake_of_the_configuration() {
    let odoo = odoo_14().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "protocol = \"json-2\"");
    let answer = Client::with_login(&gateway, &odoo.login, &odoo.key).post("search_data", COUNTRY).await;
    assert_eq!((answer.status, outcome(&answer).as_str()), (502, "no_such_door"));
}

#[tokio::test]
async fn calls_of_one_login_share_one_login() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_login(&gateway, &odoo.login, &odoo.password);
    let outcomes = future::join_all((0..12).map(|_| search(&client))).await;
    assert!(outcomes.iter().all(|outcome| outcome == "ok"), "{outcomes:?}");
    assert_eq!(proxy.requests("/web/session/authenticate"), 1);
}

#[tokio::test]
async fn what_odoo_refused_is_not_taken_to_it_again_for_a_while() {
    let odoo = odoo().await;
    for (door, path) in
        [("auto", "/web/session/authenticate"), ("json-rpc", "/jsonrpc"), ("xml-rpc", "/xmlrpc/2/common")]
    {
        let proxy = FaultProxy::before(odoo).await;
        let gateway = Gateway::before(&proxy.url, &odoo.database, &format!("protocol = \"{door}\""));
        let login = user(odoo, "a long enough password").await;
        // Until the version is known, that is asked for too.
        assert_eq!(search(&Client::with_login(&gateway, &login, "a long enough password")).await, "ok", "{door}");
        let before = proxy.requests(path);
        for _ in 0..4 {
            assert_eq!(search(&Client::with_login(&gateway, &login, "wrong")).await, "wrong_login", "{door}");
        }
        assert_eq!(proxy.requests(path) - before, 1, "{door}");
        assert_eq!(search(&Client::with_login(&gateway, &login, "a long enough password")).await, "ok", "{door}");
    }
}

#[tokio::test]
async fn a_session_that_has_expired_is_begun_anew_and_the_call_made_once_more() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_login(&gateway, &odoo.login, &odoo.password);
    assert_eq!(search(&client).await, "ok");
    let expired = r#"{"jsonrpc": "2.0", "id": null, "error": {"code": 100, "message": "Odoo Session Expired", "data": {"name": "odoo.http.SessionExpiredException", "message": "Session expired", "debug": "Traceback"}}}"#;
    proxy.run(move |number, _| match number {
        0 => Fault::Answer { status: "200 OK", body: expired.to_owned() },
        _ => Fault::Pass,
    });
    let name = format!("renewed {}", Uuid::new_v4());
    let made = client.call("create_data", "res.partner", json!({"payload": {"name": name}})).await;
    assert_eq!(made["is_success"], true, "{made}");
    assert_eq!(proxy.requests("/web/session/authenticate"), 2);
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
}

#[tokio::test]
async fn a_session_that_odoo_ended_costs_none_of_many_callers_its_call() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let password = "the same password";
        let login = user(odoo, password).await;
        let client = Client::with_login(&gateway, &login, password);
        assert_eq!(search(&client).await, "ok");
        // The same password once more has another hash, which ends all sessions.
        let ids = odoo.call("res.users", "search", json!([[["login", "=", login]]]), json!({})).await.unwrap();
        odoo.call("res.users", "write", json!([ids, {"password": password}]), json!({})).await.unwrap();
        let outcomes = future::join_all((0..8).map(|_| search(&client))).await;
        assert!(outcomes.iter().all(|outcome| outcome == "ok"), "Odoo {}: {outcomes:?}", odoo.version);
    }
}

#[tokio::test]
async fn an_odoo_that_takes_no_logins_for_a_while_has_not_refused_the_password() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    proxy.answer_logins(&exception(
        "odoo.exceptions.AccessDenied",
        "Too many login failures, please wait a bit before trying again.",
    ));
    let client = Client::with_login(&gateway, &odoo.login, &odoo.password);
    let answer = client.post("search_data", COUNTRY).await;
    assert_eq!((answer.status, outcome(&answer).as_str()), (503, "logins_held"));
    assert!(answer.headers.contains_key("retry-after"));
    proxy.let_logins_pass();
    assert_eq!(search(&client).await, "ok");
}

#[tokio::test]
async fn a_password_that_was_changed_ends_the_sessions_that_it_opened() {
    for (odoo, door) in [(odoo().await, "session"), (odoo().await, "json-rpc"), (odoo_14().await, "xml-rpc")] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, &format!("protocol = \"{door}\""));
        let login = user(odoo, "the first password").await;
        assert_eq!(search(&Client::with_login(&gateway, &login, "the first password")).await, "ok", "{door}");
        let domain = json!([[["login", "=", login]]]);
        let ids = odoo.call("res.users", "search", domain, json!({})).await.unwrap();
        let values = json!({"password": "the second password"});
        odoo.call("res.users", "write", json!([ids, values]), json!({})).await.unwrap();
        assert_eq!(search(&Client::with_login(&gateway, &login, "the first password")).await, "wrong_login", "{door}");
        assert_eq!(search(&Client::with_login(&gateway, &login, "the second password")).await, "ok", "{door}");
    }
}

#[tokio::test]
async fn a_key_that_was_revoked_while_it_was_in_use_is_refused() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_header(&gateway, "x-api-key", &odoo.key);
    assert_eq!(search(&client).await, "ok");
    // As Odoo 19 answers when the key's row is gone.
    let revoked = r#"{"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey", "arguments": ["Invalid apikey", 401], "context": {}, "debug": "Traceback"}"#;
    proxy.run(move |_, _| Fault::Answer { status: "401 UNAUTHORIZED", body: revoked.to_owned() });
    assert_eq!(search(&client).await, "wrong_key");
    let asked = proxy.seen().len();
    assert_eq!((search(&client).await.as_str(), proxy.seen().len()), ("wrong_key", asked));
}

#[tokio::test]
async fn a_method_that_denies_access_costs_nobody_its_login() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "protocol = \"json-rpc\"");
    let client = Client::with_login(&gateway, &odoo.login, &odoo.password);
    // Odoo denies the change, since the old password is wrong, with the very exception that a wrong login gets.
    let vals = json!({"payload": {"method": "change_password", "parameter": {"old_passwd": "wrong", "new_passwd": "x"}, "on_model": true}});
    let refused = client.call("call_function", "res.users", vals).await;
    assert_eq!(
        (&refused["is_success"], &refused["error"]["code"]),
        (&json!(false), &json!("access_denied")),
        "{refused}"
    );
    assert_eq!(search(&client).await, "ok");
}

#[tokio::test]
async fn a_right_password_that_wants_a_second_factor_is_told_what_to_use_instead() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    proxy.answer_logins(r#"{"jsonrpc": "2.0", "id": null, "result": {"uid": null}}"#);
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let answer = Client::with_login(&gateway, &odoo.login, &odoo.password).post("search_data", COUNTRY).await;
    assert_eq!(outcome(&answer), "second_factor");
    assert!(answer.json["error"]["message"].as_str().unwrap().contains("API key"));
    let login = Client::nobody(&gateway).authenticate(&odoo.database, &odoo.login, &odoo.password).await;
    assert_eq!(outcome(&login), "second_factor", "{login:?}");
}

#[tokio::test]
async fn a_session_that_odoo_rotates_goes_on_under_its_new_cookie() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_login(&gateway, &odoo.login, &odoo.password);
    assert_eq!(search(&client).await, "ok");
    let found = r#"{"jsonrpc": "2.0", "id": null, "result": []}"#;
    let rotated = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: session_id=rotated; Path=/; HttpOnly\r\nContent-Length: {}\r\n\r\n{found}",
        found.len()
    );
    proxy.run(move |_, _| Fault::Raw(rotated.clone().into_bytes()));
    let answer = client.post("search_data", COUNTRY).await;
    assert_eq!(outcome(&answer), "ok");
    // The caller has no session of its own, so this one is not its business.
    assert!(!answer.headers.contains_key("set-cookie"));
    search(&client).await;
    assert!(proxy.last_request().contains("session_id=rotated"), "{}", proxy.last_request());
}

#[tokio::test]
async fn a_client_acts_with_the_account_that_its_entry_names() {
    let odoo = odoo().await;
    let (key, entry) = new_client("webshop");
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("odoo-key");
    std::fs::write(&file, format!("{}\n", odoo.key)).unwrap();
    let entry = entry + &format!("odoo_login = \"{}\"\nodoo_key_file = \"{}\"\n", odoo.login, file.display());
    let gateway = Gateway::before(&odoo.url, &odoo.database, &entry);
    for client in [
        Client::with_header(&gateway, "x-api-key", &key),
        Client::with_header(&gateway, "authorization", &format!("Bearer {key}")),
    ] {
        assert_eq!(search(&client).await, "ok");
        let line = gateway.log().last().unwrap().clone();
        assert_eq!((&line["client"], &line["caller"]["login"]), (&json!("webshop"), &json!(odoo.login)), "{line}");
    }
    assert!(!gateway.log_text().contains(&key));
    let unknown = Client::with_header(&gateway, "x-api-key", &format!("gw_{}", "0".repeat(64)));
    assert_eq!(search(&unknown).await, "unknown_client");
}

#[tokio::test]
async fn a_client_whose_odoo_account_is_refused_is_told_that_it_is_the_operators_business() {
    let odoo = odoo().await;
    let (key, entry) = new_client("webshop");
    let entry = entry + "odoo_login = \"nobody\"\nodoo_password_env = \"ODOO_GATEWAY_TEST_SECRET\"\n";
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &entry, &[("ODOO_GATEWAY_TEST_SECRET", "wrong")]);
    let answer = Client::with_header(&gateway, "x-api-key", &key).post("search_data", COUNTRY).await;
    assert_eq!((answer.status, outcome(&answer).as_str()), (502, "client_account"));
    assert!(!answer.json.to_string().contains("nobody"), "{answer:?}");
    let line = gateway.log().last().unwrap().clone();
    assert_eq!(line["client"], "webshop");
    assert!(line["detail"].as_str().unwrap().contains("`nobody`"), "{line}");
}

#[tokio::test]
async fn every_call_carries_the_users_own_language_and_time_zone_through_every_door() {
    for odoo in [odoo().await, odoo_14().await] {
        for (protocol, secret) in
            [("session", &odoo.password), ("json-rpc", &odoo.key), ("xml-rpc", &odoo.password), ("auto", &odoo.key)]
        {
            let proxy = FaultProxy::before(odoo).await;
            let gateway = Gateway::before(&proxy.url, &odoo.database, &format!("protocol = \"{protocol}\""));
            assert_eq!(search(&Client::with_login(&gateway, &odoo.login, secret)).await, "ok");
            let sent = proxy.last_request();
            assert!(sent.contains("Europe/Brussels") && sent.contains("en_US"), "{protocol}: {sent}");
        }
    }
}

#[tokio::test]
async fn what_a_client_left_half_done_is_told_as_that_and_not_as_a_refusal() {
    let odoo = odoo().await;
    let (key, entry) = new_client("webshop");
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), &odoo.key).unwrap();
    let entry = entry + &format!("odoo_login = \"{}\"\nodoo_key_file = \"{}\"\n", odoo.login, secret.path().display());
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, &entry);
    let revoked = r#"{"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey", "debug": ""}"#;
    let creates = AtomicUsize::new(0);
    proxy.run(move |_, rpc| match rpc {
        "res.partner/create" if creates.fetch_add(1, Relaxed) == 0 => Fault::Pass,
        "res.partner/create" | "res.partner/unlink" => {
            Fault::Answer { status: "401 UNAUTHORIZED", body: revoked.to_owned() }
        }
        _ => Fault::Pass,
    });
    let name = format!("half {}", Uuid::new_v4());
    let vals =
        json!({"payload": {"name": "x", "parent_id": {"name": name}}, "auto_create": {"parent_id": {"name": name}}});
    let body = json!({"model": "res.partner", "vals": vals}).to_string();
    let answer = Client::with_header(&gateway, "x-api-key", &key).post("create_data", body).await;
    let error = &answer.json["error"]["data"];
    assert_eq!((&error["retry"], &error["left"][0]["model"]), (&json!("unsafe"), &json!("res.partner")), "{answer:?}");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
}

#[tokio::test]
async fn a_wrong_password_is_not_taken_to_odoo_twice_by_the_session_route_either() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let login = user(odoo, "a long enough password").await;
    let nobody = Client::nobody(&gateway);
    for _ in 0..3 {
        let answer = nobody.authenticate(&odoo.database, &login, "wrong").await;
        assert!(answer.json["error"].is_object(), "{answer:?}");
    }
    assert_eq!(search(&Client::with_login(&gateway, &login, "wrong")).await, "wrong_login");
    assert_eq!(proxy.requests("/web/session/authenticate"), 1);
    let right = nobody.authenticate(&odoo.database, &login, "a long enough password").await;
    assert!(right.json["result"]["uid"].is_i64(), "{right:?}");
}

#[tokio::test]
async fn no_secret_of_any_kind_reaches_the_log_or_what_the_gateway_says() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "");
    let (wrong_key, password) = ("f".repeat(40), "hunter2hunter2");
    let mut answers = Vec::new();
    for client in [
        Client::with_header(&gateway, "x-api-key", &odoo.key),
        Client::with_header(&gateway, "x-api-key", &wrong_key),
        Client::with_header(&gateway, "authorization", &odoo.key),
        Client::with_login(&gateway, &odoo.login, password),
        Client::with_login(&gateway, &odoo.login, &odoo.key),
    ] {
        answers.push(client.post("search_data", COUNTRY).await.json.to_string());
    }
    let basic = STANDARD.encode(format!("{}:{password}", odoo.login));
    let log = gateway.log_text();
    gateway.terminate();
    let (_, said) = gateway.wait();
    for secret in [&odoo.key[..12], &wrong_key[..12], password, &basic] {
        for text in answers.iter().chain([&log, &said]) {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

/// An Odoo of its own, which closes its door after ten wrong logins in a row, as it does where nobody has told it otherwise.
async fn with_lock_out(more: &[&str]) -> Odoo {
    let more: Vec<String> = more.iter().map(|&text| text.to_owned()).collect();
    let up = move || Odoo::up(&more.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(up).await.unwrap()
}

/// A login by Odoo's page, as a browser makes it: `logins_held`, `ok`, or `wrong` where the page comes again.
async fn by_form(gateway: &Gateway, from: &str, login: &str, password: &str) -> String {
    let url = format!("{}/web/login", gateway.url);
    let browser = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let page = browser.get(&url).header("x-forwarded-for", from).send().await.unwrap();
    let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = page.text().await.unwrap();
    let token = page.split("csrf_token").skip(1).find_map(|rest| {
        let value = rest.split_once("value=\"").or(rest.split_once(": \""))?.1;
        Some(value.split_once('"')?.0.to_owned())
    });
    let body = format!("csrf_token={}&login={login}&password={password}", token.unwrap());
    let sent = browser.post(&url).header("x-forwarded-for", from).header("cookie", cookie);
    let sent = sent.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
    match sent.status().as_u16() {
        503 => "logins_held".to_owned(),
        303 | 302 => "ok".to_owned(),
        200 => "wrong".to_owned(),
        status => panic!("{status}"),
    }
}

/// Wrong logins in each way that Odoo counts: how many were refused by the gateway itself.
async fn guess(gateway: &Gateway, odoo: &Odoo, from: &str, times: usize) -> usize {
    let stranger = Client::with_header(gateway, "x-forwarded-for", from);
    let mut held = 0;
    for n in 0..times {
        let login = format!("nobody-{from}-{n}");
        let code = match n % 3 {
            0 => outcome(&stranger.authenticate(&odoo.database, &login, "wrong").await),
            1 => search(&Client::with_login(gateway, &login, "wrong").and("x-forwarded-for", from)).await,
            _ => by_form(gateway, from, &login, "wrong").await,
        };
        held += usize::from(code == "logins_held");
    }
    held
}

/// A gateway that passes all logins on, and believes who says for whom it forwards.
const ALL_OF_ODOO: &str = "[server]\nlisten = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n\
    [proxy]\npass = [\"/web/session/\", \"/web/login\"]\n";

#[tokio::test]
async fn strangers_wrong_logins_stay_below_odoos_threshold_and_known_logins_keep_a_way_in() {
    for more in [&["--name", "lock-out"][..], &["--version", "14", "--name", "lock-out"]] {
        let odoo = with_lock_out(more).await;
        let config = format!("{ALL_OF_ODOO}[upstream]\nurl = \"{}\"\ndatabase = \"{}\"\n", odoo.url, odoo.database);
        let gateway = Gateway::with_configuration(&config, &[]);
        let known = Client::with_login(&gateway, &odoo.login, &odoo.password);
        assert_eq!(search(&known).await, "ok");
        // From many addresses, more than Odoo takes.
        let mut held = 0;
        for n in 1..=8 {
            held += guess(&gateway, &odoo, &format!("192.0.2.{n}"), 3).await;
        }
        assert_eq!(held, 20, "Odoo {}", odoo.version);
        let nobody = Client::nobody(&gateway);
        let refused = nobody.authenticate(&odoo.database, "demo", "demo").await;
        assert_eq!((refused.status, outcome(&refused).as_str()), (503, "logins_held"), "{refused:?}");
        assert!(refused.headers.contains_key("retry-after"));
        // A login that was right before, for a new session, and by a call.
        let again = nobody.authenticate(&odoo.database, &odoo.login, &odoo.password).await;
        assert!(again.json["result"]["uid"].is_i64(), "Odoo {}: {again:?}", odoo.version);
        assert_eq!(search(&known).await, "ok");
        assert_eq!(by_form(&gateway, "192.0.2.50", &odoo.login, &odoo.password).await, "ok", "Odoo {}", odoo.version);
        // The right ones make room for others.
        let demo = nobody.authenticate(&odoo.database, "demo", "demo").await;
        assert!(demo.json["result"]["uid"].is_i64(), "Odoo {}: {demo:?}", odoo.version);
    }
}

#[tokio::test]
async fn with_odoo_in_proxy_mode_the_wrong_logins_of_one_address_hold_up_no_other_one() {
    for more in [&["--name", "proxied", "--proxy-mode"][..], &["--version", "14", "--name", "proxied", "--proxy-mode"]]
    {
        let odoo = with_lock_out(more).await;
        let config = format!("{ALL_OF_ODOO}[upstream]\nurl = \"{}\"\ndatabase = \"{}\"\n", odoo.url, odoo.database);
        let gateway = Gateway::with_configuration(&config, &[]);
        let (_, said, _) = gateway.run(&["check"]);
        assert!(said.contains("Odoo is in proxy mode"), "{said}");
        // The gateway looks for itself as soon as Odoo answers.
        let stranger = Client::with_header(&gateway, "x-forwarded-for", "192.0.2.9");
        poll_for(async || outcome(&stranger.authenticate(&odoo.database, "nobody", "wrong").await) != "logins_held")
            .await;
        assert_eq!(guess(&gateway, &odoo, "192.0.2.1", 12).await, 8, "Odoo {}", odoo.version);
        let other = Client::with_login(&gateway, "demo", "demo").and("x-forwarded-for", "192.0.2.2");
        assert_eq!(search(&other).await, "ok", "Odoo {}", odoo.version);
    }
}

// The proxy goes on while a command runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_and_the_start_say_whether_odoo_is_in_proxy_mode() {
    for odoo in [odoo().await, odoo_14().await] {
        let proxy = FaultProxy::before(odoo).await;
        let gateway = Gateway::before(&proxy.url, &odoo.database, "");
        poll(|| proxy.requests("GET / ") > 0).await;
        // By the time that this is answered, that is too.
        assert_eq!(search(&Client::with_login(&gateway, &odoo.login, &odoo.password)).await, "ok");
        let (_, said, _) = gateway.run(&["check"]);
        assert!(said.contains("Odoo is not in proxy mode") && said.contains("proxy_mode = True"), "{said}");
        gateway.terminate();
        let (_, said) = gateway.wait();
        assert!(said.contains("Odoo is not in proxy mode"), "{said}");
    }
}
