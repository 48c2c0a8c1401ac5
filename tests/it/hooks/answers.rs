//! Answers in the form that a sender expects: handshakes that nobody has signed, and `respond` to a delivery.

use std::io::Write;

use http::{HeaderMap, header};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{CONTACT, SECRET, by_github, contact, contacts_named, headers, hexadecimal, mac};
use crate::support::{client, gateway::Gateway, odoo::odoo, poll_for};

/// A gateway with hooks of a client that signs as GitHub does.
pub(super) struct Hooks {
    pub(super) gateway: Gateway,
    /// There for as long as the gateway looks whether it changes.
    _template: NamedTempFile,
}

/// A status, its headers and a text.
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Hooks {
    /// Each has a path behind `/hooks/`, and keys of its own.
    pub(super) async fn start(template: &str, hooks: &[(&str, &str)]) -> Self {
        Self::of_sender("scheme = \"github\"", template, hooks).await
    }

    /// Those of a sender that proves itself by another scheme, with the same secret.
    pub(super) async fn of_sender(scheme: &str, template: &str, hooks: &[(&str, &str)]) -> Self {
        let odoo = odoo().await;
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(template.as_bytes()).unwrap();
        let mut more = format!(
            "[[client]]\nname = \"signed\"\nodoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\nroutes = [\"create_data\"]\n\
             models = {{ allow = [\"res.partner\"] }}\n[client.signature]\n{scheme}\nsecret_env = \"SECRET\"\n",
            odoo.login
        );
        for (path, keys) in hooks {
            more += &format!(
                "[[hook]]\npath = \"/hooks/{path}\"\nclient = \"signed\"\nroute = \"create_data\"\nmodel = \"res.partner\"\n\
                 template = \"{}\"\n{keys}\n",
                file.path().display()
            );
        }
        let gateway =
            Gateway::before_with(&odoo.url, &odoo.database, &more, &[("SECRET", SECRET), ("ODOO_KEY", &odoo.key)]);
        Self { gateway, _template: file }
    }

    pub(super) async fn ask(&self, method: &str, path: &str, headers: HeaderMap, body: impl Into<Vec<u8>>) -> Told {
        let url = format!("{}/hooks/{path}", self.gateway.url);
        let request = client::http().request(method.parse().unwrap(), url).headers(headers).body(body.into());
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Told { status, headers, text: response.text().await.unwrap() }
    }

    /// A body with its signature, and a content type.
    pub(super) async fn deliver(&self, path: &str, content_type: &str, body: &str) -> Told {
        let mut signed = by_github(SECRET, body);
        signed.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        self.ask("POST", path, signed, body).await
    }
}

