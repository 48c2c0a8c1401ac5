//! Odoo is killed under load and comes back: nothing that was answered with success is lost or there twice, what was
//! answered otherwise is as it was said to be, and nobody waits for longer than promised.
//!
//! `ODOO_GATEWAY_TEST_OUTAGE=60,10` makes it as long as one likes: 60 s of load, 10 s of them without an Odoo, and the time
//! that Odoo takes to start.

use std::{
    collections::HashMap,
    env,
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use futures_util::future;
use serde_json::json;
use tokio::time;
use uuid::Uuid;

use crate::support::{client::Client, gateway::Gateway, odoo::Odoo};

const CLIENTS: usize = 20;
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// A caller who was sent away comes back after this.
const PAUSE: Duration = Duration::from_millis(200);
/// What the machine may take beyond the promised time to deliver an answer.
const SLACK: Duration = Duration::from_secs(3);

/// What one call was answered, and after how long.
struct Answered {
    name: String,
    /// `ok`, or the `retry` of the error.
    outcome: String,
    waited: Duration,
    ended: Instant,
}

/// How long the load lasts, and the outage in the middle of it.
fn durations() -> (Duration, Duration) {
    let given = env::var("ODOO_GATEWAY_TEST_OUTAGE").unwrap_or_else(|_| "18,4".to_owned());
    let (load, outage) = given.split_once(',').expect("two numbers of seconds");
    (Duration::from_secs(load.parse().unwrap()), Duration::from_secs(outage.parse().unwrap()))
}

async fn calls(client: Client, run: &str, is_over: &AtomicBool) -> Vec<Answered> {
    let mut answered = Vec::new();
    while !is_over.load(Relaxed) {
        let name = format!("{run} {}", Uuid::new_v4());
        let payload = json!({"name": name, "country_id": {"code": "BE"}});
        let body = json!({"model": "res.partner", "vals": {"payload": payload}}).to_string();
        let started = Instant::now();
        let answer = client.post("create_data", body).await;
        let waited = started.elapsed();
        let result = &answer.json["result"];
        let outcome = if result["is_success"] == json!(true) {
            "ok".to_owned()
        } else {
            let error =
                if answer.json.get("error").is_some() { &answer.json["error"]["data"] } else { &result["error"] };
            error["retry"].as_str().unwrap_or_else(|| panic!("no verdict: {answer:?}")).to_owned()
        };
        if outcome != "ok" {
            time::sleep(PAUSE).await;
        }
        answered.push(Answered { name, outcome, waited, ended: Instant::now() });
    }
    answered
}

#[tokio::test]
async fn a_killed_odoo_costs_no_write_that_was_answered_with_success() {
    let (load, outage) = durations();
    let up = || Odoo::up(&["--name", "outage"]);
    let odoo = tokio::task::spawn_blocking(up).await.unwrap();
    let more = format!("[limits]\ncall_timeout = \"{}s\"", CALL_TIMEOUT.as_secs());
    let gateway = Gateway::before(&odoo.url, &odoo.database, &more);
    let run = Uuid::new_v4().to_string();
    let is_over = AtomicBool::new(false);
    let clients = (0..CLIENTS).map(|number| {
        let secret = if number % 2 == 0 { &odoo.key } else { &odoo.password };
        calls(Client::with_login(&gateway, &odoo.login, secret), &run, &is_over)
    });
    let disaster = async {
        time::sleep((load - outage) / 2).await;
        let pid = odoo.pid.expect("an Odoo of this test's own").to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        time::sleep(outage).await;
        let again = tokio::task::spawn_blocking(up).await.unwrap();
        assert_eq!(again.url, odoo.url);
        let back = Instant::now();
        // However long it took to come back, there is load on it then.
        time::sleep((load - outage) / 2).await;
        is_over.store(true, Relaxed);
        back
    };
    let (answered, back) = future::join(future::join_all(clients), disaster).await;
    let answered: Vec<Answered> = answered.into_iter().flatten().collect();

    let found = odoo.call("res.partner", "search_read", json!([[["name", "like", run]], ["name"]]), json!({})).await;
    let mut there: HashMap<String, usize> = HashMap::new();
    for record in found.unwrap().as_array().unwrap() {
        *there.entry(record["name"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let mut table: HashMap<(&str, usize), usize> = HashMap::new();
    for call in &answered {
        let times = there.get(&call.name).copied().unwrap_or(0);
        *table.entry((&call.outcome, times)).or_default() += 1;
    }
    let longest = answered.iter().map(|call| call.waited).max().unwrap();
    let after = answered.iter().filter(|call| call.outcome == "ok" && call.ended > back).count();
    println!(
        "{} calls of {CLIENTS} clients in {load:?}, {outage:?} without an Odoo; (answered, records) = calls: {table:?}; longest wait {longest:?}; {after} done after it came back",
        answered.len()
    );
    let unexpected = |(outcome, times): &(&str, usize)| match *outcome {
        "ok" => *times != 1,
        "unsafe" => *times > 1,
        _ => *times != 0,
    };
    assert!(!table.keys().any(unexpected), "{table:?}");
    assert!(table.contains_key(&("safe", 0)), "nobody noticed: {table:?}");
    assert!(longest <= CALL_TIMEOUT + SLACK, "{longest:?}");
    assert!(after > 0, "the gateway has not recovered");
}
