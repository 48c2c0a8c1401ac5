//! A gateway in the middle of its work: clients, hooks, calls that succeeded and failed, a queue with dead calls.

use std::fs;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client},
    console::console_user,
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo},
    poll_for,
};

/// Makes a contact of a customer; what is archived is ignored, and what has no e-mail fails.
pub(super) const TEMPLATE: &str = r#"if .archived then ignore("archived customers stay as they are") else . end
| {
    payload: {
      name,
      email: (.email // error("the customer has no e-mail")),
      country_id: {code: .country}
    }
  }
"#;

/// The gateway and who calls it. Names of this run are told apart by `run`.
pub(super) struct Lively {
    pub(super) gateway: Gateway,
    /// Signs in as an operator, and as a reader.
    pub(super) operator: String,
    pub(super) reader: String,
    pub(super) webshop: Client,
    pub(super) erp: Client,
    pub(super) crm: Client,
    pub(super) run: String,
    folder: TempDir,
}

impl Lively {
    pub(super) async fn start() -> Self {
        let odoo = odoo().await;
        Self::before(&odoo.url, odoo)
    }

    /// Before what is at `url`.
    pub(super) fn before(url: &str, odoo: &Odoo) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("crm.jq");
        fs::write(&template, TEMPLATE).unwrap();
        let (operator, users) = console_user("anna", "operator");
        let (reader, reading) = console_user("rolf", "read");
        let (webshop, webshop_entry) = new_client("webshop");
        let (erp, erp_entry) = new_client("warehouse");
        let (crm, crm_entry) = new_client("crm");
        let soon = Timestamp::now() + SignedDuration::from_hours(5 * 24 - 1);
        let account = format!("odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n", odoo.login);
        let more = format!(
            "retries = 0\n{users}{reading}\
             {webshop_entry}{account}requests_per_second = 500\nin_flight = 40\n\
             routes = [\"create_data\", \"create_update_data\", \"search_data\"]\n\
             models = {{ allow = [\"res.partner\", \"res.country\", \"sale.*\", \"product.*\"] }}\nnever_read = [\"res.partner.vat\"]\n\
             [client.idempotency]\npath = \"vals.payload.ref\"\n\
             {erp_entry}{account}expires = \"{soon}\"\ndelivery = \"async\"\nmax_records = {{ write = 50 }}\n\
             {crm_entry}{account}\
             [[hook]]\npath = \"/hooks/crm\"\nclient = \"crm\"\nroute = \"create_data\"\nmodel = \"res.partner\"\n\
             template = \"{}\"\ndelivery_id = '$headers[\"x-event-id\"]'\ncapture = \"1h\"\n",
            template.display()
        );
        let gateway = Gateway::before_with(url, &odoo.database, &more, &[("ODOO_KEY", &odoo.key)]);
        let client = |key: &str| Client::with_header(&gateway, "x-api-key", key);
        let (webshop, erp, crm) = (client(&webshop), client(&erp), client(&crm));
        let run = Uuid::new_v4().simple().to_string()[..8].to_owned();
        Self { gateway, operator, reader, webshop, erp, crm, run, folder }
    }

    pub(super) fn template(&self) -> std::path::PathBuf {
        self.folder.path().join("crm.jq")
    }

    /// A customer whose name has this in it.
    pub(super) fn name(&self, of: &str) -> String {
        format!("{of} {}", self.run)
    }

    /// Delivers an event to the hook.
    pub(super) async fn deliver(&self, event: &str, body: &Value) -> Answer {
        let event = HeaderValue::from_str(&format!("{event}-{}", self.run)).unwrap();
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-event-id"), event)]);
        self.crm.send("POST", "/hooks/crm", headers, Some(body.to_string())).await
    }

    /// Waits until the log has so many ends of deliveries to the hook.
    pub(super) async fn delivered(&self, number: usize) {
        poll_for(async || {
            self.gateway.log().iter().filter(|line| line["hook"] == "crm" && line["state"] != "queued").count()
                >= number
        })
        .await;
    }
}
