//! The gateway is killed at random moments under load, over and over, on one and the same log.
//!
//! No call that was answered with success may be missing in the log; nothing may be in Odoo of which the log does not say
//! that it was received; and every call without an end must be listed as in doubt.
//! `ODOO_GATEWAY_TEST_KILLS` is the number of rounds.

use std::{
    collections::{HashMap, HashSet},
    env,
    time::Duration,
};

use futures_util::future;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::Client,
    gateway::{Gateway, all_lines, run_in},
    odoo::odoo,
};

const CLIENTS: usize = 8;
const ROUNDS: usize = 200;

/// Makes partners until the gateway is gone; gives the ids of the calls that were answered with success.
async fn calls(client: Client, run: &str) -> Vec<String> {
    let mut answered = Vec::new();
    loop {
        let vals = json!({"payload": {"name": format!("{run} {}", Uuid::new_v4())}});
        let body = json!({"model": "res.partner", "vals": vals}).to_string();
        let Ok(answer) = client.try_post("create_data", body).await else { return answered };
        if answer.json["result"]["is_success"] == true {
            answered.push(answer.headers["gateway-call-id"].to_str().unwrap().to_owned());
        }
    }
}

#[tokio::test]
async fn a_gateway_that_is_killed_at_any_moment_forgets_no_call() {
    let rounds = env::var("ODOO_GATEWAY_TEST_KILLS").map_or(ROUNDS, |given| given.parse().expect("a number of rounds"));
    let odoo = odoo().await;
    let more = "[log]\nsegment_size = \"256 KiB\"";
    let run = format!("kill {}", Uuid::new_v4());
    let mut folder = Gateway::before(&odoo.url, &odoo.database, more).kill();
    let (mut answered, mut rounds_at_work) = (Vec::new(), 0);
    for round in 0..rounds {
        let gateway = Gateway::again(folder).unwrap_or_else(|said| panic!("round {round}: {said}"));
        let clients = (0..CLIENTS).map(|_| calls(Client::with_login(&gateway, &odoo.login, &odoo.key), &run));
        let load = future::join_all(clients);
        let moment = Duration::from_millis(fastrand::u64(1..500));
        let kill = async {
            tokio::time::sleep(moment).await;
            gateway.kill()
        };
        let (round_answered, left) = future::join(load, kill).await;
        let round_answered: Vec<String> = round_answered.into_iter().flatten().collect();
        rounds_at_work += usize::from(!round_answered.is_empty());
        answered.extend(round_answered);
        folder = left;
    }

    let folder = Gateway::again(folder).unwrap().stop();
    let (status, verdict, _) = run_in(folder.path(), &["log", "verify"]);
    assert_eq!(status, Some(0), "{verdict}");
    let lines = all_lines(folder.path());
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<&Value>>();
    let finished: HashMap<&str, &Value> =
        of("call.finished").iter().map(|line| (line["id"].as_str().unwrap(), *line)).collect();
    let missing =
        answered.iter().filter(|id| finished.get(id.as_str()).is_none_or(|line| line["state"] != "done")).count();

    let received: HashMap<&str, &str> = of("call.received")
        .iter()
        .map(|line| (line["vals"]["payload"]["name"].as_str().unwrap(), line["id"].as_str().unwrap()))
        .collect();
    let there = odoo.call("res.partner", "search_read", json!([[["name", "like", run]], ["name"]]), json!({})).await;
    let there: Vec<String> =
        there.unwrap().as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap().to_owned()).collect();
    let unlogged = there.iter().filter(|name| !received.contains_key(name.as_str())).count();

    let open: HashSet<&str> = received
        .values()
        .copied()
        .filter(|id| finished.get(id).is_none_or(|line| line["state"] == "in_doubt"))
        .collect();
    let (_, listed, _) = run_in(folder.path(), &["log", "ls", "--in-doubt", "--all", "--json"]);
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let listed: HashSet<&str> = listed.iter().map(|call| call["id"].as_str().unwrap()).collect();
    let in_odoo = there.iter().filter(|name| received.get(name.as_str()).is_some_and(|id| open.contains(id))).count();
    println!(
        "{rounds} kills: {} calls received, {} answered with success, {missing} of those missing in the log; {} records in Odoo, {unlogged} without a received line; {} calls in doubt, {} of them listed, {in_odoo} of them in Odoo; {} torn tails put aside",
        received.len(),
        answered.len(),
        there.len(),
        open.len(),
        listed.len(),
        of("log.recovered").len()
    );
    assert_eq!((missing, unlogged), (0, 0));
    assert_eq!(listed, open);
    // However slow the machine, some rounds must have come to work.
    assert!(rounds_at_work > rounds / 10 && !open.is_empty(), "there was no load: {rounds_at_work} of {rounds} rounds");
}
