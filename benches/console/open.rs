//! Calls a second of a gateway whose console ten people have open, beside none.
//!
//! Each console shows the list of calls, live, and fetches the overview every ten seconds, as the script of the page does. One
//! gateway works without a break; spans with consoles and without take turns, and each is held against its neighbour.

use std::{env, time::Duration};

use reqwest::{Client, header, redirect::Policy};
use tokio::{task::JoinHandle, time};

use super::{
    gateway::{Build, Gateway, Log},
    load::{Load, Work},
    stub::{self, Keeping},
};

const CONSOLES: u32 = 10;
const CONNECTIONS: usize = 64;
const REFRESH: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(5);
/// Before a span is measured, so that consoles have come or gone.
const SETTLE: Duration = Duration::from_millis(500);

pub(crate) async fn measure() {
    let number = |name: &str, usual: u64| env::var(name).map_or(usual, |number| number.parse().unwrap());
    let pairs = number("ODOO_GATEWAY_BENCH_ROUNDS", 12);
    let length = Duration::from_secs(number("ODOO_GATEWAY_BENCH_SECONDS", 10));
    let upstream = stub::start(Keeping::Open).await;
    for work in [Work::Create, Work::Search] {
        let gateway = Gateway::start_with(Build::Plain, Log::Durable, &upstream, "[console]\nloopback = true\n");
        let load = Load::start(gateway.address, work, CONNECTIONS).await;
        time::sleep(WARM_UP).await;
        let (mut without, mut with, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..pairs {
            let none = rate(&load, length).await;
            let consoles: Vec<_> = (0..CONSOLES).flat_map(|number| open(&gateway.admin, number)).collect();
            let ten = rate(&load, length).await;
            consoles.iter().for_each(JoinHandle::abort);
            ratios.push(ten / none);
            without.push(none);
            with.push(ten);
        }
        let (now, most) = gateway.memory();
        load.stop().await;
        println!(
            "{:<7} {pairs} pairs of {length:?}: {:.0} calls/s with none, {:.0} with {CONSOLES} consoles, ratio {:.3}; memory {:.0} MiB, at most {:.0}",
            work.name(),
            median(without),
            median(with),
            median(ratios),
            now / 1_048_576.0,
            most / 1_048_576.0,
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn rate(load: &Load, length: Duration) -> f64 {
    time::sleep(SETTLE).await;
    let (before, begun) = (load.calls(), time::Instant::now());
    time::sleep(length).await;
    (load.calls() - before) as f64 / begun.elapsed().as_secs_f64()
}

/// What the browser of one person does: a live list, and an overview.
fn open(admin: &str, number: u32) -> [JoinHandle<()>; 2] {
    let (url, first) = (admin.to_owned(), REFRESH * number / CONSOLES);
    let list = tokio::spawn(async move {
        let (http, cookie) = signed_in(&url).await;
        let request = http.get(format!("{url}/live")).header(header::ACCEPT, "text/event-stream");
        let mut response = request.header(header::COOKIE, cookie).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        while response.chunk().await.unwrap().is_some() {}
        panic!("the stream of a live list has ended");
    });
    let url = admin.to_owned();
    let overview = tokio::spawn(async move {
        let (http, cookie) = signed_in(&url).await;
        time::sleep(first).await;
        loop {
            let request = http.get(format!("{url}/")).header("x-fragment", "overview");
            let response = request.header(header::COOKIE, &cookie).send().await.unwrap();
            assert!(response.status().is_success(), "{}", response.status());
            assert!(response.text().await.unwrap().contains("id=\"overview\""));
            time::sleep(REFRESH).await;
        }
    });
    [list, overview]
}

async fn signed_in(url: &str) -> (Client, String) {
    let http = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let response = http.get(format!("{url}/calls")).send().await.unwrap();
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    (http, cookie)
}
