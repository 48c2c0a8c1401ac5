//! Connections: the memory that each takes while it waits for its caller's next call and while all call, and what a call costs
//! that 64 others make meanwhile.

use std::{sync::Arc, time::Duration};

use super::{
    add,
    figures::Figures,
    folder, load,
    load::Requests,
    program::{self, Gateway},
    sizes, stub,
};

const CONNECTIONS: [u64; 5] = [1, 10, 100, 1_000, 9_000];
const CALLING: usize = 64;
const LENGTH: Duration = Duration::from_secs(3);
/// The allocator gives back what is free after a second.
const REST: Duration = Duration::from_secs(2);

pub(crate) async fn measure(figures: &mut Figures) {
    let stub = stub::start(0).await;
    let requests: Requests =
        Arc::new(|number| load::post("/api/search_data", &load::session(1), &load::search(number)));
    for connections in sizes(&CONNECTIONS) {
        let folder = folder();
        let gateway = Gateway::start(folder.path(), &program::config(&stub.url, ""));
        let mut callers = Vec::new();
        for _ in 0..CALLING {
            callers.push(load::connect(gateway.address).await);
        }
        let (_, callers) = load::call(&gateway, callers, LENGTH, &requests).await;
        tokio::time::sleep(REST).await;
        let before = gateway.memory().0;
        let mut waiting = Vec::new();
        for _ in 0..connections {
            waiting.push(load::connect(gateway.address).await);
        }
        // One call each.
        let (_, waiting) = load::call(&gateway, waiting, Duration::ZERO, &requests).await;
        tokio::time::sleep(REST).await;
        let idle_mib = gateway.memory().0 - before;
        let (beside, _callers) = load::call(&gateway, callers, LENGTH, &requests).await;
        let (all, _waiting) = load::call(&gateway, waiting, LENGTH, &requests).await;
        let (memory, peak) = gateway.memory();
        add(
            figures,
            "connections",
            "waiting, while 64 others call",
            connections,
            &[
                ("calls_per_second", beside.per_second),
                ("p50_ms", beside.p50_ms),
                ("cpu_us", beside.cpu_us),
                ("more_mib", idle_mib),
                ("kib_each", 1024.0 * idle_mib / connections as f64),
            ],
        );
        add(
            figures,
            "connections",
            "all calling",
            connections,
            &[
                ("calls_per_second", all.per_second),
                ("p50_ms", all.p50_ms),
                ("cpu_us", all.cpu_us),
                ("memory_mib", memory),
                ("peak_mib", peak),
                ("kib_each", 1024.0 * (peak - before) / connections as f64),
            ],
        );
    }
}
