//! Senders of webhooks as they are: each preset delivered to as its sender would, and the senders that are served by
//! configuration alone. docs/hooks.md has the table of what is shown here.
//!
//! A preset comes from the program (`hook new`), as its users get it. A delivery is signed and repeated as the sender does it:
//! a second attempt has a new time and signature where the sender makes new ones.

mod by_configuration;
mod forms;
mod issues;
mod messages;
mod new;
mod orders;
mod payments;
mod signing;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use self::signing::signed;
use crate::support::{
    client::http,
    gateway::{Gateway, configuration, run_in},
    odoo::{Odoo, odoo},
};

/// A gateway with a hook for a sender.
struct Sender {
    name: &'static str,
    gateway: Gateway,
    odoo: &'static Odoo,
    /// Where it sends to.
    path: String,
    /// What it signs with.
    secret: String,
    /// A body as it is published.
    body: String,
}

/// An answer as a sender sees it.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Sender {
    /// With the preset as it is.
    async fn of(name: &'static str) -> Self {
        Self::changed(name, |text| text).await
    }

    /// With a change to the configuration, such as what stands for the sender's own server.
    async fn changed(name: &'static str, change: impl FnOnce(String) -> String) -> Self {
        let odoo = odoo().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, configuration(&odoo.url, &odoo.database, "")).unwrap();
        let (status, _, said) = run_in(folder.path(), &["hook", "new", name, "--login", &odoo.login]);
        assert_eq!(status, Some(0), "{name}: {said}");
        std::fs::write(&file, change(std::fs::read_to_string(&file).unwrap())).unwrap();
        std::fs::write(folder.path().join("xero.token"), TOKEN).unwrap();
        Self::before(name, odoo, folder).await
    }

    /// With a configuration and a template of its own: a client named `sender`, and a hook at `/hooks/sender`.
    async fn configured(name: &'static str, signature: &str, client: &str, hook: &str, template: &str) -> Self {
        let odoo = odoo().await;
        let folder = tempfile::tempdir().unwrap();
        let client = format!(
            "[[client]]\nname = \"sender\"\nodoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n{client}\n{signature}",
            odoo.login
        );
        let hook = format!("[[hook]]\nclient = \"sender\"\ntemplate = \"sender.jq\"\n{hook}");
        let config = configuration(&odoo.url, &odoo.database, &format!("{client}\n{hook}"));
        std::fs::write(folder.path().join("gateway.toml"), config).unwrap();
        std::fs::write(folder.path().join("sender.jq"), template).unwrap();
        Self::before(name, odoo, folder).await
    }

    async fn before(name: &'static str, odoo: &'static Odoo, folder: TempDir) -> Self {
        let config: toml::Table = std::fs::read_to_string(folder.path().join("gateway.toml")).unwrap().parse().unwrap();
        let secret = signing::secret(name);
        let path = config["hook"][0]["path"].as_str().unwrap().replace("{token}", &secret);
        let upper = name.to_ascii_uppercase();
        let own = [(format!("{upper}_SECRET"), secret.clone()), (format!("{upper}_ODOO_KEY"), odoo.key.clone())];
        let shared = [("SECRET", &*secret), ("ODOO_KEY", &odoo.key), ("MOLLIE_API_KEY", TOKEN)];
        let variables: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, &**value)).chain(shared).collect();
        let body = ["json", "txt"].iter().find_map(|ending| read(folder.path(), &format!("{name}.{ending}")));
        let gateway = Gateway::again_with(folder, &variables)
            .unwrap_or_else(|said| panic!("the gateway with `{name}` did not start: {said}"));
        Self { name, gateway, odoo, path, secret, body: body.unwrap_or_default() }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Where the sender believes to send to.
    fn url(&self) -> String {
        format!("{}{}", self.gateway.url, self.path)
    }

    /// Delivers a body as the sender does, with these headers besides, signed at `time`.
    async fn deliver_at(&self, time: i64, headers: &[(&str, &str)], body: &str) -> Answer {
        self.deliver_with(&self.secret, time, headers, body).await
    }

    async fn deliver(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        self.deliver_at(now(), headers, body).await
    }

    async fn deliver_with(&self, secret: &str, time: i64, headers: &[(&str, &str)], body: &str) -> Answer {
        let own = signed(self.name, secret, &self.url(), time, body);
        let all = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).chain(own);
        let all: Vec<(&str, String)> = all.collect();
        let pairs: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, &**value)).collect();
        self.send("POST", &self.path, &pairs, Some(body)).await
    }

    /// Sends a request as it is.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.timeout(Duration::from_secs(60)).build().unwrap();
        drop(http());
        let request = client.request(method.parse().unwrap(), format!("{}{path}", self.gateway.url)).headers(map);
        let request = match body {
            Some(body) => request.body(body.to_owned()),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.unwrap() }
    }

    /// Waits until the gateway has nothing more to do for what was delivered. What it has refused for good fails the test.
    async fn settled(&self) {
        let dead = self.ended().await;
        assert!(dead.is_empty(), "{}: {dead:?}", self.name);
    }

    /// The same, and what it has refused for good: error and message of each.
    async fn ended(&self) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let calls = self.gateway.run_json(&["queue", "ls", "--json"]);
            let is_open = |call: &&Value| matches!(call["state"].as_str(), Some("queued" | "running"));
            let Some(open) = calls.iter().find(is_open) else {
                let is_dead = |call: &Value| matches!(call["state"].as_str(), Some("dead" | "in_doubt"));
                let told = |call: Value| {
                    let shown = self.gateway.run_json(&["queue", "show", call["id"].as_str().unwrap(), "--json"]);
                    json!({"error": call["error"], "outcome": shown[0]["outcome"]})
                };
                return calls.into_iter().filter(is_dead).map(told).collect();
            };
            assert!(Instant::now() < deadline, "{} does not end: {open}", self.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Delivers it, sees that the sender takes the answer for a success, and waits for its end.
    async fn takes(&self, time: i64, headers: &[(&str, &str)], body: &str) -> Answer {
        let answer = self.deliver_at(time, headers, body).await;
        assert!((200..300).contains(&answer.status), "{}: {answer:?}", self.name);
        self.settled().await;
        answer
    }

    /// Sees that nobody else can deliver it: with another secret, and with a signature of another body.
    async fn refuses_others(&self, headers: &[(&str, &str)], body: &str) {
        let answer = self.deliver_with(&signing::other(&self.secret), now(), headers, body).await;
        assert_eq!(answer.status, 401, "{}: {answer:?}", self.name);
        let answer = self.send("POST", &self.path.replace(&self.secret, "wrong"), headers, Some(body)).await;
        assert_eq!(answer.status, 401, "{}, unsigned: {answer:?}", self.name);
    }

    async fn rows(&self, model: &str, domain: Value, fields: Value) -> Vec<Value> {
        let fields = json!({"fields": fields, "order": "id"});
        self.odoo.call(model, "search_read", json!([domain]), fields).await.unwrap().as_array().unwrap().clone()
    }

    /// The one lead that came from there.
    async fn lead(&self, referred: &str) -> Value {
        let fields = json!(["name", "contact_name", "email_from", "phone", "description", "partner_name"]);
        let leads = self.rows("crm.lead", json!([["referred", "=", referred]]), fields).await;
        let [lead] = &leads[..] else { panic!("{}: not one lead of {referred}: {leads:?}", self.name) };
        lead.clone()
    }

    /// The names and contents of the files of a lead.
    async fn files(&self, lead: &Value) -> Vec<(String, String)> {
        let of_it = json!([["res_model", "=", "crm.lead"], ["res_id", "=", lead["id"]]]);
        let rows = self.rows("ir.attachment", of_it, json!(["name", "datas"])).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        rows.iter().map(|row| (text(&row["name"]), text(&row["datas"]))).collect()
    }

    /// The states of what was delivered, by the log.
    fn states(&self) -> Vec<String> {
        let calls = self.gateway.run_json(&["log", "ls", "--json"]);
        calls.iter().map(|call| call["state"].as_str().unwrap().to_owned()).collect()
    }
}

