//! The store by itself: the same behaviour on SQLite and on PostgreSQL, without a gateway.

mod contract;
mod file_faults;
mod large;
mod model;
mod postgres;
mod sqlite;

use std::{path::Path, time::Duration};

use odoo_gateway::store::{Clock, NewCall, Place, Spans, Store};
use uuid::Uuid;

/// The time at which virtual clocks begin.
const BEGIN: i64 = 1_800_000_000_000;

const SPANS: Spans = Spans {
    lease: Duration::from_secs(30),
    keep: Duration::from_secs(7 * 86_400),
    callback: Duration::from_secs(86_400),
};

async fn in_folder(folder: &Path, clock: &Clock) -> Store {
    Store::in_folder(folder, SPANS, clock.clone()).await.unwrap()
}

/// A call of the client `shop`, with this key or none.
fn call(key: Option<&str>, place: Place) -> NewCall {
    NewCall {
        id: Uuid::now_v7(),
        caller: "client shop".to_owned(),
        client: Some("shop".to_owned()),
        key: key.map(str::to_owned),
        digest: [1; 32],
        route: "create_data".to_owned(),
        model: "res.partner".to_owned(),
        request: b"{\"name\": \"x\"}".to_vec(),
        place,
        keep: None,
        delivery: None,
    }
}

fn queued(lane: &str) -> NewCall {
    call(None, Place::Lane(lane.to_owned()))
}
