//! Calls that come at the same moment and mean the same record: how many records are made, and what the callers are told.
//!
//! The addon, one gateway, and two gateways side by side that know nothing of each other. A table of counts, not of times.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    client::Client,
    figures::Figures,
    load::Bench,
    request::{Credential, Peer, Request},
};

const KEYS: usize = 12;
const ORDER_ROUNDS: usize = 10;
const LINES: usize = 3;

/// Who answers: the calls of one moment go to these in turn.
const SERVERS: [(&str, &[Peer]); 3] = [
    ("addon", &[Peer::Addon]),
    ("gateway", &[Peer::Gateway]),
    ("two gateways", &[Peer::Gateway, Peer::GatewayInMemory]),
];

/// What came of the calls of one row.
#[derive(Default)]
struct Outcome {
    calls: usize,
    /// The codes of those that failed.
    failed: Vec<String>,
    records: u64,
}

pub(crate) async fn races(bench: &Bench, figures: &mut Figures) {
    println!("\nCalls at the same moment for the same record, by key; records made, calls that failed of all calls");
    for (name, peers) in SERVERS {
        for clients in [2, 8] {
            upserts(bench, peers, KEYS, clients).await.print(
                name,
                &format!("{KEYS} keys, {clients} upserts of each"),
                figures,
            );
        }
        upserts(bench, peers, 1, 64).await.print(name, "1 key, 64 upserts", figures);
        parents(bench, peers).await.print(name, "16 creates, auto_create of one parent", figures);
        barcodes(bench, peers).await.print(name, "8 upserts of one unique barcode", figures);
        orders(bench, peers).await.print(
            name,
            &format!("{ORDER_ROUNDS} x 2 updates of one order, {LINES} lines"),
            figures,
        );
    }
}

async fn upserts(bench: &Bench, peers: &[Peer], keys: usize, clients: usize) -> Outcome {
    let run = bench.world.unused("K");
    let mut outcome = Outcome::default();
    for key in (0..keys).map(|key| format!("{run}.{key}")) {
        let vals = json!({"search_key": {"ref": key}, "payload": {"name": "A racer", "ref": key}});
        outcome.add(at_once(bench, peers, clients, "create_update_data", "res.partner", vals).await);
    }
    outcome.records = bench.world.count("res.partner", json!([["ref", "=like", format!("{run}.%")]])).await;
    outcome
}

async fn parents(bench: &Bench, peers: &[Peer]) -> Outcome {
    let parent = bench.world.unused("P");
    let vals = json!({
        "payload": {"name": "A child", "parent_id": {"ref": parent}},
        "auto_create": {"parent_id": {"name": "A parent", "ref": parent, "is_company": true}},
    });
    let mut outcome = Outcome::default();
    outcome.add(at_once(bench, peers, 16, "create_data", "res.partner", vals).await);
    outcome.records = bench.world.count("res.partner", json!([["ref", "=", parent]])).await;
    outcome
}

async fn barcodes(bench: &Bench, peers: &[Peer]) -> Outcome {
    let barcode = bench.world.unused("B");
    let vals = json!({"search_key": {"barcode": barcode}, "payload": {"name": "A product", "barcode": barcode}});
    let mut outcome = Outcome::default();
    outcome.add(at_once(bench, peers, 8, "create_update_data", "product.product", vals).await);
    outcome.records = bench.world.count("product.product", json!([["barcode", "=", barcode]])).await;
    outcome
}

/// The records are the lines that the order has in the end.
async fn orders(bench: &Bench, peers: &[Peer]) -> Outcome {
    let order = bench.world.unused("O");
    let (partner, product) = (&bench.world.partner, &bench.world.products[0]);
    let line = json!({"product_id": {"default_code": product.name}, "product_uom_qty": 2});
    let payload =
        json!({"client_order_ref": order, "partner_id": {"ref": partner.name}, "order_line": vec![line; LINES]});
    let vals = json!({"search_key": {"client_order_ref": order}, "payload": payload});
    // It is there before anybody races for it.
    let first = at_once(bench, peers, 1, "create_update_data", "sale.order", vals.clone()).await;
    assert_eq!(first, [None], "the order was not made");
    let mut outcome = Outcome::default();
    for _ in 0..ORDER_ROUNDS {
        outcome.add(at_once(bench, peers, 2, "create_update_data", "sale.order", vals.clone()).await);
    }
    outcome.records = bench.world.count("sale.order.line", json!([["order_id.client_order_ref", "=", order]])).await;
    outcome
}

/// So many equal calls at the same moment: the code of the error of each that failed.
async fn at_once(
    bench: &Bench,
    peers: &[Peer],
    clients: usize,
    route: &'static str,
    model: &'static str,
    vals: Value,
) -> Vec<Option<String>> {
    let (path, body) = Request::Payload { route, model, vals }.path_and_body(Credential::Session);
    let mut clients: Vec<Client> =
        peers.iter().cycle().take(clients).map(|peer| bench.client(*peer, Credential::Session)).collect();
    let calls = clients.iter_mut().map(|client| client.try_post(&path, body.clone()));
    join_all(calls).await.iter().map(|answer| failure(answer)).collect()
}

/// The gateway says a code; the addon a traceback, whose last line names the exception.
fn failure(answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).unwrap();
    if answer["result"]["is_success"] == true {
        return None;
    }
    let error =
        [&answer["result"]["error"], &answer["error"]["data"]].into_iter().find(|error| error["code"].is_string());
    let coded = error.map(|error| format!("{} ({})", text(&error["code"]), text(&error["retry"])));
    let words = text(&answer["result"]["messages"]).to_owned();
    let last = words.trim_end().lines().rfind(|line| line.split(':').next().is_some_and(|name| name.contains('.')));
    Some(coded.unwrap_or_else(|| last.unwrap_or("an error").split(':').next().unwrap_or_default().to_owned()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Outcome {
    fn add(&mut self, answers: Vec<Option<String>>) {
        self.calls += answers.len();
        self.failed.extend(answers.into_iter().flatten());
    }

    fn print(&self, server: &str, what: &str, figures: &mut Figures) {
        let row =
            [("records", self.records as f64), ("failed", self.failed.len() as f64), ("calls", self.calls as f64)];
        figures.add(&[("work", "race"), ("race", what), ("peer", server)], &row);
        let mut codes = self.failed.clone();
        codes.sort_unstable();
        codes.dedup();
        println!(
            "{server:<14}{what:<42}{:>5} records{:>5} of {:>3} failed  {}",
            self.records,
            self.failed.len(),
            self.calls,
            codes.join(", ")
        );
    }
}