fn read(folder: &Path, file: &str) -> Option<String> {
    std::fs::read_to_string(folder.join(file)).ok()
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

/// With what the gateway shows who it is where it fetches.
const TOKEN: &str = "the-token-of-an-api";

/// A server of a sender, which the gateway fetches from: it answers by path and query, where the request has the token.
struct Api {
    url: String,
}

impl Api {
    async fn start(header: &'static str, answers: &[(&str, Value)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: BTreeMap<String, String> =
            answers.iter().map(|(path, body)| ((*path).to_owned(), body.to_string())).collect();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    request.push(byte);
                }
                let request = String::from_utf8(request).unwrap();
                let is_known = request.lines().any(|line| line.eq_ignore_ascii_case(&format!("{header}{TOKEN}")));
                let path = request.split(' ').nth(1).unwrap_or_default();
                let (status, body) = match answers.get(path) {
                    _ if !is_known => ("401 Unauthorized", "{}"),
                    None => ("404 Not Found", "{}"),
                    Some(body) => ("200 OK", &**body),
                };
                let answer = format!(
                    "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url }
    }

    /// The configuration with this server in the place of the sender's own.
    fn instead_of(&self, own: &str, config: &str) -> String {
        let config = config.replace(own, &self.url);
        config.replace("\nallow = [", "\nallow_private = [\"127.0.0.1/32\"]\nallow = [")
    }
}
