//! What an author of a hook and an operator see of deliveries: the log, captures, the queue.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SECRET, by_github, contact, contacts_named, deliver, headers, is, outcome};
use crate::support::{
    client::{Answer, Client},
    gateway::Gateway,
    odoo::{Odoo, odoo},
};

/// A gateway with the hook `shop`, which takes what is signed as by GitHub and makes contacts. Its secrets are in files, so that
/// the commands have them, too.
pub(super) struct Bench {
    pub(super) gateway: Gateway,
    folder: TempDir,
}

impl Bench {
    pub(super) async fn start(template: &str, more: &str) -> Self {
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

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn file(&self, name: &str, text: &str) -> String {
        let file = self.path().join(name);
        fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    /// A signed body with this id of its sender's.
    pub(super) async fn deliver(&self, id: &str, body: &str) -> Answer {
        let mut sent = by_github(SECRET, body);
        sent.extend(headers(&[("X-Event-Id", id), ("X-Topic", "contacts/create")]));
        deliver(&self.gateway, "/hooks/shop?source=web&token=s3cret", sent, body).await
    }

    pub(super) fn shown(&self, args: &[&str]) -> String {
        let (status, out, said) = self.gateway.run(args);
        assert_eq!(status, Some(0), "{args:?}: {out}{said}");
        out
    }
}

pub(super) fn id(answer: &Answer) -> String {
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
    assert!(head.contains("  DELIVERY") && head.contains("  HOOK") && row.contains("  shop"), "{listed}");
    assert!(bench.gateway.run_json(&["log", "ls", "--hook", "sho", "--json"]).is_empty());

    let shown = bench.shown(&["log", "show", &id(&done)]);
    let sent = "\nsent\nPOST /hooks/shop\n?source=web\n";
    for part in ["\nhook        shop\n", sent, "\nx-topic: contacts/create\n", &format!("\"name\": \"{name}\"")] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("s3cret") && !shown.contains("x-hub-signature"), "{shown}");
}

#[tokio::test]
async fn what_comes_to_a_hook_is_captured_for_a_look_also_unsigned_and_without_its_secrets() {
    let bench = Bench::start("{payload: {name}}", "capture = \"1h\"").await;
    let listed = |args: &[&str]| bench.gateway.run_json(&[&["hook", "captured", "shop", "--json"], args].concat());
    assert!(listed(&[]).is_empty());
    let (first, second) = (contact(), contact());
    let sent =
        headers(&[("X-Foo-Signature", &"0f".repeat(32)), ("X-Topic", "made"), ("Authorization", "Bearer hunter2")]);
    let refused = deliver(&bench.gateway, "/hooks/shop?token=s3cret", sent, &first.0).await;
    assert_eq!(refused.status, 401, "{refused:?}");
    let wrong = deliver(&bench.gateway, "/hooks/shop", by_github("another secret", &first.0), &first.0).await;
    assert_eq!(wrong.status, 401);
    assert_eq!(outcome(&bench.deliver("evt_1", &second.0).await), is(200, "ok"));

    let nobody = Client::nobody(&bench.gateway);
    let challenge = nobody.send("GET", "/hooks/shop?hub.challenge=7", headers(&[]), None::<String>).await;
    assert_eq!(challenge.status, 405, "{challenge:?}");
    let mut captured = listed(&[]);
    let challenge = captured.pop().unwrap();
    assert_eq!(
        (&challenge["sent"]["method"], &challenge["sent"]["query"]),
        (&json!("GET"), &json!({"hub.challenge": "7"}))
    );
    let why = |at: usize| captured[at]["why"].as_str().unwrap_or_default().to_owned();
    let verified: Vec<&Value> = captured.iter().map(|record| &record["verified"]).collect();
    assert_eq!(verified, [&json!(false), &json!(false), &json!(true)], "{captured:?}");
    assert!(why(0).contains("x-hub-signature-256") && why(1).contains("another secret"), "{} {}", why(0), why(1));
    assert_eq!(captured[0]["masked"]["headers"]["x-foo-signature"], "<64 hexadecimal digits>");
    assert_eq!(captured[0]["sent"]["body"]["name"], json!(first.1));
    let shown = bench.shown(&["hook", "captured", "/hooks/shop", "-n", "4"]);
    for part in [
        "authorization: Bearer <7 characters>",
        "?token=<6 characters>",
        "x-topic: made",
        "not verified: ",
        ", verified\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("hunter2") && !shown.contains("s3cret"), "{shown}");

    // The next template is tried on it.
    let sent = headers(&[("X-Topic", "made"), ("X-Event-Id", "evt_9")]);
    deliver(&bench.gateway, "/hooks/shop", sent, &first.0).await;
    let tried = bench.shown(&["hook", "test", "shop", "--last"]);
    for part in
        ["sent        captured at ", "not verified: ", "delivery    evt_9", &format!("\"name\": \"{}\"", first.1)]
    {
        assert!(tried.contains(part), "{part}: {tried}");
    }
    let (_, checked, _) = bench.gateway.run(&["check"]);
    assert!(checked.contains("ok    hook           /hooks/shop (POST) by `shop` with "), "{checked}");
    assert!(checked.contains("warn  hook           /hooks/shop: `capture` is on: for 3600 s"), "{checked}");
    bench.shown(&["hook", "captured", "shop", "--clear"]);
    assert!(listed(&[]).is_empty());
    assert_eq!((contacts_named(&first.1).await, contacts_named(&second.1).await), (json!(0), json!(1)));
}

#[tokio::test]
async fn an_ignored_delivery_has_not_failed_wherever_it_is_shown() {
    let template = "if .skip then ignore(\"nothing to do\") else {payload: {name}} end";
    let bench = Bench::start(template, "").await;
    let ignored = bench.deliver("evt_1", r#"{"skip": true}"#).await;
    assert_eq!(ignored.status, 200, "{ignored:?}");
    deliver(&bench.gateway, "/hooks/shop", headers(&[]), "{}").await;
    let listed = bench.gateway.run_json(&["log", "ls", "--state", "ignored", "--json"]).remove(0);
    assert_eq!((&listed["message"], &listed["delivery_id"]), (&json!("nothing to do"), &json!("evt_1")), "{listed}");
    assert_eq!(bench.gateway.run_json(&["log", "ls", "--delivery", "evt_1", "--json"]).len(), 1);
    let failed = bench.gateway.run_json(&["log", "ls", "--state", "failed", "--hook", "shop", "--json"]);
    assert!(failed.iter().all(|call| call["id"] != listed["id"]), "{failed:?}");
    let stats = bench.gateway.run_json(&["log", "stats", "--hook", "shop", "--json"]).remove(0);
    assert_eq!((&stats["all"]["ignored"], &stats["all"]["done"]), (&json!(1), &json!(0)), "{stats}");
    let (_, told, said) = bench.gateway.run(&["replay", "--failed", "--caller", "shop", "--dry-run"]);
    assert!(!format!("{told}{said}").contains(listed["id"].as_str().unwrap()), "{told}{said}");
    let tried = bench.gateway.run_json(&["hook", "test", "shop", "--last", "--json"]).remove(0);
    assert_eq!((&tried["ignored"], &tried["calls"]), (&json!("nothing to do"), &Value::Null), "{tried}");
    let metrics = bench.gateway.metrics().await;
    let counted = |outcome: &str| {
        let found = metrics.iter().find(|(name, _)| {
            name.contains("deliveries_total{")
                && ["hook=\"shop\"", "client=\"shop\"", &format!("outcome=\"{outcome}\"")]
                    .iter()
                    .all(|label| name.contains(label))
        });
        found.map(|(_, value)| *value)
    };
    assert_eq!((counted("ignored"), counted("refused"), counted("done")), (Some(1.0), Some(1.0), None), "{metrics:?}");
}

#[tokio::test]
async fn a_delivery_of_several_calls_shows_how_far_it_came() {
    let template = "[{vals: {payload: {name}}}, {vals: {payload: {name: (.name + \" 2\"), no_such_field: 1}}}]";
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), template).unwrap();
    let more = format!(
        "[[hook]]\npath = \"/hooks/stored\"\nclient = \"shop\"\nroute = \"create_data\"\nmodel = \"res.partner\"\n\
         delivery_id = \".id\"\ntemplate = \"{}\"\n",
        file.path().display()
    );
    let bench = Bench::start("{payload: {name}}", &more).await;
    let name = contact().1;
    let body = json!({"id": "evt_5", "name": name}).to_string();
    let accepted = deliver(&bench.gateway, "/hooks/stored", by_github(SECRET, &body), &body).await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let dead = loop {
        if let Some(dead) = bench.gateway.run_json(&["queue", "ls", "--state", "dead", "--json"]).pop() {
            break dead;
        }
        assert!(std::time::Instant::now() < deadline, "{}", bench.gateway.log_text());
    };
    assert_eq!((&dead["hook"], &dead["delivery_id"]), (&json!("stored"), &json!("evt_5")), "{dead}");
    let listed = bench.shown(&["queue", "ls"]);
    assert!(listed.contains("  stored") && listed.contains("evt_5"), "{listed}");
    let shown = bench.shown(&["queue", "show", dead["id"].as_str().unwrap()]);
    assert!(shown.contains("progress      1 calls of this delivery are done\n  1. "), "{shown}");
    assert!(shown.contains("create_data res.partner [") && shown.contains("delivery id   evt_5"), "{shown}");

    let shown = bench.shown(&["log", "show", dead["id"].as_str().unwrap()]);
    let calls: Vec<&str> = shown.split("\ndelivery\n").nth(1).unwrap().lines().collect();
    assert!(calls[0].starts_with("> ") && calls[0].contains("accepted, queued"), "{shown}");
    assert!(calls.iter().any(|call| call.contains("step 1, attempt 1, done, create_data res.partner")), "{shown}");
    assert!(
        calls.iter().any(|call| call.contains("step 2, attempt 1, failed, create_data res.partner, unknown_field")),
        "{shown}"
    );
    assert_eq!(contacts_named(&name).await, json!(1));
}
