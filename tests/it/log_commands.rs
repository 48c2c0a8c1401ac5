//! `odoo-gateway log` and `replay`, as an operator uses them.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use futures_util::future;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client},
    fault::{Fault, FaultProxy},
    gateway::{CHANGED, Gateway, PROGRAM, SETTLES_AT_ONCE, new_client, run_in},
    odoo::odoo,
};

fn unique(what: &str) -> String {
    format!("{what} {}", Uuid::new_v4())
}

fn id(answer: &Answer) -> String {
    answer.headers["gateway-call-id"].to_str().unwrap().to_owned()
}

async fn create(client: &Client, payload: Value) -> Answer {
    client.post("create_data", json!({"model": "res.partner", "vals": {"payload": payload}}).to_string()).await
}

/// A gateway with a client of its own, whose Odoo account is the test's; and that client.
async fn with_client(url: &str, more: &str) -> (Gateway, Client) {
    let odoo = odoo().await;
    let (key, entry) = new_client("webshop");
    let entry = format!("{entry}odoo_login = \"{}\"\nodoo_password_env = \"ODOO_GATEWAY_TEST_ACCOUNT\"\n", odoo.login);
    let variables = [("ODOO_GATEWAY_TEST_ACCOUNT", odoo.password.as_str())];
    let gateway = Gateway::before_with(url, &odoo.database, &format!("{more}\n{entry}"), &variables);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    (gateway, client)
}

