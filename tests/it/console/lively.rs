//! A gateway in the middle of its work: clients, hooks, calls that succeeded and failed, a queue with dead calls.

use std::{fs, path::Path};

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{
    browser::Browser,
    client::{Answer, Client},
    console::console_user,
    fault::{Fault, FaultProxy},
    gateway::{CHANGED, Gateway, SETTLES_AT_ONCE, new_client},
    odoo::odoo,
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
    /// Of the template.
    _folder: TempDir,
    proxy: FaultProxy,
}

impl Lively {
    pub(super) async fn start() -> Self {
        let odoo = odoo().await;
        let proxy = FaultProxy::before(odoo).await;
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
            "retries = 0\nbatch = false\n{SETTLES_AT_ONCE}\n{users}{reading}\
             {webshop_entry}{account}requests_per_second = 500\nin_flight = 200\n\
             routes = [\"create_data\", \"create_update_data\", \"search_data\"]\n\
             models = {{ allow = [\"res.partner\", \"res.country\", \"sale.*\", \"product.*\"] }}\nnever_read = [\"res.partner.vat\"]\n\
             [client.idempotency]\npath = \"vals.payload.ref\"\n\
             {erp_entry}{account}expires = \"{soon}\"\ndelivery = \"async\"\nmax_records = {{ write = 50 }}\n\
             {crm_entry}{account}\
             [[hook]]\npath = \"/hooks/crm\"\nclient = \"crm\"\nroute = \"create_data\"\nmodel = \"res.partner\"\n\
             template = \"{}\"\ndelivery_id = '$headers[\"x-event-id\"]'\ncapture = \"1h\"\n",
            template.display()
        );
        let gateway = Gateway::before_with(&proxy.url, &odoo.database, &more, &[("ODOO_KEY", &odoo.key)]);
        let client = |key: &str| Client::with_header(&gateway, "x-api-key", key);
        let (webshop, erp, crm) = (client(&webshop), client(&erp), client(&crm));
        let run = Uuid::new_v4().simple().to_string()[..8].to_owned();
        Self { gateway, operator, reader, webshop, erp, crm, run, _folder: folder, proxy }
    }

    /// The gateway stops, something is done with its log, and it starts again.
    pub(super) async fn after(mut self, work: impl FnOnce(&Path)) -> Self {
        let folder = self.gateway.stop();
        work(&folder.path().join("log"));
        self.gateway = Gateway::again_with(folder, &[("ODOO_KEY", &odoo().await.key)]).unwrap();
        for client in [&mut self.webshop, &mut self.erp, &mut self.crm] {
            *client = Client::with_header(&self.gateway, "x-api-key", client.credential());
        }
        self
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

    /// Calls as they come within an hour: created and updated records, mistakes of callers, deliveries that are ignored or
    /// fail, queued calls of which one is dead.
    pub(super) async fn live(&self) {
        let customer = |number: usize| {
            let name = self.name(&format!("Customer {number}"));
            json!({"ref": format!("{}-{number}", self.run), "name": name, "country_id": {"code": "BE"}})
        };
        for number in 0..6 {
            let vals = json!({"payload": customer(number), "search_key": {"ref": format!("{}-{number}", self.run)}});
            self.webshop.call("create_update_data", "res.partner", vals).await;
        }
        let wrong = [
            json!({"name": self.name("Wrong"), "country_id": {"code": "ZZ"}}),
            json!({"name": self.name("Wrong"), "country_id": {"code": "ZZ"}, "nam": 1}),
            json!({"name": self.name("Wrong"), "color": "blue"}),
        ];
        for payload in wrong {
            self.webshop.call("create_data", "res.partner", json!({"payload": payload})).await;
        }
        self.webshop.call("create_data", "account.move", json!({"payload": {"ref": "x"}})).await;
        self.webshop
            .call(
                "search_data",
                "res.partner",
                json!({"payload": {"search_domain": [["ref", "=", self.run]], "search_field": ["name"]}}),
            )
            .await;
        for number in 0..3 {
            let vals = json!({"payload": {"name": self.name(&format!("Supplier {number}")), "is_company": true}});
            self.queue("create_data", "res.partner", &vals).await;
        }
        let dead = json!({"payload": {"name": self.name("Dead"), "country_id": {"code": "QQ"}}});
        self.queue("create_data", "res.partner", &dead).await;
        let event = |name: &str| json!({"name": self.name(name), "email": "crm@example.com", "country": "BE"});
        self.deliver("evt-1", &event("Lead 1")).await;
        self.deliver("evt-2", &event("Lead 2")).await;
        self.deliver("evt-3", &json!({"archived": true})).await;
        self.deliver("evt-4", &json!({"name": self.name("Lead 4"), "country": "BE"})).await;
        self.delivered(4).await;
        self.dead(2).await;
        self.doubt().await;
    }

    /// A call of which Odoo's answer was lost.
    pub(super) async fn doubt(&self) {
        self.proxy.run(|_, rpc| if rpc.contains("/create") { Fault::ResetAfter } else { Fault::Pass });
        let vals = json!({"payload": {"name": self.name("In doubt"), "website": CHANGED}});
        let lost = self
            .webshop
            .post("create_data", json!({"params": {"model": "res.partner", "vals": vals}}).to_string())
            .await;
        assert_eq!(lost.json["error"]["data"]["retry"], "unsafe", "{lost:?}");
        self.proxy.run(|_, _| Fault::Pass);
    }

    /// A call that is accepted and made later.
    pub(super) async fn queue(&self, route: &str, model: &str, vals: &Value) -> String {
        let answer = self.erp.post(route, json!({"params": {"model": model, "vals": vals}}).to_string()).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json["result"]["result"]["call"].as_str().unwrap().to_owned()
    }

    /// Waits until so many queued calls are dead.
    pub(super) async fn dead(&self, number: u64) {
        poll_for(async || {
            let (_, queue) = self.gateway.get_admin("/queue").await;
            let clients = queue["clients"].as_array().cloned().unwrap_or_default();
            clients.iter().filter_map(|client| client["dead"].as_u64()).sum::<u64>() >= number
        })
        .await;
    }

    /// The id of the latest call that ended with this code.
    pub(super) fn failed(&self, code: &str) -> String {
        let log = self.gateway.log();
        let line = log.iter().rev().find(|line| line["error"] == code);
        let line = line.unwrap_or_else(|| panic!("no call ended with {code}: {log:?}"));
        line["id"].as_str().unwrap().to_owned()
    }

    /// The id of the first call of a client that ended with this code.
    pub(super) fn failed_of(&self, client: &str, code: &str) -> String {
        let log = self.gateway.log();
        let line = log.iter().find(|line| line["error"] == code && line["client"] == client).unwrap();
        line["id"].as_str().unwrap().to_owned()
    }

    /// The paths of the pages of a console that has calls.
    pub(super) async fn pages(&self) -> Vec<String> {
        let failed = self.failed("no_match");
        let doubt = self.failed("outcome_unknown");
        let done = self.gateway.log().iter().find(|line| line["state"] == "done").unwrap()["id"].clone();
        let done = done.as_str().unwrap().to_owned();
        let paths = [
            "/",
            "/?window=24h",
            "/calls",
            "/calls?state=failed",
            "/calls?model=no.such",
            "/calls?since=nonsense",
            "/again?state=failed",
            "/queue",
            "/queue?state=dead",
            "/clients",
            "/clients/webshop",
            "/clients/",
            "/hooks",
            "/hooks/crm",
            "/docs",
            "/docs?model=res.partner&client=webshop",
            "/no-such-page",
        ];
        let of_calls = [
            format!("/calls/{failed}"),
            format!("/calls/{failed}/again"),
            format!("/calls/{doubt}"),
            format!("/calls/{doubt}/settle"),
            format!("/calls/{done}"),
            format!("/calls/{done}/again"),
        ];
        paths.map(str::to_owned).into_iter().chain(of_calls).collect()
    }

    /// Signs in as somebody with this token.
    pub(super) async fn sign_in(&self, browser: &Browser, token: &str) {
        browser.open(&format!("{}/signin", self.gateway.admin)).await;
        browser.type_into("#token", token).await;
        browser.click("main button.primary").await;
        browser.see("form.person").await;
    }
}
