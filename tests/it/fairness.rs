//! Callers take turns at Odoo: many connections of one do not hold up another.

use std::sync::Arc;

use futures_util::future;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{
    client::{Client, outcome},
    fault::{Fault, FaultProxy},
    gateway::{Gateway, new_client},
    odoo::odoo,
    poll_for,
};

/// A search that no other one is equal to, of one record of a model.
fn search(model: &str, n: usize) -> String {
    let payload = json!({"limit": 1, "search_field": ["name"], "search_domain": [["id", "!=", 1_000_000 + n]]});
    json!({"model": model, "vals": {"payload": payload}}).to_string()
}

/// A gateway that gives Odoo one call at a time, and the first one of a crowd is held until all others wait.
struct Crowded {
    gateway: Gateway,
    proxy: FaultProxy,
}

impl Crowded {
    async fn before_odoo(more: &str, variables: &[(&str, &str)]) -> Self {
        let odoo = odoo().await;
        let proxy = FaultProxy::before(odoo).await;
        let more = format!("max_in_flight = 1\n{more}");
        Self { gateway: Gateway::before_with(&proxy.url, &odoo.database, &more, variables), proxy }
    }

    /// So many requests of a crowd, each by its number, and then one of another caller: in what order Odoo has them. RPCs of
    /// other models than these are left out.
    async fn order(
        &self,
        crowd: usize,
        of_crowd: impl AsyncFn(usize) -> String,
        other: impl Future<Output = String>,
        shown: [&str; 2],
    ) -> Vec<String> {
        let (reached, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
        self.proxy.run(move |number, _| if number == 0 { hold.clone() } else { Fault::Pass });
        let waiting = async |wanted: usize| {
            poll_for(async || self.gateway.metrics().await["odoo_gateway_odoo_waiting"] >= wanted as f64).await;
        };
        let all = async {
            let others = async {
                reached.notified().await;
                future::join_all((1..crowd).map(async |n| of_crowd(n).await)).await
            };
            let (first, mut others) = future::join(of_crowd(0), others).await;
            others.push(first);
            others
        };
        let other = async {
            waiting(crowd - 1).await;
            let meanwhile = async {
                waiting(crowd).await;
                release.notify_one();
            };
            future::join(other, meanwhile).await.0
        };
        let (outcomes, of_other) = future::join(all, other).await;
        assert!(outcomes.iter().chain([&of_other]).all(|outcome| outcome == "ok"), "{outcomes:?} {of_other}");
        self.proxy.seen().into_iter().filter(|rpc| shown.iter().any(|shown| rpc.starts_with(shown))).collect()
    }
}

#[tokio::test]
async fn many_connections_of_one_user_by_key_and_by_session_leave_every_second_turn_to_another() {
    let odoo = odoo().await;
    let crowded = Crowded::before_odoo("", &[]).await;
    let by_key = Client::with_header(&crowded.gateway, "x-api-key", &odoo.key);
    let by_session = Client::with_login(&crowded.gateway, &odoo.login, &odoo.password);
    let demo = Client::with_login(&crowded.gateway, "demo", "demo");
    // Who calls and what the models look like is known from here on; the second time at once, as logins take a while.
    for _ in 0..2 {
        for client in [&by_key, &by_session] {
            assert_eq!(outcome(&client.post("search_data", search("res.country", 0)).await), "ok");
        }
        assert_eq!(outcome(&demo.post("search_data", search("res.currency", 0)).await), "ok");
    }
    let of_crowd = async |n: usize| {
        let client = if n.is_multiple_of(2) { &by_key } else { &by_session };
        outcome(&client.post("search_data", search("res.country", n)).await)
    };
    let other = async { outcome(&demo.post("search_data", search("res.currency", 1)).await) };
    let order = crowded.order(12, of_crowd, other, ["res.country/search", "res.currency/search"]).await;
    assert_eq!(order.iter().position(|rpc| rpc.starts_with("res.currency")), Some(1), "{order:?}");
    assert_eq!(order.len(), 13);
}

#[tokio::test]
async fn clients_take_turns_also_where_they_act_as_the_same_user() {
    let odoo = odoo().await;
    let mut more = String::new();
    let keys = ["one", "other"].map(|name| {
        let (key, entry) = new_client(name);
        more += &format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n", odoo.login);
        key
    });
    let crowded = Crowded::before_odoo(&more, &[("ODOO_KEY", &odoo.key)]).await;
    let [one, other] = keys.map(|key| Client::with_header(&crowded.gateway, "x-api-key", &key));
    for (client, model) in [(&one, "res.country"), (&other, "res.currency")] {
        assert_eq!(outcome(&client.post("search_data", search(model, 0)).await), "ok");
    }
    let of_crowd = async |n: usize| outcome(&one.post("search_data", search("res.country", n)).await);
    let other = async { outcome(&other.post("search_data", search("res.currency", 1)).await) };
    let order = crowded.order(12, of_crowd, other, ["res.country/search", "res.currency/search"]).await;
    assert_eq!(order.iter().position(|rpc| rpc.starts_with("res.currency")), Some(1), "{order:?}");
}

#[tokio::test]
async fn strangers_whose_requests_are_passed_on_share_one_turn_however_many_sessions_they_name() {
    let odoo = odoo().await;
    let crowded = Crowded::before_odoo("", &[]).await;
    let known = Client::with_header(&crowded.gateway, "x-api-key", &odoo.key);
    assert_eq!(outcome(&known.post("search_data", search("res.country", 0)).await), "ok");
    let of_crowd = async |n: usize| {
        let stranger = Client::with_header(&crowded.gateway, "cookie", &format!("session_id={}{n:02}", "5".repeat(82)));
        let answer = stranger.send("POST", "/web/session/check", http::HeaderMap::new(), Some("{}")).await;
        // Odoo has had it, and knows no such session.
        assert_eq!(answer.json["error"]["code"], Value::from(100), "{answer:?}");
        "ok".to_owned()
    };
    let other = async { outcome(&known.post("search_data", search("res.country", 1)).await) };
    let order = crowded.order(12, of_crowd, other, ["web/session/check", "res.country/search"]).await;
    assert_eq!(order.iter().position(|rpc| rpc.starts_with("res.country")), Some(1), "{order:?}");
}