#[tokio::test]
async fn ls_finds_calls_by_each_filter() {
    let odoo = odoo().await;
    let (gateway, webshop) = with_client(&odoo.url, "").await;
    let own = Client::with_bearer(&gateway).await;
    let name = unique("ls");
    let done = create(&webshop, json!({"name": name})).await;
    let record = done.json["result"]["result"]["id"].to_string();
    let failed = create(&own, json!({"name": "x", "country_id": {"code": "no such code"}})).await;
    let found = own
        .post("search_data", r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#)
        .await;
    let refused = Client::nobody(&gateway).post("update_data", "{bad").await;
    let [done, failed, found, refused] = [&done, &failed, &found, &refused].map(id);

    let ids = |args: &[&str]| -> Vec<String> {
        let calls = gateway.run_json(&[&["log", "ls", "--json"], args].concat());
        calls.iter().map(|call| call["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&[]), [&refused, &found, &failed, &done].map(String::clone));
    assert_eq!(ids(&["-n", "1"]), std::slice::from_ref(&refused));
    assert_eq!(ids(&["--route", "search_data"]), std::slice::from_ref(&found));
    assert_eq!(ids(&["--model", "res.partner"]), [failed.clone(), done.clone()]);
    assert_eq!(ids(&["--state", "failed"]), [refused.clone(), failed.clone()]);
    assert_eq!(ids(&["--caller", "webshop"]), std::slice::from_ref(&done));
    assert_eq!(ids(&["--caller", &odoo.login]), [found.clone(), failed.clone(), done.clone()]);
    assert_eq!(ids(&["--error", "no_match"]), std::slice::from_ref(&failed));
    assert_eq!(ids(&["--record", &record, "--model", "res.partner"]), std::slice::from_ref(&done));
    assert_eq!(ids(&["--record", &record, "--model", "res.country"]), Vec::<String>::new());
    assert_eq!(ids(&["--text", &name]), std::slice::from_ref(&done));
    assert_eq!(ids(&["--text", "no such code"]), std::slice::from_ref(&failed));
    assert_eq!(ids(&["--since", "1h"]).len(), 4);
    assert_eq!(ids(&["--until", "1h"]).len(), 0);
    assert_eq!(ids(&["--in-doubt"]).len(), 0);
    let (status, table, _) = gateway.run(&["log", "ls"]);
    assert_eq!((status, table.lines().count()), (Some(0), 5), "{table}");
    assert!(table.starts_with("TIME") && table.lines().last().unwrap().contains("webshop"), "{table}");
    let (status, _, said) = gateway.run(&["log", "ls", "--route", "drop_data"]);
    assert!(status == Some(2) && said.contains("the routes are create_data"), "{said}");
    // And all the same without the gateway.
    let folder = gateway.stop();
    assert_eq!(run_in(folder.path(), &["log", "ls", "--json"]).1.lines().count(), 4);
}

#[tokio::test]
async fn show_has_payload_plan_odoo_calls_and_answer() {
    let gateway = Gateway::start().await;
    let client = Client::with_bearer(&gateway).await;
    let name = unique("show");
    let made = create(&client, json!({"name": name, "country_id": {"code": "BE"}})).await;
    let (status, shown, _) = gateway.run(&["log", "show", &id(&made)[10..]]);
    assert_eq!(status, Some(0));
    for part in [
        "\npayload\n",
        "\nplan\n  look up res.country by code \"BE\": ",
        "\n  1. res.partner.",
        "\nOdoo calls\n",
        " ms  res.country.search_read",
        "\nanswer\n",
        &name,
        "done after",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let refused = create(&client, json!({"name": false, "email": "x", "vat": "\u{1b}[2J"})).await;
    assert_eq!(refused.json["result"]["is_success"], false, "{refused:?}");
    let (_, shown, _) = gateway.run(&["log", "show", &id(&refused)]);
    assert!(shown.contains("       Traceback (most recent call last):"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let (status, _, said) = gateway.run(&["log", "show", "ffffffff-0000"]);
    assert!(status == Some(1) && said.contains("no call of the log has the id"), "{said}");
    let (status, _, said) = gateway.run(&["log", "show", "-"]);
    assert!(status == Some(1) && said.contains("2 calls have `-` in their ids"), "{said}");
}

#[tokio::test]
async fn tail_shows_calls_as_they_end() {
    let gateway = Gateway::start().await;
    let client = Client::with_bearer(&gateway).await;
    let before = create(&client, json!({"name": unique("tail")})).await;
    let tail = Command::new(PROGRAM)
        .args(["log", "tail", "-f", "--json", "--config"])
        .arg(gateway.config_file())
        .stdout(Stdio::piped())
        .spawn();
    let mut tail = Killed(tail.unwrap());
    let out = BufReader::new(tail.0.stdout.take().unwrap());
    let (send, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    let next = || -> Value {
        let line = lines.recv_timeout(std::time::Duration::from_secs(20)).expect("a line in time");
        serde_json::from_str(&line).unwrap()
    };
    assert_eq!(next()["id"], json!(id(&before)));
    let after = create(&client, json!({"name": unique("tail")})).await;
    let line = next();
    assert_eq!((&line["id"], &line["event"]), (&json!(id(&after)), &json!("call.finished")));
}

/// A process that does not outlive its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn stats_count_calls_by_route_model_and_caller() {
    let gateway = Gateway::start().await;
    let client = Client::with_bearer(&gateway).await;
    for _ in 0..3 {
        create(&client, json!({"name": unique("stats")})).await;
    }
    create(&client, json!({"country_id": {"code": "no such code"}})).await;
    Client::nobody(&gateway).post("search_data", "{}").await;
    let stats = gateway.run_json(&["log", "stats", "--json"]).remove(0);
    let created = &stats["routes"][0];
    assert_eq!((&created["route"], &created["model"]), (&json!("create_data"), &json!("res.partner")));
    assert_eq!((&created["calls"], &created["done"], &created["failed"]), (&json!(4), &json!(3), &json!(1)));
    assert!(created["p50_ms"].as_f64().unwrap() <= created["p99_ms"].as_f64().unwrap());
    assert_eq!((&stats["all"]["calls"], &stats["callers"][0]["caller"]), (&json!(5), &json!("")));
    let (_, table, _) = gateway.run(&["log", "stats"]);
    assert!(table.contains("P95 MS") && table.contains("(nobody)"), "{table}");
}

#[tokio::test]
async fn export_writes_whole_calls_and_rows_that_no_spreadsheet_takes_for_formulas() {
    let gateway = Gateway::start().await;
    let client = Client::with_bearer(&gateway).await;
    let name = unique("export");
    create(&client, json!({"name": name, "comment": "c".repeat(20_000)})).await;
    client.post("search_data", r#"{"model": "=cmd|' /C calc'!A0", "vals": {"payload": {}}}"#).await;
    let calls = gateway.run_json(&["log", "export", "--since", "1h"]);
    assert_eq!(calls[0]["lines"][0]["vals"]["payload"]["comment"].as_str().unwrap().len(), 20_000);
    assert_eq!(calls[0]["lines"].as_array().unwrap().len(), 3);
    let (_, table, _) = gateway.run(&["log", "export", "--format", "csv"]);
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows[0].starts_with("time,id,route,model,state,error,duration_ms,caller,address,records"), "{table}");
    assert!(rows[1].contains(",create_data,res.partner,done,,") && rows[2].contains(",search_data,'=cmd|"), "{table}");
}

#[tokio::test]
async fn passed_on_and_unknown_requests_are_in_the_log_without_their_queries() {
    let odoo = odoo().await;
    let gateway = Gateway::start().await;
    Client::with_session(&gateway).await;
    let unknown = Client::nobody(&gateway);
    let unknown = unknown.send("GET", "/web/login?token=s3cret", Default::default(), None::<String>).await;
    Client::nobody(&gateway).send("GET", "/api/create_data", Default::default(), None::<String>).await;
    // The end of an answer is told when it has gone out.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let calls = loop {
        let calls = gateway.run_json(&["log", "ls", "--route", "proxy", "--json"]);
        if calls.len() == 3 && calls[2]["state"] == "done" {
            break calls;
        }
        assert!(std::time::Instant::now() < deadline, "{calls:?}");
    };
    let told: Vec<Value> = calls.iter().map(|call| json!([call["message"], call["error"]])).collect();
    assert_eq!(
        told,
        [
            json!(["GET /api/create_data 405", "method_not_allowed"]),
            json!(["GET /web/login 404", "not_found"]),
            json!(["POST /web/session/authenticate 200", null])
        ]
    );
    assert_eq!(calls[1]["id"], json!(id(&unknown)));
    let text = gateway.log_text();
    assert!(!text.contains("s3cret") && !text.contains(&format!("\"{}\"", odoo.password)), "{text}");
    let line = gateway.lines().into_iter().find(|line| line["event"] == "request.finished").unwrap();
    assert!(line["answer_size"].as_u64().unwrap() > 100 && line["duration_ms"].as_f64().unwrap() > 0.0, "{line}");
    assert!(gateway.run_json(&["log", "ls", "--json"]).is_empty());
}

#[tokio::test]
async fn what_the_switches_leave_out_is_not_kept_and_not_run_again() {
    let more = "[log]\nsearch_data = \"summary\"\ncreate_data = false";
    let gateway = Gateway::start_with(more).await;
    let client = Client::with_bearer(&gateway).await;
    let name = unique("switch");
    let made = create(&client, json!({"name": name, "comment": "c".repeat(20_000)})).await;
    client.call("search_data", "res.country", json!({"payload": {"limit": 3, "search_field": ["code"]}})).await;
    let log = gateway.log();
    assert!(!gateway.log_text().contains(&name) && !gateway.log_folder().join("blobs").exists());
    assert_eq!((&log[0]["state"], &log[0]["result"], &log[0]["odoo"]), (&json!("done"), &Value::Null, &Value::Null));
    assert_eq!((&log[1]["result"]["rows"], &log[1]["result"]["result"]), (&json!(3), &Value::Null));
    assert_eq!(log[1]["vals"]["payload"]["limit"], 3);
    let odoo = odoo().await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), &odoo.key).unwrap();
    let secret = secret.path().to_str().unwrap();
    let (status, said, _) =
        gateway.run(&["replay", "--force", "--login", &odoo.login, "--secret-file", secret, &id(&made)]);
    assert!(status == Some(1) && said.contains("skipped: [log] create_data keeps no payloads"), "{said}");
}

#[tokio::test]
async fn a_failed_call_is_run_again_as_its_client_and_linked() {
    let odoo = odoo().await;
    let (gateway, webshop) = with_client(&odoo.url, "").await;
    let (name, code) = (unique("again"), Uuid::new_v4().to_string());
    let failed = create(&webshop, json!({"name": name, "parent_id": {"ref": code}})).await;
    assert_eq!(failed.json["result"]["error"]["code"], "no_match", "{failed:?}");
    // Whoever was missing is there now.
    odoo.create("res.partner", json!({"name": "parent", "ref": code})).await;
    let (status, planned, said) =
        gateway.run(&["replay", "--failed", "--since", "1h", "--model", "res.partner", "--dry-run"]);
    assert!(status == Some(0) && planned.contains("would be") && planned.contains("\"calls\""), "{planned}{said}");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 0);

    let (status, told, said) = gateway.run(&["replay", "--failed", "--since", "1h", "--model", "res.partner", "--yes"]);
    assert!(status == Some(0) && told.contains("1 of 1 done"), "{told}{said}");
    assert!(told.contains("-  \"is_success\": false") && told.contains("+  \"is_success\": true"), "{told}");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);

    let calls = gateway.run_json(&["log", "ls", "--json"]);
    assert_eq!(
        (&calls[0]["replay_of"], &calls[0]["client"], &calls[0]["state"]),
        (&json!(id(&failed)), &json!("webshop"), &json!("done"))
    );
    assert_eq!(calls.last().unwrap()["repeated_by"][0], json!({"id": calls[0]["id"], "state": "done"}));
    let (_, shown, _) = gateway.run(&["log", "show", &id(&failed)]);
    assert!(shown.contains("\nattempts\n") && shown.contains("failed, repeated"), "{shown}");
    // It is settled: not picked again, and by its id by force only.
    let (status, _, said) = gateway.run(&["replay", "--failed", "--since", "1h"]);
    assert!(status == Some(0) && said.contains("no call of the log is like that"), "{said}");
    let (status, told, _) = gateway.run(&["replay", &id(&failed)]);
    assert!(status == Some(1) && told.contains("skipped: it has been repeated with success"), "{told}");
    let (status, told, _) = gateway.run(&["replay", calls[0]["id"].as_str().unwrap()]);
    assert!(status == Some(1) && told.contains("skipped: it succeeded"), "{told}");
}

#[tokio::test]
async fn a_call_is_run_again_with_a_changed_payload_while_no_gateway_runs() {
    let odoo = odoo().await;
    let gateway = Gateway::start().await;
    let client = Client::with_bearer(&gateway).await;
    let name = unique("edited");
    let failed = create(&client, json!({"name": "typo", "country_id": {"code": "no such code"}})).await;
    let folder = gateway.stop();
    let file = folder.path().join("changed.json");
    fs::write(&file, json!({"name": name, "country_id": {"code": "BE"}}).to_string()).unwrap();
    let secret = folder.path().join("key");
    fs::write(&secret, &odoo.key).unwrap();
    let (file, secret) = (file.to_str().unwrap(), secret.to_str().unwrap());

    let (status, told, _) = run_in(folder.path(), &["replay", &id(&failed), "--edit", file]);
    assert!(status == Some(1) && told.contains("their own, which is not kept; give --as-client, or --login"), "{told}");
    let args = ["replay", &id(&failed), "--edit", file, "--login", &odoo.login, "--secret-file", secret];
    let (status, told, said) = run_in(folder.path(), &args);
    assert!(status == Some(0) && told.contains("1 of 1 done"), "{told}{said}");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);

    // The same in an editor.
    let other = unique("in an editor");
    let config = folder.path().join("gateway.toml");
    let edited = Command::new(PROGRAM)
        .args(["replay", "--force", "--login", &odoo.login, "--secret-file", secret, &id(&failed), "--config"])
        .arg(config)
        .arg("--edit")
        .env("VISUAL", format!("sed -i -e 's/typo/{other}/' -e 's/no such code/FR/'"))
        .output()
        .unwrap();
    assert_eq!(edited.status.code(), Some(0), "{edited:?}");
    assert_eq!(
        odoo.search_count("res.partner", json!([["name", "=", other], ["country_id.code", "=", "FR"]])).await,
        1
    );
    let (_, log, _) = run_in(folder.path(), &["log", "verify"]);
    assert!(log.starts_with("sound"), "{log}");
}

// The proxy runs while this waits for a command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_outcome_is_unknown_is_in_doubt_and_repeated_by_force_only() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (gateway, webshop) = with_client(&proxy.url, SETTLES_AT_ONCE).await;
    proxy.run(|_, rpc| if rpc.contains("/create") { Fault::ResetAfter } else { Fault::Pass });
    let name = unique("doubt");
    let lost = create(&webshop, json!({"name": name, "website": CHANGED})).await;
    assert_eq!(lost.json["error"]["data"]["retry"], "unsafe", "{lost:?}");
    proxy.run(|_, _| Fault::Pass);
    let listed = gateway.run_json(&["log", "ls", "--in-doubt", "--json"]);
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &json!(id(&lost))));
    let (status, told, _) = gateway.run(&["replay", &id(&lost)]);
    assert!(status == Some(1) && told.contains("skipped: it, or a repetition of it, is in doubt"), "{told}");
    let (status, told, said) = gateway.run(&["replay", "--in-doubt", "--force", "--yes"]);
    assert!(status == Some(0) && told.contains("1 of 1 done"), "{told}{said}");
    assert!(gateway.run_json(&["log", "ls", "--in-doubt", "--json"]).is_empty());
    // It had been done: the operator was warned.
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 2);
}

