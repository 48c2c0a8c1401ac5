//! A shop that sends events of its orders, and the gateway that it sends them to.

use std::{fs, path::PathBuf};

use http::HeaderMap;
use serde_json::{Value, json};
use sqlx::{Connection, Row};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client},
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo},
    poll_for,
};

/// The order of an event, with a line where it was just created.
pub(super) const ORDER: &str = r#"
{
  vals: {
    search_key: {client_order_ref: .ref},
    payload: ({
      client_order_ref: .ref, note: .note, partner_id: {name: .customer}
    } + if .sku then {order_line: [{product_id: {name: .sku}, product_uom_qty: 1, price_unit: 2}]} else {} end),
    auto_create: {partner_id: {name: .customer}} + if .sku then {product_id: {name: .sku}} else {} end
  }
}
"#;

/// A gateway with one hook, `/hooks/shop`, whose sender has a key.
pub(super) struct Shop {
    pub(super) gateway: Gateway,
    pub(super) client: Client,
    folder: TempDir,
    key: String,
}

impl Shop {
    /// `entry` is added to that of the hook, `first` stands before the client's.
    pub(super) async fn start(template: &str, entry: &str) -> Self {
        let odoo = odoo().await;
        Self::before(&odoo.url, odoo, "", template, entry)
    }

    pub(super) fn before(url: &str, odoo: &Odoo, first: &str, template: &str, entry: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.jq");
        fs::write(&file, template).unwrap();
        let (key, client) = new_client("shop");
        let more = format!(
            "retries = 0\n{first}\n{client}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n\
             methods = [\"sale.order.action_confirm\", \"sale.order.action_that_is_not_there\", \"res.partner.message_post\"]\n\
             safe_methods = [\"sale.order.action_confirm\"]\n\
             [[hook]]\npath = \"/hooks/shop\"\nclient = \"shop\"\nroute = \"create_update_data\"\nmodel = \"sale.order\"\n\
             template = \"{}\"\n{entry}\n",
            odoo.login,
            file.display()
        );
        let gateway = Gateway::before_with(url, &odoo.database, &more, &[("ODOO_KEY", &odoo.key)]);
        let client = Client::with_header(&gateway, "x-api-key", &key);
        Self { gateway, client, folder, key }
    }

    /// Kills the gateway, and starts it again with what it left.
    pub(super) fn killed_and_started_again(self, odoo_key: &str) -> Self {
        let Self { gateway, client, folder, key } = self;
        let gateway = Gateway::again_with(gateway.kill(), &[("ODOO_KEY", odoo_key)]).unwrap();
        drop(client);
        let client = Client::with_header(&gateway, "x-api-key", &key);
        Self { gateway, client, folder, key }
    }

    /// Has parked deliveries tried again, until all of them are done.
    pub(super) async fn retried(&self) {
        poll_for(async || {
            let (code, _, error) = self.gateway.run(&["queue", "retry", "--all", "--yes"]);
            assert_eq!(code, Some(0), "{error}");
            self.ended().await.iter().all(|state| state == "done")
        })
        .await;
    }

    pub(super) fn template(&self) -> PathBuf {
        self.folder.path().join("shop.jq")
    }

    pub(super) async fn send(&self, body: &Value) -> Answer {
        self.send_with(HeaderMap::new(), body).await
    }

    pub(super) async fn send_with(&self, headers: HeaderMap, body: &Value) -> Answer {
        self.client.send("POST", "/hooks/shop", headers, Some(body.to_string())).await
    }

    /// Columns of the deliveries in the store, in their order.
    pub(super) async fn stored(&self, columns: &str) -> Vec<Vec<String>> {
        sqlx::any::install_default_drivers();
        let file = self.gateway.log_folder().with_file_name("delivery").join("store.sqlite");
        let mut store = sqlx::AnyConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        let query = format!("SELECT {columns} FROM calls ORDER BY seq");
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut store).await.unwrap();
        let text = |row: &sqlx::any::AnyRow, at| row.try_get::<Option<String>, _>(at).unwrap().unwrap_or_default();
        rows.iter().map(|row| (0..columns.split(", ").count()).map(|at| text(row, at)).collect()).collect()
    }

    /// Waits until all deliveries in the store have ended, and gives their states.
    pub(super) async fn ended(&self) -> Vec<String> {
        let mut states = Vec::new();
        poll_for(async || {
            states = self.stored("state").await.concat();
            states.iter().all(|state| !matches!(&**state, "queued" | "running"))
        })
        .await;
        states
    }

    /// The last lines of the calls in the log.
    pub(super) fn ends(&self) -> Vec<Value> {
        self.gateway.lines().into_iter().filter(|line| line["event"] == "call.finished").collect()
    }
}

pub(super) fn unique(of: &str) -> String {
    format!("{of} {}", Uuid::new_v4())
}

pub(super) async fn orders(reference: &str) -> Value {
    let fields = json!({"fields": ["note", "state", "order_line", "partner_id"]});
    odoo()
        .await
        .call("sale.order", "search_read", json!([[["client_order_ref", "=", reference]]]), fields)
        .await
        .unwrap()
}
