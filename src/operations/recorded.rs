//! A log in a temporary folder, for the tests of the operations.

use std::{borrow::Cow, net::Ipv4Addr, sync::Arc, time::Instant};

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::calls::Calls;
use crate::{
    config::Config,
    log::{Arrived, Entry, Finished, Log, Passed, PassedEnd, Received, State, Who},
    route::Route,
};

pub(super) struct Recorded {
    pub(super) config: Arc<Config>,
    pub(super) log: Log,
    _folder: TempDir,
}

impl Recorded {
    /// A log with a gateway that writes it, which knows the client `webshop`.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let text = format!(
            "[upstream]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\n[log]\ndirectory = \"log\"\nmin_free = \"1 B\"\n\
             [[client]]\nname = \"webshop\"\nkey_sha256 = \"{}\"\nodoo_login = \"webshop\"\nodoo_password_env = \"NONE\"\n",
            "0".repeat(64)
        );
        std::fs::write(&file, text).unwrap();
        let config = Arc::new(Config::load(&file).unwrap());
        let log = Log::open(&config.log).unwrap();
        Self { config, log, _folder: folder }
    }

    /// The gateway ends; calls that have not ended are in doubt from here on.
    pub(super) async fn stop(&self) {
        self.log.close().await;
    }

    /// The gateway ends, and another one begins.
    pub(super) async fn restart(&mut self) {
        self.stop().await;
        self.log = Log::open(&self.config.log).unwrap();
    }

    pub(super) fn calls(&self) -> Calls {
        Calls::open(&self.config.log.directory).unwrap()
    }

    /// A call that has not ended, of the client or of a caller with their own credential.
    pub(super) async fn begin(&self, client: Option<&str>, vals: Value, replay_of: Option<Uuid>) -> (Uuid, Entry) {
        let id = Uuid::now_v7();
        let address = Ipv4Addr::LOCALHOST.into();
        let arrived = Arrived {
            id,
            route: Route::CreateData,
            hook: None,
            address,
            size: 2,
            replay_of,
            dry_run: vals["dry_run"] == true,
            by: None,
            attempt_of: None,
            attempt: None,
            step: None,
        };
        let who = Who { client: client.map(str::to_owned), caller: None };
        let vals: Map<String, Value> = vals.as_object().cloned().unwrap();
        let received = Received { model: "res.partner", vals: Cow::Owned(vals), sent: None, who };
        let mut entry = self.log.receive(arrived, received, Instant::now()).await.unwrap();
        entry.announced().await.unwrap();
        (id, entry)
    }

    /// A call of `webshop` that has ended.
    pub(super) async fn call(&self, state: State) -> Uuid {
        self.call_with(Some("webshop"), json!({"payload": {"name": "x"}}), None, state).await
    }

    pub(super) async fn call_with(
        &self,
        client: Option<&str>,
        vals: Value,
        replay_of: Option<Uuid>,
        state: State,
    ) -> Uuid {
        let (id, entry) = self.begin(client, vals, replay_of).await;
        end(entry, state).await;
        id
    }

    /// A call by the hook `shop`, or one step of such a delivery.
    pub(super) async fn delivered(&self, step_of: Option<(Uuid, u32)>, delivery_id: &str, state: State) -> Uuid {
        let id = Uuid::now_v7();
        let arrived = Arrived {
            id,
            route: Route::CreateData,
            hook: Some("shop".to_owned()),
            address: Ipv4Addr::LOCALHOST.into(),
            size: 2,
            replay_of: None,
            dry_run: false,
            by: None,
            attempt_of: step_of.map(|(delivery, _)| delivery),
            attempt: step_of.map(|_| 1),
            step: step_of.map(|(_, step)| step),
        };
        let who = Who { client: Some("webshop".to_owned()), caller: None };
        let sent = Some(json!({"method": "POST", "path": "/hooks/shop", "headers": {}, "body": {"id": delivery_id}}));
        let received = Received { model: "res.partner", vals: Cow::Owned(Map::new()), sent, who };
        let mut entry = self.log.receive(arrived, received, Instant::now()).await.unwrap();
        entry.delivery_id(delivery_id);
        end(entry, state).await;
        id
    }

    /// A request that was passed on.
    pub(super) async fn pass(&self) -> Uuid {
        let (id, address) = (Uuid::now_v7(), Ipv4Addr::LOCALHOST.into());
        let passed = Passed { id, method: "GET".to_owned(), path: "/web".to_owned(), address, size: 0 };
        let received = self.log.receive_passed(&passed).await.unwrap();
        let (status, took) = (200, std::time::Duration::from_millis(1));
        let end = PassedEnd { is_refused: false, state: State::Done, status, error: None, answer_size: 0, took };
        self.log.finish_passed(&passed, Some(received), end).await.unwrap();
        id
    }
}

pub(super) async fn end(entry: Entry, state: State) {
    let error = matches!(state, State::Failed | State::InDoubt).then_some("odoo_error");
    let result = json!({"is_success": state == State::Done});
    let message = "as it went".to_owned();
    entry
        .finish(Finished { state, result, error, message, warnings: 0, detail: None, odoo: Vec::new() })
        .await
        .unwrap();
}
