//! `hook test`, as the author of a hook uses it.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    bench::{Bench, id},
    contact, contacts_named, deliver, headers, is, outcome,
};
use crate::support::gateway::PROGRAM;

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_hook_is_tried_on_a_file_and_shows_calls_plan_and_what_would_be_refused() {
    let template = "{payload: {name, country_id: {code: .country}, nickname}}";
    let bench = Bench::start(template, "").await;
    let name = contact().1;
    let good = bench.file("good.json", &json!({"name": name, "country": "BE"}).to_string());
    let event = ["--header", "X-Event-Id: evt_7"];
    let tried = |file: &str| {
        let args = [&["hook", "test", "shop", "--json", "--body", file][..], &event].concat();
        let (status, out, said) = bench.gateway.run(&args);
        (status, serde_json::from_str::<Value>(&out).unwrap_or_else(|_| panic!("{out}{said}")))
    };
    // `nickname` is no field of contacts, and hooks are strict.
    let (status, shown) = tried(&good);
    assert_eq!((status, &shown["hook"], &shown["delivery_id"]), (Some(1), &json!("shop"), &json!("evt_7")));
    let refused = &shown["calls"][0]["refused"];
    assert_eq!((&refused["code"], &refused["path"]), (&json!("unknown_field"), &json!("payload.nickname")), "{shown}");

    let template = "{payload: {name, country_id: {code: .country}}}";
    fs::write(bench.path().join("shop.jq"), template).unwrap();
    let (status, shown) = tried(&good);
    let call = &shown["calls"][0];
    assert_eq!(
        (status, &call["route"], &call["vals"]["payload"]["name"]),
        (Some(0), &json!("create_data"), &json!(name))
    );
    assert_eq!((&call["plan"]["calls"][0]["method"], &call["warnings"]), (&json!("create"), &json!([])), "{shown}");
    assert_eq!(contacts_named(&name).await, json!(0));
    let told = bench.shown(&[&["hook", "test", "/hooks/shop", "--body", &good][..], &event].concat());
    for part in
        ["\nplan\n", "look up res.country by code \"BE\": ", "1. res.partner.create {", "hook        /hooks/shop"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }

    let missing = bench.file("missing.json", &json!({"name": name, "country": "??"}).to_string());
    let (status, shown) = tried(&missing);
    assert_eq!((status, &shown["calls"][0]["refused"]["code"]), (Some(1), &json!("no_match")), "{shown}");
    let (status, shown) = tried(&bench.file("no.json", "{bad"));
    assert_eq!((status, &shown["refused"]["code"]), (Some(1), &json!("hook_body")), "{shown}");
    let (status, out, said) = bench.gateway.run(&["hook", "test", "shop"]);
    assert!(status == Some(1) && said.contains("give what is to be tried: --body FILE"), "{out}{said}");
}

#[tokio::test]
async fn a_hook_is_tried_on_what_was_sent_to_it() {
    let bench = Bench::start("{payload: {name, comment: $headers[\"x-topic\"]}}", "").await;
    let (first, second) = (contact(), contact());
    let done = bench.deliver("evt_1", &first.0).await;
    bench.deliver("evt_2", &second.0).await;
    fs::write(bench.path().join("shop.jq"), "{payload: {name, comment: $query.source}}").unwrap();
    let id = id(&done);
    let of_call = bench.gateway.run_json(&["hook", "test", "shop", "--call", &id[16..], "--json"]).remove(0);
    let payload = &of_call["calls"][0]["vals"]["payload"];
    assert_eq!(*payload, json!({"name": first.1, "comment": "web"}), "{of_call}");
    assert_eq!((&of_call["of_call"], &of_call["delivery_id"]), (&json!(id), &json!("evt_1")));
    let args = ["hook", "test", "shop", "--last", "--query", "source=fair", "--header", "x-event-id: evt_3", "--json"];
    let last = bench.gateway.run_json(&args).remove(0);
    assert_eq!(last["calls"][0]["vals"]["payload"], json!({"name": second.1, "comment": "fair"}), "{last}");
    assert_eq!(last["delivery_id"], "evt_3");
    assert_eq!(contacts_named(&second.1).await, json!(1));
}

