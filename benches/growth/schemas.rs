//! Users and models: what schemas take, which each user has of each model, and what a call costs.
//!
//! Callers are sessions, whose schemas the gateway shares with nobody else's. Each of 100 fields.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use super::{
    add,
    figures::Figures,
    folder, load,
    load::Requests,
    program::{self, Gateway},
    sizes, stub,
};

/// Users and models.
const PAIRS: [(u64, u64); 5] = [(1, 10), (10, 100), (100, 100), (100, 1_000), (500, 1_000)];
const FIELDS: usize = 88;
const CONNECTIONS: usize = 16;
const WARM_UP: Duration = Duration::from_secs(10);
const LENGTH: Duration = Duration::from_secs(5);

pub(crate) async fn measure(figures: &mut Figures) {
    let stub = stub::start(FIELDS).await;
    let wanted = sizes(&PAIRS.map(|(users, models)| users * models));
    for (users, models) in PAIRS.into_iter().filter(|(users, models)| wanted.contains(&(users * models))) {
        let folder = folder();
        let gateway = Gateway::start(folder.path(), &program::config(&stub.url, ""));
        // Pairs in an order that is none, each as often as any other.
        let requests: Requests = Arc::new(move |number| {
            let pair = u64::from(number).wrapping_mul(2_654_435_761) % (users * models);
            let (user, model) = (pair / models, pair % models);
            let payload = format!(
                r#"{{"search_domain": [["ref", "=", "R{number}"]], "search_field": ["name", "ref"], "limit": 1}}"#
            );
            let body = load::body(&format!("bench.model.{model}"), &payload);
            load::post("/api/search_data", &load::session(user), &body)
        });
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            streams.push(load::connect(gateway.address).await);
        }
        let (_, streams) = load::call(&gateway, streams, WARM_UP, &requests).await;
        let before = stub.asked.fields.load(Relaxed);
        let (called, _) = load::call(&gateway, streams, LENGTH, &requests).await;
        let asked = (stub.asked.fields.load(Relaxed) - before) as f64;
        let (memory, peak) = gateway.memory();
        add(
            figures,
            "schemas",
            "search",
            users * models,
            &[
                ("calls_per_second", called.per_second),
                ("p50_ms", called.p50_ms),
                ("cpu_us", called.cpu_us),
                ("schemas_asked_per_call", asked / (called.per_second * LENGTH.as_secs_f64())),
                ("memory_mib", memory),
                ("peak_mib", peak),
            ],
        );
    }
}