#[tokio::test]
async fn a_payload_with_hidden_values_is_not_sent_as_it_stands() {
    let (gateway, client) = with_client(&odoo().await.url, "[log]\nredact = [\"*.comment\"]").await;
    let failed =
        create(&client, json!({"name": "x", "comment": "a secret", "country_id": {"code": "no such code"}})).await;
    assert!(!gateway.log_text().contains("a secret"));
    let (status, told, _) = gateway.run(&["replay", &id(&failed)]);
    assert!(
        status == Some(1) && told.contains("were hidden in the log (payload.comment); give them with --edit"),
        "{told}"
    );
}

#[tokio::test]
async fn nobody_but_the_operator_has_the_gateway_make_calls_again() {
    let gateway = Gateway::start().await;
    let body = json!({"operator": {"by": "anna"}, "of": Uuid::new_v4(), "route": "create_data", "model": "res.partner", "vals": {"payload": {"name": "x"}}, "client": "webshop"});
    let post = |token: &str| {
        let request = crate::support::client::http().post(format!("{}/replay", gateway.admin)).bearer_auth(token);
        request.json(&body).send()
    };
    assert_eq!(post("wrong").await.unwrap().status(), 401);
    let control: Value = serde_json::from_slice(&fs::read(gateway.log_folder().join("control.json")).unwrap()).unwrap();
    let taken = post(control["token"].as_str().unwrap()).await.unwrap();
    assert_eq!(
        (taken.status().as_u16(), taken.json::<Value>().await.unwrap()["error"]["data"]["code"].clone()),
        (200, json!("unknown_client"))
    );
    // The token is gone with the gateway, and is on no listener of the public's.
    assert_eq!(Client::nobody(&gateway).send("POST", "/replay", Default::default(), Some("{}")).await.status, 404);
    let folder = gateway.stop();
    assert!(!folder.path().join("log/control.json").exists());
}