#[tokio::test]
async fn a_hook_is_tried_again_when_its_template_or_the_body_changes() {
    let bench = Bench::start("{payload: {name}}", "").await;
    let body = bench.file("body.json", r#"{"name": "one"}"#);
    let mut watch = Command::new(PROGRAM)
        .args(["hook", "test", "shop", "--watch", "--json", "--body", &body, "--config"])
        .arg(bench.gateway.config_file())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let _watch = Killed(watch);
    let (send, shown) = std::sync::mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| send.send(line)));
    let next = || -> Value {
        let line = shown.recv_timeout(std::time::Duration::from_secs(30)).expect("a run in time");
        serde_json::from_str::<Value>(&line).unwrap()["calls"][0]["vals"]["payload"].take()
    };
    assert_eq!(next(), json!({"name": "one"}));
    fs::write(&body, r#"{"name": "another"}"#).unwrap();
    assert_eq!(next(), json!({"name": "another"}));
    // A mistake does not end it.
    fs::write(bench.path().join("shop.jq"), "{payload: {").unwrap();
    fs::write(bench.path().join("shop.jq"), "{payload: {name: \"fixed\"}}").unwrap();
    assert_eq!(next(), json!({"name": "fixed"}));
}

#[tokio::test]
async fn a_delivery_is_signed_as_its_sender_would() {
    let handshake = "handshake = 'if $method == \"GET\" then {body: $query[\"hub.challenge\"]} else null end'";
    let bench = Bench::start("{payload: {name}}", handshake).await;
    let (body, name) = contact();
    let file = bench.file("it's one.json", &body);
    let args =
        ["hook", "test", "shop", "--sign", "--json", "--query", "a=b", "--header", "X-Event-Id: evt_1", "--body"];
    let signed = bench.gateway.run_json(&[&args[..], &[&*file]].concat()).remove(0)["signed"].take();
    let signature = signed["headers"]["x-hub-signature-256"].as_str().unwrap();
    assert_eq!(
        outcome(
            &deliver(
                &bench.gateway,
                "/hooks/shop",
                headers(&[("X-Event-Id", "evt_1"), ("X-Hub-Signature-256", signature)]),
                &body
            )
            .await
        ),
        is(200, "ok")
    );
    assert_eq!(contacts_named(&name).await, json!(1));
    let curl = signed["curl"].as_str().unwrap();
    assert!(curl.starts_with("curl -X POST 'http://127.0.0.1:0/hooks/shop?a=b' \\\n"), "{curl}");
    assert!(
        curl.contains(&format!("-H 'x-hub-signature-256: {signature}'")) && curl.contains("-H 'x-event-id: evt_1'"),
        "{curl}"
    );
    assert!(curl.ends_with("it'\\''s one.json'"), "{curl}");
    // What was recorded is signed as it is now.
    let last = bench.shown(&["hook", "test", "shop", "--last", "--sign"]);
    assert!(
        last.contains("\nsigned\n  x-hub-signature-256: sha256=") && last.contains("--data-raw '{\"name\""),
        "{last}"
    );

    let challenge = ["hook", "test", "shop", "--method", "GET", "--query", "hub.challenge=1234", "--json"];
    let shaken = bench.gateway.run_json(&challenge).remove(0);
    assert_eq!(
        (&shaken["handshake"]["status"], &shaken["handshake"]["body"]),
        (&json!(200), &json!("1234")),
        "{shaken}"
    );
    let (_, checked, _) = bench.gateway.run(&["check"]);
    assert!(
        checked.contains("warn  hook           /hooks/shop: its `handshake` answers requests that nobody has signed"),
        "{checked}"
    );
}