impl Told {
    pub(super) fn content_type(&self) -> &str {
        self.headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(super) fn is(&self, status: u16, content_type: &str, text: &str) {
        assert_eq!((self.status, self.content_type(), &*self.text), (status, content_type, text));
        assert!(!self.headers.contains_key(header::SET_COOKIE), "{:?}", self.headers);
    }

    pub(super) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn code(&self) -> String {
        let json: Value = serde_json::from_str(&self.text).unwrap_or_default();
        let codes = [&json["error"]["data"]["code"], &json["error"]["code"], &json["result"]["error"]["code"]];
        codes.into_iter().find_map(Value::as_str).unwrap_or("ok").to_owned()
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

#[tokio::test]
async fn handshakes_of_senders_are_answered_without_a_signature_and_deliveries_still_need_one() {
    let hooks = Hooks::start(CONTACT, &[
        ("meta", "vars = { verify_token = \"v1\" }\nhandshake = '''if $method == \"GET\" and $query[\"hub.verify_token\"] == $vars.verify_token then {body: $query[\"hub.challenge\"]} else null end'''"),
        ("trello", "handshake = '''if $method == \"HEAD\" then {} else null end'''"),
        ("graph", "handshake = '''$query.validationToken as $t | if $t then {body: $t} else null end'''"),
        ("woo", "handshake = '''if .webhook_id? then {} else null end'''"),
        ("ebay", "vars = { token = \"t1\", url = \"https://h.example/hooks/ebay\" }\nhandshake = '''$query.challenge_code as $c | if $c then {body: {challengeResponse: digest(\"sha256\"; $c + $vars.token + $vars.url)}} else null end'''"),
        ("asana", "handshake = '''$headers[\"x-hook-secret\"] as $s | if $s then {headers: {\"x-hook-secret\": $s}} else null end'''"),
        ("events", "handshake = '''if $method == \"OPTIONS\" then {headers: {\"webhook-allowed-origin\": $headers[\"webhook-request-origin\"]}} else null end'''"),
    ])
    .await;
    let none = HeaderMap::new;
    let meta = "meta?hub.mode=subscribe&hub.verify_token=v1&hub.challenge=1158201444";
    hooks.ask("GET", meta, none(), "").await.is(200, PLAIN, "1158201444");
    let wrong = hooks.ask("GET", "meta?hub.verify_token=v2&hub.challenge=1", none(), "").await;
    assert_eq!((wrong.status, &*wrong.code(), wrong.header(header::ALLOW)), (405, "method_not_allowed", "POST"));
    assert_eq!(hooks.ask("HEAD", "trello", none(), "").await.status, 200);
    hooks.ask("POST", "graph?validationToken=Validation%3A+a%2Bb", none(), "").await.is(200, PLAIN, "Validation: a+b");
    let form = headers(&[("content-type", "application/x-www-form-urlencoded")]);
    hooks.ask("POST", "woo", form, "webhook_id=7").await.is(200, "", "");
    let response = hexadecimal(
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"c1t1https://h.example/hooks/ebay").as_ref(),
    );
    let told = hooks.ask("GET", "ebay?challenge_code=c1", none(), "").await;
    told.is(200, "application/json", &json!({"challengeResponse": response}).to_string());
    let told = hooks.ask("POST", "asana", headers(&[("x-hook-secret", "s7")]), "{}").await;
    assert_eq!((told.status, told.header("x-hook-secret")), (200, "s7"));
    let told = hooks.ask("OPTIONS", "events", headers(&[("webhook-request-origin", "e.example")]), "").await;
    assert_eq!((told.status, told.header("webhook-allowed-origin")), (200, "e.example"));

    // What is no handshake needs its signature, and with one is a delivery though it looks like a handshake.
    let (body, name) = contact();
    for path in ["meta", "trello", "woo", "ebay"] {
        let told = hooks.ask("POST", path, none(), body.clone()).await;
        assert_eq!((told.status, &*told.code()), (401, "signature_missing"), "{path}");
    }
    let told = hooks.deliver("graph?validationToken=x", "application/json", &body).await;
    assert_eq!(told.status, 202, "{}", told.text);
    let log = hooks.gateway.log_text();
    assert!(!log.contains("1158201444") && !log.contains("verify_token"), "no query of a handshake is logged");
    assert!(log.contains("\"/hooks/meta\""), "{log}");
    poll_for(async || contacts_named(&name).await == 1).await;
}

#[tokio::test]
async fn a_handshake_that_fails_or_is_large_is_refused_as_any_request() {
    let hooks = Hooks::start(
        CONTACT,
        &[
            ("broken", "handshake = '''error(\"no\")'''"),
            ("odd", "handshake = '''{challenge: \"x\"}'''"),
            ("all", "handshake = '''{body: \"x\"}'''"),
        ],
    )
    .await;
    for path in ["broken", "odd"] {
        let told = hooks.ask("POST", path, HeaderMap::new(), "{}").await;
        assert_eq!((told.status, &*told.code()), (401, "signature_missing"), "{path}");
        let (body, _) = contact();
        assert_eq!(hooks.deliver(path, "application/json", &body).await.status, 202, "{path}");
    }
    hooks.ask("POST", "all", HeaderMap::new(), "{}").await.is(200, PLAIN, "x");
    let told = hooks.ask("POST", "all", HeaderMap::new(), vec![b' '; 70 << 10]).await;
    assert_eq!((told.status, &*told.code()), (401, "signature_missing"));
}

#[tokio::test]
async fn a_delivery_that_was_taken_is_answered_as_its_sender_expects() {
    let hooks = Hooks::start("if .challenge or .event then ignore(\"a challenge\") else {payload: {name}} end", &[
        ("slack", "respond = '''if .type == \"url_verification\" then {body: .challenge} else null end'''"),
        ("zoom", "respond = '''if .event == \"endpoint.url_validation\" then {body: {plainToken: .payload.plainToken, encryptedToken: hmac(\"sha256\"; $secret; .payload.plainToken)}} else null end'''"),
        ("xero", "respond = '''{}'''"),
        ("adyen", "respond = '''{body: \"[accepted]\"}'''"),
        ("twilio", "respond = '''{headers: {\"Content-Type\": \"text/xml\"}, body: \"<Response/>\"}'''"),
        ("broken", "respond = '''{status: 99}'''"),
    ])
    .await;
    let slack = json!({"type": "url_verification", "challenge": "3eZbrw", "token": "t"}).to_string();
    hooks.deliver("slack", "application/json", &slack).await.is(200, PLAIN, "3eZbrw");
    // Once more the same, as Slack does after a time-out.
    hooks.deliver("slack", "application/json", &slack).await.is(200, PLAIN, "3eZbrw");
    let zoom = json!({"event": "endpoint.url_validation", "payload": {"plainToken": "q9"}}).to_string();
    let told = hooks.deliver("zoom", "application/json", &zoom).await;
    let encrypted = hexadecimal(&mac(SECRET, "q9"));
    told.is(200, "application/json", &json!({"plainToken": "q9", "encryptedToken": encrypted}).to_string());
    let mut names = Vec::new();
    for (path, content_type, text) in
        [("xero", "", ""), ("adyen", PLAIN, "[accepted]"), ("twilio", "text/xml", "<Response/>")]
    {
        let (body, name) = contact();
        hooks.deliver(path, "application/json", &body).await.is(200, content_type, text);
        names.push(name);
        let stranger = hooks.ask("POST", path, HeaderMap::new(), body).await;
        assert_eq!((stranger.status, &*stranger.code()), (401, "signature_missing"), "{path}");
    }
    // An expression that fails loses no delivery.
    let (body, name) = contact();
    let told = hooks.deliver("broken", "application/json", &body).await;
    assert_eq!(told.status, 202, "{}", told.text);
    names.push(name);
    for name in names {
        poll_for(async || contacts_named(&name).await == 1).await;
    }
}

#[tokio::test]
async fn an_answer_may_tell_what_came_of_the_delivery() {
    let respond = "accept = \"answer\"\nrespond = '''if $outcome.status == 422 then {status: 406, body: $outcome.code} else {body: $outcome} end'''";
    let hooks = Hooks::start("{payload: {name: .name}}", &[("mailgun", respond)]).await;
    let (body, name) = contact();
    let told = hooks.deliver("mailgun", "application/json", &body).await;
    assert_eq!((told.status, told.content_type()), (200, "application/json"), "{}", told.text);
    let outcome: Value = serde_json::from_str(&told.text).unwrap();
    assert_eq!((&outcome["state"], &outcome["code"], &outcome["status"]), (&json!("done"), &json!(null), &json!(200)));
    assert_eq!((outcome["result"]["id"].is_i64(), contacts_named(&name).await), (true, json!(1)), "{outcome}");
    assert_eq!(outcome["call"], *told.headers["gateway-call-id"].to_str().unwrap());
    let refused = hooks.deliver("mailgun", "application/json", "{\"name\": {\"no\": 1}}").await;
    assert_eq!(refused.status, 406, "{}", refused.text);
    hooks.deliver("mailgun", "application/json", "{bad").await.is(406, PLAIN, "hook_body");
}

#[tokio::test]
async fn what_is_to_be_sent_again_is_told_so_whatever_respond_says() {
    let odoo = odoo().await;
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(CONTACT.as_bytes()).unwrap();
    let more = format!(
        "retries = 0\n[[client]]\nname = \"signed\"\nodoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\nroutes = [\"create_data\"]\n\
         models = {{ allow = [\"res.partner\"] }}\n[client.signature]\nscheme = \"github\"\nsecret_env = \"SECRET\"\n\
         [[hook]]\npath = \"/hooks/x\"\nclient = \"signed\"\nroute = \"create_data\"\nmodel = \"res.partner\"\n\
         template = \"{}\"\naccept = \"answer\"\nwhen_down = \"fail\"\nrespond = '''{{body: \"[accepted]\"}}'''\n",
        odoo.login,
        file.path().display()
    );
    // Nothing is there.
    let gateway = Gateway::before_with(
        "http://127.0.0.1:9",
        &odoo.database,
        &more,
        &[("SECRET", SECRET), ("ODOO_KEY", &odoo.key)],
    );
    let hooks = Hooks { gateway, _template: file };
    let (body, _) = contact();
    let told = hooks.deliver("x", "application/json", &body).await;
    assert!(matches!(told.status, 502 | 503), "{} {}", told.status, told.text);
}
