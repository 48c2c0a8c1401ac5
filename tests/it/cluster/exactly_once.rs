//! Keyed creates through two gateways while answers are lost, one gateway is killed and the other one is suspended: each is made
//! once.
//!
//! `ODOO_GATEWAY_TEST_CLUSTER=2000,60` is the number of creates, and for how many seconds a gateway is suspended.

use std::{
    collections::{HashMap, HashSet},
    env,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future;
use http::HeaderMap;
use serde_json::json;
use tokio::time;

use super::{shared, unique};
use crate::support::{
    client::{Client, outcome},
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::{Odoo, odoo},
    postgres::Postgres,
};

const CLIENTS: usize = 32;
/// A caller that has no answer by then asks again, at the other gateway.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the Odoo of the tests works on a create at most, while the machine is busy.
const LONGEST_REQUEST: Duration = Duration::from_secs(12);

/// Of gateways of which one may be suspended for so long. `longest_request` is as long, too: what a gateway sends that stood still
/// for longer, just before it sent, nobody can tell from a second create.
fn settings(suspended: Duration) -> String {
    let longest = LONGEST_REQUEST.max(suspended).as_secs();
    format!("[limits]\ncall_timeout = \"60s\"\n[delivery]\nlease = \"4s\"\nlongest_request = \"{longest}s\"")
}

/// The methods by which a create is made, alone or with others.
const CREATING: [&str; 2] = ["res.partner/create", "res.partner/web_save"];

/// What the callers know: whom to call, and what they were answered.
struct Callers {
    run: String,
    /// Who calls the gateway that runs now, of each of the two.
    gateways: Mutex<[Client; 2]>,
    next: AtomicUsize,
    /// The ids that were answered.
    ids: Mutex<Vec<i64>>,
    answers: Mutex<HashMap<String, usize>>,
}

impl Callers {
    fn of(gateways: [Client; 2]) -> Self {
        Self {
            run: unique("once"),
            gateways: Mutex::new(gateways),
            next: AtomicUsize::new(0),
            ids: Mutex::default(),
            answers: Mutex::default(),
        }
    }

    /// All of them call until there are as many creates as wanted.
    async fn crowd(&self, wanted: usize) {
        future::join_all((0..CLIENTS).map(|_| self.call(wanted))).await;
    }

    /// Makes creates, each under a key of its own, until there are as many as wanted.
    async fn call(&self, wanted: usize) {
        loop {
            let number = self.next.fetch_add(1, Relaxed);
            if number >= wanted {
                return;
            }
            let id = self.create(number).await;
            self.ids.lock().unwrap().push(id);
        }
    }

    /// One create, repeated until it is answered.
    async fn create(&self, number: usize) -> i64 {
        let name = format!("{} {number}", self.run);
        let vals = json!({"payload": {"name": name, "ref": name}});
        let body = json!({"model": "res.partner", "vals": vals}).to_string();
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", name.replace(' ', "-").parse().unwrap());
        for attempt in 0.. {
            assert!(attempt < 200, "no answer to {name}: {:?}", self.answers.lock().unwrap());
            let client = self.gateways.lock().unwrap()[(number + attempt) % 2].clone();
            let sent = client.try_send_to("/api/create_data", headers.clone(), body.clone());
            let Ok(Ok(answer)) = time::timeout(PATIENCE, sent).await else {
                self.count("no answer");
                time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let outcome = outcome(&answer);
            self.count(&outcome);
            if outcome == "ok" {
                return answer.json["result"]["result"]["id"].as_i64().unwrap_or_else(|| panic!("{answer:?}"));
            }
            // What is not known is found out when its key comes again.
            assert!(matches!(answer.status, 409 | 500..), "{answer:?}");
            time::sleep(Duration::from_millis(100)).await;
        }
        unreachable!()
    }

    fn count(&self, answer: &str) {
        *self.answers.lock().unwrap().entry(answer.to_owned()).or_default() += 1;
    }

    async fn until(&self, number: usize) {
        let is_so = async {
            while self.ids.lock().unwrap().len() < number {
                time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = time::timeout(Duration::from_secs(900), is_so).await;
        assert!(waited.is_ok(), "{number} creates have not been answered: {:?}", self.answers.lock().unwrap());
    }

    /// Asserts that each create was made once, and answered with its record.
    async fn hold(self, odoo: &Odoo, wanted: usize) {
        let of_run = json!([[["name", "like", self.run]], ["name"]]);
        let found = odoo.call("res.partner", "search_read", of_run, json!({})).await.unwrap();
        let mut there: HashMap<i64, &str> = HashMap::new();
        for record in found.as_array().unwrap() {
            there.insert(record["id"].as_i64().unwrap(), record["name"].as_str().unwrap());
        }
        let names: HashSet<&str> = there.values().copied().collect();
        let ids: HashSet<i64> = self.ids.into_inner().unwrap().into_iter().collect();
        println!(
            "{wanted} keyed creates of {CLIENTS} clients: {} records, {} names, {} ids answered; answers: {:?}",
            there.len(),
            names.len(),
            ids.len(),
            self.answers.into_inner().unwrap()
        );
        assert_eq!((there.len(), names.len(), ids.len()), (wanted, wanted, wanted));
        assert!(ids.iter().all(|id| there.contains_key(id)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keyed_creates_are_made_once_while_answers_are_lost_and_gateways_are_killed_and_suspended() {
    let given = env::var("ODOO_GATEWAY_TEST_CLUSTER").unwrap_or_else(|_| "240,8".to_owned());
    let (wanted, suspended) = given.split_once(',').expect("a number of creates, and of seconds");
    let (wanted, suspended) = (wanted.parse().unwrap(), Duration::from_secs(suspended.parse().unwrap()));
    let (odoo, postgres) = (odoo().await, Postgres::start().await);
    let proxy = FaultProxy::before(odoo).await;
    // One answer of twenty is lost after Odoo has committed, and one request of forty before Odoo has it.
    let (creates, cut) = (AtomicUsize::new(0), std::sync::Arc::<[AtomicUsize; 2]>::default());
    let counted = cut.clone();
    proxy.run(move |_, rpc| {
        if !CREATING.contains(&rpc) {
            return Fault::Pass;
        }
        match creates.fetch_add(1, Relaxed) {
            number if number % 20 == 7 => {
                counted[0].fetch_add(1, Relaxed);
                Fault::ResetAfter
            }
            number if number % 40 == 15 => {
                counted[1].fetch_add(1, Relaxed);
                Fault::ResetBefore
            }
            _ => Fault::Pass,
        }
    });
    let settings = settings(suspended);
    let start = || shared(&postgres, &proxy.url, odoo, &settings);
    let ((first, first_client), (second, second_client)) = (start(), start());
    let callers = Callers::of([first_client, second_client]);
    let begun = Instant::now();
    let disasters = async {
        callers.until(wanted / 5).await;
        let folder = first.kill();
        time::sleep(Duration::from_secs(2)).await;
        let again = Gateway::again(folder).unwrap_or_else(|said| panic!("{said}"));
        callers.gateways.lock().unwrap()[0] = Client::with_login(&again, &odoo.login, &odoo.key);
        callers.until(wanted * 2 / 5).await;
        second.signal("STOP");
        time::sleep(suspended).await;
        second.signal("CONT");
        again
    };
    let (_, _again) = future::join(callers.crowd(wanted), disasters).await;
    let rpcs = proxy.seen().iter().filter(|rpc| CREATING.contains(&rpc.as_str())).count();
    let [after, before] = &*cut;
    let (after, before) = (after.load(Relaxed), before.load(Relaxed));
    println!("{:?}, {rpcs} RPCs: {after} answers cut after the commit, {before} requests before Odoo", begun.elapsed());
    assert!(after > 0 && before > 0);
    callers.hold(odoo, wanted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keyed_creates_are_made_once_while_postgresql_is_restarted_killed_and_suspended() {
    const CREATES: usize = 300;
    let (odoo, mut postgres) = (odoo().await, Postgres::start().await);
    let settings = settings(Duration::ZERO);
    let start = || shared(&postgres, &odoo.url, odoo, &settings);
    let ((_first, first_client), (_second, second_client)) = (start(), start());
    let callers = Callers::of([first_client, second_client]);
    let disasters = async {
        for number in 1..=6 {
            callers.until(CREATES * number / 8).await;
            match number % 3 {
                0 => postgres.restart().await,
                1 => {
                    postgres.kill();
                    postgres.start_again().await;
                }
                // Longer than a lease.
                _ => {
                    postgres.suspend();
                    time::sleep(Duration::from_secs(5)).await;
                    postgres.resume();
                }
            }
        }
    };
    future::join(callers.crowd(CREATES), disasters).await;
    callers.hold(odoo, CREATES).await;
}
