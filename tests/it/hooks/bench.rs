//! What an author of a hook and an operator see of deliveries: the log, and `hook test`.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SECRET, by_github, contact, contacts_named, deliver, headers, is, outcome};
use crate::support::{
    client::Answer,
    gateway::{Gateway, PROGRAM},
    odoo::{Odoo, odoo},
};

/// A gateway with the hook `shop`, which takes what is signed as by GitHub and makes contacts. Its secrets are in files, so that
/// the commands have them, too.
struct Bench {
    gateway: Gateway,
    folder: TempDir,
}

impl Bench {
    async fn start(template: &str, more: &str) -> Self {
        let odoo = odoo().await;
        Self::before(odoo, &odoo.url, template, more)
    }

    fn before(odoo: &Odoo, url: &str, template: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("shop.jq", template), ("secret", SECRET), ("odoo_key", &odoo.key)] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "[[client]]\nname = \"shop\"\nodoo_login = \"{}\"\nodoo_key_file = \"{}\"\n\
             routes = [\"create_data\", \"create_update_data\"]\nmodels = {{ allow = [\"res.partner\", \"res.country\"] }}\n\
             [client.signature]\nscheme = \"github\"\nsecret_file = \"{}\"\n\
             [[hook]]\npath = \"/hooks/shop\"\nclient = \"shop\"\nroute = \"create_data\"\nmodel = \"res.partner\"\n\
             accept = \"answer\"\ndelivery_id = '$headers[\"x-event-id\"]'\ntemplate = \"{}\"\n{more}\n",
            odoo.login,
            at("odoo_key"),
            at("secret"),
            at("shop.jq"),
        );
        Self { gateway: Gateway::before_with(url, &odoo.database, &config, &[]), folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let file = self.path().join(name);
        fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    /// A signed body with this id of its sender's.
    async fn deliver(&self, id: &str, body: &str) -> Answer {
        let mut sent = by_github(SECRET, body);
        sent.extend(headers(&[("X-Event-Id", id), ("X-Topic", "contacts/create")]));
        deliver(&self.gateway, "/hooks/shop?source=web&token=s3cret", sent, body).await
    }

    fn shown(&self, args: &[&str]) -> String {
        let (status, out, said) = self.gateway.run(args);
        assert_eq!(status, Some(0), "{args:?}: {out}{said}");
        out
    }
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn id(answer: &Answer) -> String {
    answer.headers["gateway-call-id"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_log_shows_the_hook_and_what_was_sent_to_it_without_its_secrets() {
    let bench = Bench::start("{payload: {name}}", "").await;
    let (body, name) = contact();
    let done = bench.deliver("evt_1", &body).await;
    assert_eq!(outcome(&done), is(200, "ok"));
    let listed = bench.shown(&["log", "ls", "--hook", "/hooks/shop"]);
    let (head, row) = listed.split_once('\n').unwrap();
    assert!(head.ends_with("DELIVERY") && head.contains("  HOOK") && row.contains("  shop"), "{listed}");
    assert!(bench.gateway.run_json(&["log", "ls", "--hook", "sho", "--json"]).is_empty());

    let shown = bench.shown(&["log", "show", &id(&done)]);
    let sent = "\nsent\nPOST /hooks/shop\n?source=web\n";
    for part in ["\nhook        shop\n", sent, "\nx-topic: contacts/create\n", &format!("\"name\": \"{name}\"")] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("s3cret") && !shown.contains("x-hub-signature"), "{shown}");
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
        ["\nplan\n", "found  res.country.code = \"BE\" -> [", "1. res.partner.create {", "hook        /hooks/shop"]
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
