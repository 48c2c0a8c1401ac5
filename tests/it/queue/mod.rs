//! Queued calls: workers deliver them to a real Odoo, in order, over outages, and clients are told.

mod callbacks;
mod deliver;
mod faults;
mod outage;
mod pauses;
mod status;

use std::{fs, time::Duration};

use jiff::Timestamp;
use odoo_gateway::store::{Clock, NewCall, Place, Spans, State, Store, StoredCall};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{
    gateway::{Gateway, configuration, new_client},
    odoo::Odoo,
    poll_for,
};

const SPANS: Spans = Spans {
    lease: Duration::from_secs(30),
    keep: Duration::from_secs(7 * 86_400),
    callback: Duration::from_secs(86_400),
};

/// A gateway with the client `shop`, whose queue is filled beside it, and what it is filled with.
struct Shop {
    gateway: Option<Gateway>,
    /// The key of the client.
    key: String,
    store: Store,
    run: String,
}

/// The configuration of a gateway before `url` with the client `shop`, which acts as the run's user; and the client's key.
fn with_shop(odoo: &Odoo, url: &str, sections: &str, client: &str) -> (String, String) {
    let (key, entry) = new_client("shop");
    let more = format!(
        "{sections}\n{entry}odoo_login = \"{}\"\nodoo_key_file = \"shop.key\"\nmax_records = {{}}\n{client}\n",
        odoo.login
    );
    (configuration(url, &odoo.database, &more), key)
}

fn folder_with(config: &str, secret: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.toml"), config).unwrap();
    fs::write(folder.path().join("shop.key"), secret).unwrap();
    folder
}

impl Shop {
    async fn before(odoo: &Odoo, url: &str, sections: &str, client: &str) -> Self {
        let (config, key) = with_shop(odoo, url, sections, client);
        let gateway = Gateway::again(folder_with(&config, &odoo.key)).unwrap();
        Self::with(gateway, key).await
    }

    async fn with(gateway: Gateway, key: String) -> Self {
        let folder = gateway.config_file().with_file_name("delivery");
        let store = Store::beside_gateway(&folder, SPANS).await.unwrap();
        let run = format!("queue {}", Uuid::new_v4().simple());
        Self { gateway: Some(gateway), key, store, run }
    }

    fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().unwrap()
    }

    /// Has a record of this model made by and by, with a name of this run.
    async fn queue(&self, lane: &str, model: &str, name: &str) -> Uuid {
        let call = create(lane, model, &format!("{} {name}", self.run));
        let id = call.id;
        self.store.accept(call, false).await.unwrap();
        id
    }

    async fn find(&self, id: Uuid) -> StoredCall {
        self.store.find(id).await.unwrap().unwrap()
    }

    async fn state(&self, id: Uuid) -> State {
        self.find(id).await.state
    }

    async fn until(&self, id: Uuid, state: State) {
        poll_for(async || self.state(id).await == state).await;
    }

    /// Waits until none is queued; gives the states.
    async fn until_closed(&self, ids: &[Uuid]) -> Vec<State> {
        let mut states = Vec::new();
        for id in ids {
            poll_for(async || self.state(*id).await.is_closed()).await;
            states.push(self.state(*id).await);
        }
        states
    }

    /// The names of this run's records of a model, in the order in which they were made, without the run.
    async fn made(&self, odoo: &Odoo, model: &str) -> Vec<String> {
        let domain = json!([[["name", "like", self.run]], ["name"]]);
        let found = odoo.call(model, "search_read", domain, json!({"order": "id"})).await.unwrap();
        let name = |record: &Value| record["name"].as_str().unwrap()[self.run.len() + 1..].to_owned();
        found.as_array().unwrap().iter().map(name).collect()
    }

    async fn metric(&self, series: &str) -> f64 {
        self.gateway().metrics().await.get(series).copied().unwrap_or_default()
    }
}

/// A call as a gateway stores it.
fn create(lane: &str, model: &str, name: &str) -> NewCall {
    let request = json!({
        "version": 1, "route": "create_data", "client": "shop", "model": model,
        "vals": {"payload": {"name": name}}, "address": "127.0.0.1", "size": 2,
    });
    NewCall {
        id: Uuid::now_v7(),
        caller: "client shop".to_owned(),
        client: Some("shop".to_owned()),
        key: None,
        digest: [1; 32],
        route: "create_data".to_owned(),
        model: model.to_owned(),
        request: request.to_string().into_bytes(),
        place: Place::Lane(lane.to_owned()),
        keep: None,
        delivery: None,
    }
}

/// A clock that is an hour behind, so that what it says of leases is over for a gateway that starts.
fn an_hour_ago() -> Clock {
    Clock::virtual_at(Timestamp::now().as_millisecond() - 3_600_000)
}