// The proxy runs while this waits for a command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repetition_whose_outcome_is_unknown_is_not_repeated_in_its_turn() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (gateway, webshop) = with_client(&proxy.url, SETTLES_AT_ONCE).await;
    let (name, code) = (unique("twice"), Uuid::new_v4().to_string());
    let failed = create(&webshop, json!({"name": name, "website": CHANGED, "parent_id": {"ref": code}})).await;
    odoo.create("res.partner", json!({"name": "parent", "ref": code})).await;
    proxy.run(|_, rpc| if rpc.contains("/create") { Fault::ResetAfter } else { Fault::Pass });
    let (status, told, _) = gateway.run(&["replay", "--failed", "--since", "1h", "--yes"]);
    assert!(status == Some(1) && told.contains("0 of 1 done: 1 in doubt"), "{told}");
    proxy.run(|_, _| Fault::Pass);
    for args in [&["replay", "--failed", "--since", "1h"][..], &["replay", &id(&failed), &id(&failed)]] {
        let (status, told, _) = gateway.run(args);
        assert!(
            status == Some(1)
                && told.contains("0 of 1 done: 1 skipped")
                && told.contains("or a repetition of it, is in doubt"),
            "{told}"
        );
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
}

#[tokio::test]
async fn an_editor_that_changes_nothing_or_leaves_hidden_values_sends_nothing() {
    let odoo = odoo().await;
    let gateway = Gateway::start_with("[log]\nredact = [\"*.comment\"]").await;
    let client = Client::with_bearer(&gateway).await;
    let name = unique("unchanged");
    let failed =
        create(&client, json!({"name": name, "comment": "a secret", "country_id": {"code": "no such code"}})).await;
    for (editor, reason) in [
        ("true", "nothing was changed in the editor"),
        ("sed -i s/no.such.code/BE/", "still read ***"),
        ("sed -i s/{/x/", "what was edited cannot be sent; it is in `"),
    ] {
        let edited = Command::new(PROGRAM)
            .args([
                "replay",
                "--login",
                &odoo.login,
                "--secret-env",
                "ODOO_GATEWAY_TEST_SECRET",
                &id(&failed),
                "--config",
            ])
            .arg(gateway.config_file())
            .arg("--edit")
            .env("VISUAL", editor)
            .env("ODOO_GATEWAY_TEST_SECRET", &odoo.key)
            .output()
            .unwrap();
        let told = String::from_utf8(edited.stdout).unwrap();
        assert!(edited.status.code() == Some(1) && told.contains(reason), "{told}");
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 0);
}

