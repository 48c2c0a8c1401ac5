//! Odoo is away for long while calls are queued, and the gateway is killed meanwhile: each call is delivered once, in order per key.
//!
//! `ODOO_GATEWAY_TEST_FORWARD=300,50` is 300 s without an Odoo, with 50 calls a second.

use std::{
    collections::HashMap,
    env,
    net::TcpListener,
    time::{Duration, Instant},
};

use odoo_gateway::store::{Filter, State};
use tokio::time;

use super::{Shop, create};
use crate::support::{fault::FaultProxy, gateway::Gateway, odoo::odoo};

const PARTNER: &str = "res.partner";
const LANES: usize = 20;
/// How long an Odoo that is back has for one call, at worst.
const EACH: Duration = Duration::from_millis(500);
/// `longest_request` is a promise of Odoo's, which the test holds it to: what outlives it is made twice.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);
const DELIVERY: &str = "[delivery]\nrate = 1000\nlongest_request = \"10s\"\nlease = \"5s\"";

/// How long Odoo is away, and how many calls come in a second.
fn load() -> (Duration, u32) {
    let given = env::var("ODOO_GATEWAY_TEST_FORWARD").unwrap_or_else(|_| "8,15".to_owned());
    let (outage, rate) = given.split_once(',').expect("two numbers");
    (Duration::from_secs(outage.parse().unwrap()), rate.parse().unwrap())
}

impl Shop {
    /// Kills the gateway, and starts it again; gives the most memory that it held.
    pub(super) fn kill_and_restart(&mut self) -> usize {
        let killed = self.gateway.take().unwrap();
        let (_, most) = killed.memory();
        self.gateway = Some(Gateway::again(killed.kill()).unwrap());
        most
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_were_queued_over_an_outage_with_kills_are_delivered_once_and_in_order() {
    let odoo = odoo().await;
    let (outage, rate) = load();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut shop = Shop::before(odoo, &format!("http://{address}"), DELIVERY, "").await;
    let began = Instant::now();
    let (mut queued, mut kills, mut memory) = (0, 0, Vec::new());
    while began.elapsed() < outage {
        let name = format!("{} {:02} {queued:06}", shop.run, queued % LANES);
        shop.store.accept(create(&format!("lane {}", queued % LANES), PARTNER, &name), false).await.unwrap();
        queued += 1;
        if kills < 2 && began.elapsed() > outage * (kills + 1) / 3 {
            memory.push(shop.kill_and_restart());
            kills += 1;
        }
        let due = Duration::from_secs(1) / rate * u32::try_from(queued).unwrap();
        time::sleep(due.saturating_sub(began.elapsed())).await;
    }
    let waiting = shop.store.depths().await.unwrap();
    let proxy = FaultProxy::at(address, odoo).await;
    let back = Instant::now();
    // The third, in the middle of the delivery.
    let done = Filter { states: vec![State::Done], ..Filter::default() };
    let deadline = back + Duration::from_secs(60) + EACH * u32::try_from(queued).unwrap();
    while shop.store.list(done.clone(), 0, 50).await.unwrap().len() < 50.min(queued / 3) {
        assert!(Instant::now() < deadline, "nothing is delivered");
        time::sleep(Duration::from_millis(50)).await;
    }
    memory.push(shop.kill_and_restart());
    let queued_still = Filter { states: vec![State::Queued], ..Filter::default() };
    while !shop.store.list(queued_still.clone(), 0, 1).await.unwrap().is_empty() {
        assert!(Instant::now() < deadline, "not all are delivered: {:?}", shop.store.depths().await);
        time::sleep(Duration::from_millis(100)).await;
    }
    let took = back.elapsed();
    memory.push(shop.gateway().memory().1);

    let mut states: HashMap<&str, usize> = HashMap::new();
    let (mut after, mut most_attempts) = (0, 0);
    loop {
        let page = shop.store.list(Filter::default(), after, 500).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        for call in page {
            *states.entry(call.state.as_str()).or_default() += 1;
            if call.state != State::Done {
                let outcome = shop.find(call.id).await.outcome.unwrap_or_default();
                println!("{call:?} after {} attempts: {}", call.attempts, String::from_utf8_lossy(&outcome));
            }
            most_attempts = most_attempts.max(call.attempts);
        }
    }
    let made = shop.made(odoo, PARTNER).await;
    let mut times: HashMap<&str, usize> = HashMap::new();
    made.iter().for_each(|name| *times.entry(name).or_default() += 1);
    let twice = times.values().filter(|times| **times > 1).count();
    println!(
        "{queued} calls in {outage:?} without an Odoo, {} waiting at its end; all closed {took:?} after it came back: {states:?}, {} records, {twice} of them twice, at most {most_attempts} attempts; three kills; memory at most {} MiB; Odoo's slowest request took {:?}",
        waiting.iter().map(|depth| depth.queued).sum::<u64>(),
        made.len(),
        memory.iter().max().unwrap() >> 20,
        proxy.slowest()
    );
    assert!(proxy.slowest() < LONGEST_REQUEST, "Odoo broke its promise: {:?}", proxy.slowest());
    assert_eq!((states.get("done").copied(), states.len()), (Some(queued), 1), "{states:?}");
    assert_eq!((made.len(), twice), (queued, 0));
    for lane in 0..LANES {
        let of_lane: Vec<&String> = made.iter().filter(|name| name.starts_with(&format!("{lane:02} "))).collect();
        assert!(of_lane.is_sorted(), "{of_lane:?}");
    }
    assert!(memory.iter().all(|most| most >> 20 < 400), "{memory:?}");
}
