//! Many keyed creates before an Odoo whose answers are lost: every call becomes one record, neither more nor fewer.
//!
//! `ODOO_GATEWAY_TEST_CREATES` says how many; a run of the whole suite makes a few hundred.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use futures_util::future;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client, outcome},
    fault::{Fault, FaultProxy},
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo, odoo_14},
};

const CALLERS: usize = 32;
/// The longest that the Odoo of the tests works at one of these requests, with the machine busy.
const LONGEST_REQUEST: &str = "[delivery]\nlongest_request = \"3s\"\n";

fn creates() -> usize {
    let wanted = std::env::var("ODOO_GATEWAY_TEST_CREATES").ok();
    wanted.map_or(120, |wanted| wanted.parse().expect("ODOO_GATEWAY_TEST_CREATES is a number"))
}

/// Every 20th answer to a `create` is cut after Odoo has committed, and every 40th never reaches it.
fn losing_answers() -> impl Fn(usize, &str) -> Fault + Send + Sync + 'static {
    let created = AtomicUsize::new(0);
    move |_, rpc| {
        if !rpc.ends_with("/create") && !rpc.ends_with("/web_save") {
            return Fault::Pass;
        }
        match created.fetch_add(1, Relaxed) {
            number if number % 20 == 7 => Fault::ResetAfter,
            number if number % 40 == 13 => Fault::ResetBefore,
            _ => Fault::Pass,
        }
    }
}

/// Calls until there is an answer that is none of "not now".
async fn until_answered(client: &Client, key: &str, body: &Value) -> (Answer, usize) {
    let give_up = Instant::now() + Duration::from_secs(300);
    let mut tries = 0;
    loop {
        tries += 1;
        let sent = client.clone().and("idempotency-key", key).try_post("create_data", body.to_string()).await;
        if let Ok(answer) = sent
            && (answer.status == 200 || Instant::now() > give_up)
        {
            return (answer, tries);
        }
        assert!(Instant::now() < give_up, "no answer to {key}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn each_call_becomes_one_record(odoo: &'static Odoo, without_batches: bool) {
    let proxy = FaultProxy::before(odoo).await;
    proxy.run(losing_answers());
    let (key, entry) = new_client("shop");
    let account = format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n", odoo.login);
    let batch = if without_batches { "batch = false\n" } else { "" };
    let config = format!("{batch}{LONGEST_REQUEST}{account}");
    let gateway = Gateway::before_with(&proxy.url, &odoo.database, &config, &[("ODOO_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    let (run, creates) = (Uuid::new_v4().simple().to_string(), creates());
    let next = Arc::<AtomicUsize>::default();
    let began = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let (client, next, run) = (client.clone(), next.clone(), run.clone());
        async move {
            let (mut ids, mut again) = (Vec::new(), 0);
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= creates {
                    return (ids, again);
                }
                let reference = format!("{run}-{number}");
                let payload = json!({"name": format!("Customer {number}"), "ref": reference});
                let body = json!({"model": "res.partner", "vals": {"payload": payload}});
                let (answer, tries) = until_answered(&client, &reference, &body).await;
                assert_eq!(outcome(&answer), "ok", "{reference}: {answer:?}");
                ids.push((reference, answer.json["result"]["result"]["id"].as_i64().unwrap()));
                again += tries - 1;
            }
        }
    });
    let ended = future::join_all(callers).await;
    let again: usize = ended.iter().map(|(_, again)| again).sum();
    let lost = proxy.seen().iter().filter(|rpc| rpc.ends_with("/create") || rpc.ends_with("/web_save")).count();
    let found =
        odoo.call("res.partner", "search_read", json!([[["ref", "=like", format!("{run}-%")]], ["ref"]]), json!({}));
    let found = found.await.unwrap();
    println!(
        "Odoo {}: {creates} calls, {CALLERS} callers, {lost} creating RPCs, {again} repeated by their callers, {:.1} s",
        odoo.version,
        began.elapsed().as_secs_f32()
    );
    let mut found: Vec<(String, i64)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|record| (record["ref"].as_str().unwrap().to_owned(), record["id"].as_i64().unwrap()))
        .collect();
    let mut answered: Vec<(String, i64)> = ended.into_iter().flat_map(|(ids, _)| ids).collect();
    found.sort_unstable();
    answered.sort_unstable();
    // As many as there were calls, each once, and each caller has the id of its own.
    assert_eq!(found, answered);
    assert_eq!(found.len(), creates);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creates_with_lost_answers_are_made_once_in_batches_and_alone() {
    each_call_becomes_one_record(odoo().await, false).await;
    each_call_becomes_one_record(odoo().await, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creates_with_lost_answers_are_made_once_by_sessions_of_odoo_14() {
    each_call_becomes_one_record(odoo_14().await, false).await;
}