/// What stands in a summary of `replay --json`.
fn summary(told: &str) -> Value {
    let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    last["summary"].clone()
}

#[tokio::test]
async fn dry_runs_are_never_counted_and_never_run_again() {
    let (gateway, webshop) = with_client(&odoo().await.url, "").await;
    let missing = json!({"name": "dry", "country_id": {"code": "no such code"}});
    future::join_all((0..19).map(|_| create(&webshop, missing.clone()))).await;
    create(&webshop, json!({"name": "dry", "parent_id": {"ref": "nobody has this"}})).await;
    let failed = || gateway.run_json(&["log", "ls", "--all", "--state", "failed", "--json"]).len();
    assert_eq!(failed(), 20);
    for _ in 0..3 {
        let (status, told, said) = gateway.run(&["replay", "--failed", "--dry-run", "--json"]);
        let summary = summary(&told);
        assert_eq!((status, &summary["refused_again"], &summary["calls"]), (Some(1), &json!(20), &json!(20)), "{said}");
        assert_eq!(failed(), 20);
    }
    let dry = gateway.run_json(&["log", "ls", "--all", "--state", "dry-run", "--json"]);
    assert!(dry.len() == 60 && dry.iter().all(|call| call["state"] == "dry_run" && call["replay_of"].is_null()));
    let (_, listed, _) = gateway.run(&["log", "ls", "--state", "dry-run", "-n", "1"]);
    assert!(listed.contains("would fail"), "{listed}");
    let stats = gateway.run_json(&["log", "stats", "--json"]).remove(0);
    let all = &stats["all"];
    assert_eq!((&all["calls"], &all["failed"], &stats["dry_runs"]), (&json!(20), &json!(20), &json!(60)), "{stats}");
    let metrics = gateway.metrics().await;
    let counted = |state: &str| {
        let of_state = metrics
            .iter()
            .filter(|(name, _)| name.contains(&format!("calls_total{{route=\"create_data\",state=\"{state}\"")));
        of_state.map(|(_, value)| value).sum::<f64>()
    };
    assert_eq!((counted("failed"), counted("dry_run")), (20.0, 60.0));
    let (status, _, said) = gateway.run(&["replay", "--state", "dry-run", "--yes"]);
    assert!(status == Some(1) && said.contains("dry runs wrote nothing"), "{said}");
}

