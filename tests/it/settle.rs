//! Calls in doubt that an operator closes: `odoo-gateway log settle`.

use std::{fs, process::Command};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::{Client, http},
    fault::{Fault, FaultProxy},
    gateway::{CHANGED, Gateway, SETTLES_AT_ONCE, run_in},
    odoo::odoo,
    segments::{grades, verify},
};

/// Calls of which Odoo's answer was lost, each for another contact; and their ids.
async fn in_doubt(count: usize) -> (FaultProxy, Gateway, Vec<String>) {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, &format!("batch = false\n{SETTLES_AT_ONCE}"));
    let client = Client::with_bearer(&gateway).await;
    proxy.run(|_, rpc| if rpc.contains("/create") { Fault::ResetAfter } else { Fault::Pass });
    let mut ids = Vec::new();
    for number in 0..count {
        let name = format!("doubt {number} {}", Uuid::new_v4());
        let payload = json!({"name": name, "website": CHANGED});
        let body = json!({"model": "res.partner", "vals": {"payload": payload}}).to_string();
        let lost = client.post("create_data", body).await;
        assert_eq!(lost.json["error"]["data"]["retry"], "unsafe", "{lost:?}");
        ids.push(lost.headers["gateway-call-id"].to_str().unwrap().to_owned());
    }
    proxy.run(|_, _| Fault::Pass);
    (proxy, gateway, ids)
}

fn listed(gateway: &Gateway, args: &[&str]) -> Vec<Value> {
    gateway.run_json(&[&["log", "ls", "--json"], args].concat())
}

