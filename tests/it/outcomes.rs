//! What the gateway finds out where the answer to a write was lost: nothing is lost, nothing is done twice.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client},
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::{Odoo, odoo, odoo_14},
};

/// A gateway before an Odoo whose answers can be cut.
struct Bench {
    odoo: &'static Odoo,
    proxy: FaultProxy,
    gateway: Gateway,
    client: Client,
}

impl Bench {
    async fn before(odoo: &'static Odoo, more: &str) -> Self {
        let proxy = FaultProxy::before(odoo).await;
        let gateway = Gateway::before(&proxy.url, &odoo.database, more);
        let client = match odoo.version {
            19 => Client::with_bearer(&gateway).await,
            _ => Client::log_in(&gateway, odoo).await,
        };
        Self { odoo, proxy, gateway, client }
    }

    async fn create(&self, model: &str, payload: Value) -> Answer {
        let body = json!({"model": model, "vals": {"payload": payload, "result_field": ["name"]}});
        self.client.post("create_data", body.to_string()).await
    }

    /// From now on, this is the end of every RPC whose path ends so, up to `most` times.
    fn cut(&self, end: &'static str, most: usize, fault: Fault) {
        let count = std::sync::atomic::AtomicUsize::new(0);
        self.proxy.run(move |_, rpc| {
            let is_one = rpc.ends_with(end) && count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < most;
            if is_one { fault.clone() } else { Fault::Pass }
        });
    }

    fn sent(&self, end: &str) -> usize {
        self.proxy.seen().iter().filter(|rpc| rpc.ends_with(end)).count()
    }

    async fn count(&self, name: &str) -> Value {
        self.odoo.search_count("res.partner", json!([["name", "=", name]])).await
    }
}

fn unique() -> String {
    format!("lost {}", Uuid::new_v4().simple())
}

fn record(answer: &Answer) -> &Value {
    assert_eq!((answer.status, &answer.json["result"]["is_success"]), (200, &json!(true)), "{answer:?}");
    &answer.json["result"]["result"]
}

#[tokio::test]
async fn a_record_that_was_created_is_found_and_answered_however_its_answer_was_lost() {
    for odoo in [odoo().await, odoo_14().await] {
        let bench = Bench::before(odoo, "retries = 0").await;
        for fault in [Fault::ResetAfter, Fault::CutReply] {
            // The first of them is not known by the ids of earlier ones, the second is.
            for _ in 0..2 {
                let name = unique();
                let write = if odoo.version == 19 { "/web_save" } else { "/create" };
                bench.cut(write, 1, fault.clone());
                let answer = bench.create("res.partner", json!({"name": name, "country_id": {"code": "BE"}})).await;
                assert_eq!(record(&answer)["name"], name.as_str(), "{answer:?}");
                assert_eq!((bench.count(&name).await, bench.sent(write)), (json!(1), 1), "{odoo:?}");
            }
        }
        let line = bench.gateway.log().pop().unwrap();
        assert_eq!((&line["state"], &line["error"]), (&json!("done"), &Value::Null), "{line}");
    }
}