#[tokio::test]
async fn calls_of_a_filter_are_confirmed_grouped_and_stopped_when_they_keep_failing() {
    let (gateway, webshop) = with_client(&odoo().await.url, "").await;
    let missing = json!({"name": "many", "country_id": {"code": "no such code"}});
    future::join_all((0..5).map(|_| create(&webshop, missing.clone()))).await;
    let other = create(&webshop, json!({"zip": 1})).await;
    let code = other.json["result"]["error"]["code"].as_str().unwrap().to_owned();
    assert_ne!(code, "no_match", "{other:?}");
    // Nobody can be asked here.
    let (status, told, said) = gateway.run(&["replay", "--failed"]);
    assert!(status == Some(1) && told.is_empty() && said.contains("give --yes to run these 6 calls again"), "{said}");
    assert!(said.contains("5  create_data  res.partner  no_match") && said.contains("FIRST"), "{said}");
    assert_eq!(gateway.run_json(&["log", "ls", "--all", "--json"]).len(), 6);

    // Alike outcomes are told once, with one example.
    let (status, told, said) = gateway.run(&["replay", "--failed", "--yes"]);
    assert!(status == Some(1) && told.contains("0 of 6 done: 6 refused again"), "{told}{said}");
    assert!(told.contains("5 calls, create_data res.partner: refused again, no_match"), "{told}");
    assert!(told.contains(&format!("{} create_data res.partner: refused again", id(&other))), "{told}");
    assert_eq!(told.matches("refused again, ").count(), 2, "{told}");

    let (status, told, _) = gateway.run(&["replay", "--failed", "--yes", "--stop-after", "2", "--json"]);
    let objects: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(status == Some(1) && objects.len() == 3, "{told}");
    assert_eq!((&objects[0]["outcome"], &objects[0]["error_before"]), (&json!("refused_again"), &json!("no_match")));
    let summary = &objects[2]["summary"];
    assert_eq!((&summary["refused_again"], &summary["not_tried"]), (&json!(2), &json!(4)), "{summary}");
    assert!(summary["stopped"].as_str().unwrap().contains("2 in a row"), "{summary}");
    let (_, told, _) = gateway.run(&["replay", "--failed", "--yes", "--limit", "1", "--rate", "50/s"]);
    assert!(told.contains("0 of 1 done") && told.contains("5 more are beyond --limit"), "{told}");
}
