//! Hooks and signed requests: what a sender can rely on, and what nobody else can do in its name.

mod answers;
mod bench;
mod bodies;
mod deliveries;
mod fetched;
mod order;
mod outage;
mod places;
mod refusals;
mod several;
mod shop;
mod signatures;
mod stored;
mod tried;

use std::io::Write;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client},
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo},
};

const SECRET: &str = "the secret of now";
const OLD_SECRET: &str = "the secret of before";
/// Makes a contact of `{"name": …}`.
const CONTACT: &str = "{payload: {name}}";

/// A gateway with clients that may make contacts, and a hook for each: `/hooks/signed` takes what is signed as by GitHub,
/// with either of two secrets; `/hooks/timed` what is signed by Standard Webhooks, with a time and an id; `/hooks/keyed` and
/// `/hooks/other` want keys.
struct Contacts {
    gateway: Gateway,
    key: String,
    other_key: String,
    /// There for as long as the gateway looks whether it changes.
    template: NamedTempFile,
}

impl Contacts {
    async fn start() -> Self {
        Self::with_template(CONTACT).await
    }

    async fn with_template(code: &str) -> Self {
        let odoo = odoo().await;
        Self::before(&odoo.url, odoo, code)
    }

    /// Before what is at `url`. Nothing is tried twice, so that each fault is told.
    fn before(url: &str, odoo: &Odoo, code: &str) -> Self {
        let mut template = NamedTempFile::new().unwrap();
        template.write_all(code.as_bytes()).unwrap();
        let (key, keyed) = new_client("keyed");
        let (other_key, other) = new_client("other");
        let github =
            "[client.signature]\nscheme = \"github\"\nsecret_env = \"SECRET\"\nold_secret_env = \"OLD_SECRET\"\n";
        let standard = "[client.signature]\nscheme = \"standard-webhooks\"\nsecret_env = \"WHSEC\"\n";
        let mut more = "retries = 0\n".to_owned();
        for (name, entry, signature) in [
            ("signed", "[[client]]\nname = \"signed\"\n", github),
            ("timed", "[[client]]\nname = \"timed\"\n", standard),
            ("keyed", &keyed, ""),
            ("other", &other, ""),
        ] {
            more += &format!(
                "{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\nroutes = [\"create_data\"]\n\
                 models = {{ allow = [\"res.partner\"] }}\n{signature}\
                 [[hook]]\npath = \"/hooks/{name}\"\nclient = \"{name}\"\nroute = \"create_data\"\n\
                 model = \"res.partner\"\ntemplate = \"{}\"\naccept = \"answer\"\n",
                odoo.login,
                template.path().display()
            );
        }
        let whsec = format!("whsec_{}", STANDARD.encode(SECRET));
        let variables = [("SECRET", SECRET), ("OLD_SECRET", OLD_SECRET), ("WHSEC", &whsec), ("ODOO_KEY", &odoo.key)];
        let gateway = Gateway::before_with(url, &odoo.database, &more, &variables);
        Self { gateway, key, other_key, template }
    }

    /// Kills the gateway, and starts it again with what it left.
    async fn after_kill(self) -> Self {
        let odoo = odoo().await;
        let Self { gateway, key, other_key, template } = self;
        let whsec = format!("whsec_{}", STANDARD.encode(SECRET));
        let variables = [("SECRET", SECRET), ("OLD_SECRET", OLD_SECRET), ("WHSEC", &whsec), ("ODOO_KEY", &odoo.key)];
        let gateway = Gateway::again_with(gateway.kill(), &variables).unwrap();
        Self { gateway, key, other_key, template }
    }

    async fn deliver(&self, hook: &str, headers: HeaderMap, body: &str) -> Answer {
        deliver(&self.gateway, &format!("/hooks/{hook}"), headers, body).await
    }

    /// The body, signed with the secret of now.
    async fn deliver_signed(&self, body: &str) -> (u16, String) {
        outcome(&self.deliver("signed", by_github(SECRET, body), body).await)
    }
}

async fn deliver(gateway: &Gateway, path: &str, headers: HeaderMap, body: &str) -> Answer {
    Client::nobody(gateway).send("POST", path, headers, Some(body.to_owned())).await
}

/// Status, and `ok` or the code of the error.
fn outcome(answer: &Answer) -> (u16, String) {
    let error = &answer.json["error"]["data"]["code"];
    (answer.status, error.as_str().or(answer.json["result"]["error"]["code"].as_str()).unwrap_or("ok").to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// A body with a name that nobody has.
fn contact() -> (String, String) {
    let name = format!("hook {}", Uuid::new_v4());
    (json!({"name": name}).to_string(), name)
}

async fn contacts_named(name: &str) -> Value {
    odoo().await.search_count("res.partner", json!([["name", "=", name]])).await
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

fn mac(secret: &str, signed: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Several of one name stay several.
fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn by_github(secret: &str, body: &str) -> HeaderMap {
    headers(&[("X-Hub-Signature-256", &format!("sha256={}", hexadecimal(&mac(secret, body))))])
}

fn by_standard_webhooks(id: &str, time: i64, body: &str) -> HeaderMap {
    let signature = format!("v1,{}", STANDARD.encode(mac(SECRET, &format!("{id}.{time}.{body}"))));
    headers(&[("webhook-id", id), ("webhook-timestamp", &time.to_string()), ("webhook-signature", &signature)])
}