// The proxy runs while this waits for a command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_that_runs_puts_on_record_who_settled_a_call_and_when() {
    let (_proxy, gateway, ids) = in_doubt(2).await;
    let [done, not_done] = [&ids[0], &ids[1]];
    assert_eq!(listed(&gateway, &["--in-doubt"]).len(), 2);
    let (status, told, said) =
        gateway.run(&["log", "settle", done, "--done", "--record", "17", "--by", "Ada", "--why", "seen in Odoo"]);
    assert!(status == Some(0) && told.contains("settled as done"), "{told}{said}");
    let (status, told, said) = gateway.run(&["log", "settle", not_done, "--not-done", "--why", "no such contact"]);
    assert!(status == Some(0) && told.contains("settled as not done"), "{told}{said}");

    assert!(listed(&gateway, &["--in-doubt"]).is_empty());
    let call = &listed(&gateway, &["--record", "17", "--model", "res.partner"])[0];
    assert_eq!((&call["id"], &call["state"]), (&json!(done), &json!("done")), "{call}");
    assert_eq!((&call["settled"]["by"], &call["settled"]["why"]), (&json!("Ada"), &json!("seen in Odoo")), "{call}");
    assert!(call["settled"]["ts"].as_str().unwrap().ends_with('Z'), "{call}");
    let call = &listed(&gateway, &["--state", "failed"])[0];
    assert_eq!((&call["id"], &call["settled"]["why"]), (&json!(not_done), &json!("no such contact")), "{call}");
    // Without a name, that of the user of this system.
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    assert_eq!(call["settled"]["by"], user.trim(), "{call}");
    let (_, shown, _) = gateway.run(&["log", "show", done]);
    assert!(shown.contains("done, settled") && shown.contains("by Ada: seen in Odoo"), "{shown}");
    let stats = gateway.run_json(&["log", "stats", "--json"]).remove(0);
    let all = &stats["all"];
    assert_eq!((&all["done"], &all["failed"], &all["in_doubt"]), (&json!(1), &json!(1), &json!(0)), "{stats}");
    let line = gateway.lines().into_iter().find(|line| line["event"] == "call.settled").unwrap();
    assert_eq!((&line["state"], &line["records"]), (&json!("done"), &json!({"res.partner": [17]})), "{line}");

    // Once is enough, and what is not in doubt is not settled.
    let (status, _, said) = gateway.run(&["log", "settle", done, "--not-done", "--why", "after all"]);
    assert!(status == Some(1) && said.contains("it was settled already, by Ada at 2"), "{said}");
    let folder = gateway.stop();
    let verified = verify(folder.path());
    assert_eq!((&verified["sound"], grades(&verified)), (&json!(true), Vec::new()), "{verified}");
    assert_eq!(run_in(folder.path(), &["log", "ls", "--in-doubt", "--json"]).1, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_gateway_runs_the_command_settles_by_itself_and_what_was_not_done_is_run_again() {
    let (_proxy, gateway, ids) = in_doubt(1).await;
    let folder = gateway.stop();
    let args = ["log", "settle", &ids[0][10..], "--not-done", "--why", "never came"];
    let (status, told, said) = run_in(folder.path(), &args);
    assert!(status == Some(0) && told.contains(&ids[0]), "{told}{said}");
    let (status, _, said) = run_in(folder.path(), &args);
    assert!(status == Some(1) && said.contains("it was settled already"), "{said}");
    assert_eq!(verify(folder.path())["sound"], true);
    // It is in order to send it again, without force.
    let gateway = Gateway::again(folder).unwrap();
    let odoo = odoo().await;
    let secret = gateway.log_folder().join("key");
    fs::write(&secret, &odoo.key).unwrap();
    let args = ["replay", &ids[0], "--login", &odoo.login, "--secret-file", secret.to_str().unwrap()];
    let (status, told, said) = gateway.run(&args);
    assert!(status == Some(0) && told.contains("1 of 1 done"), "{told}{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_in_doubt_is_not_settled() {
    let gateway = Gateway::start().await;
    let client = Client::with_bearer(&gateway).await;
    let done = client.post("search_data", r#"{"model": "res.country", "vals": {"payload": {"limit": 1}}}"#).await;
    let failed = client.post("create_data", r#"{"model": "res.partner", "vals": {"payload": {"zip": 1}}}"#).await;
    let [done, failed] = [&done, &failed].map(|answer| answer.headers["gateway-call-id"].to_str().unwrap().to_owned());
    for (id, words) in [(&done, "it is not in doubt: it was done"), (&failed, "it is not in doubt: it failed")] {
        let (status, _, said) = gateway.run(&["log", "settle", id, "--done"]);
        assert!(status == Some(1) && said.contains(words), "{said}");
    }
    let (status, _, said) = gateway.run(&["log", "settle", "ffffffff-0000", "--done"]);
    assert!(status == Some(1) && said.contains("no call of the log has the id"), "{said}");
    for args in [&["log", "settle", &done][..], &["log", "settle", &done, "--not-done"]] {
        assert_eq!(gateway.run(args).0, Some(2), "{args:?}");
    }
    // Nobody but the operator.
    let body = json!({"id": done, "is_done": true, "by": "nobody", "why": null});
    let asked = http().post(format!("{}/settle", gateway.admin)).bearer_auth("wrong").json(&body).send().await.unwrap();
    assert_eq!(asked.status(), 401);
    assert!(gateway.lines().iter().all(|line| line["event"] != "call.settled"));
}

#[tokio::test]
async fn a_call_whose_gateway_was_killed_is_settled_and_stays_so() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_bearer(&gateway).await;
    let reached = std::sync::Arc::new(tokio::sync::Notify::new());
    let hold = Fault::Hold { reached: reached.clone(), release: Default::default() };
    proxy.run(move |_, rpc| if rpc.ends_with("/create") { hold.clone() } else { Fault::Pass });
    let body = json!({"model": "res.partner", "vals": {"payload": {"name": "killed"}}}).to_string();
    let call = tokio::spawn(async move { client.try_post("create_data", body).await.map(|_| ()) });
    reached.notified().await;
    let id = gateway.lines().into_iter().find(|line| line["event"] == "call.received").unwrap()["id"].clone();
    let (status, _, said) = gateway.run(&["log", "settle", id.as_str().unwrap(), "--done"]);
    assert!(status == Some(1) && said.contains("the gateway is still working on it"), "{said}");
    let folder = gateway.kill();
    call.await.unwrap().unwrap_err();
    let gateway = Gateway::again(folder).unwrap();
    assert_eq!(gateway.run(&["log", "settle", id.as_str().unwrap(), "--done"]).0, Some(0));
    assert!(listed(&gateway, &["--in-doubt"]).is_empty());
    let calls = listed(&gateway, &[]);
    assert_eq!((calls.len(), &calls[0]["state"]), (1, &json!("done")), "{calls:?}");
}
