//! A client is told how its calls ended, by a receiver that misbehaves.

use std::{
    collections::HashMap,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use odoo_gateway::store::State;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Shop, folder_with, with_shop};
use crate::support::{
    gateway::Gateway,
    odoo::{Odoo, odoo},
    poll, poll_for,
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PARTNER: &str = "res.partner";
const TAG: &str = "res.partner.category";

/// What one request to the receiver was.
#[derive(Debug, Clone)]
struct Request {
    headers: HashMap<String, String>,
    body: String,
}

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Status(u16),
    RedirectTo(&'static str),
    Close,
    Hang,
}

/// A receiver that answers each request as its script says, and then 200.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<Request>>>,
    elsewhere: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start(script: &'static [Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/told", listener.local_addr().unwrap());
        let (got, elsewhere) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::<AtomicUsize>::default());
        let (noted, strayed) = (got.clone(), elsewhere.clone());
        tokio::spawn(async move {
            let mut script = script.iter();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                let request = loop {
                    if stream.read_buf(&mut bytes).await.unwrap() == 0 {
                        break None;
                    }
                    if let Some(request) = parsed(&bytes) {
                        break Some(request);
                    }
                };
                let Some(request) = request else { continue };
                if !bytes.starts_with(b"POST /told ") {
                    strayed.fetch_add(1, Relaxed);
                }
                noted.lock().unwrap().push(request);
                let head = match script.next().unwrap_or(&Answer::Status(200)) {
                    Answer::Status(status) => format!("{status} Told"),
                    Answer::RedirectTo(url) => format!("307 Elsewhere\r\nLocation: {url}"),
                    Answer::Close => continue,
                    Answer::Hang => {
                        // Dropped at the end of the test.
                        tokio::spawn(async move {
                            let _ = stream.read_u8().await;
                        });
                        continue;
                    }
                };
                let answer = format!("HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, got, elsewhere }
    }

    fn got(&self) -> Vec<Request> {
        self.got.lock().unwrap().clone()
    }
}

/// A whole request.
fn parsed(bytes: &[u8]) -> Option<Request> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: HashMap<String, String> =
        headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    (body.len() >= headers.get("content-length")?.parse().ok()?).then(|| Request { headers, body: body.to_owned() })
}

impl Request {
    /// What it tells, if the gateway has signed it.
    fn verified(&self) -> Value {
        let [id, time, signature] =
            ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| self.headers[name].as_str());
        let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
        let signed = format!("{id}.{time}.{}", self.body);
        let mac = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes(), &mac).unwrap();
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn shop(odoo: &Odoo, receiver: &Receiver, delivery: &str) -> Shop {
    let client = format!(
        "callback_url = \"{}\"\ncallback_secret_file = \"callback.key\"\nnever_write = [\"res.partner.category.*\"]",
        receiver.url
    );
    let (config, key) = with_shop(odoo, &odoo.url, &format!("[delivery]\n{delivery}"), &client);
    let folder = folder_with(&config, &odoo.key);
    fs::write(folder.path().join("callback.key"), SECRET).unwrap();
    Shop::with(Gateway::again(folder).unwrap(), key).await
}

#[tokio::test]
async fn a_client_is_told_how_its_calls_ended_until_it_takes_it() {
    let odoo = odoo().await;
    let script = &[Answer::Status(500), Answer::Close, Answer::RedirectTo("/elsewhere")];
    let receiver = Receiver::start(script).await;
    let shop = shop(odoo, &receiver, "allow_private = [\"127.0.0.0/8\"]").await;
    let done = shop.queue("a", PARTNER, "told").await;
    shop.until(done, State::Done).await;
    let series = |end: &str| format!("odoo_gateway_callbacks_total{{end=\"{end}\"}}");
    poll_for(async || shop.metric(&series("told")).await == 1.0).await;
    assert_eq!(shop.metric(&series("failed")).await, 3.0);
    let got = receiver.got();
    assert_eq!((got.len(), receiver.elsewhere.load(Relaxed)), (4, 0), "a redirect was followed");
    for request in &got {
        let told = request.verified();
        assert_eq!(request.headers["webhook-id"], done.to_string());
        assert_eq!((&told["type"], &told["data"]["state"]), (&"call.done".into(), &"done".into()), "{told}");
        assert_eq!(told["data"]["answer"]["result"]["is_success"], true, "{told}");
    }

    let dead = shop.queue("b", TAG, "refused").await;
    poll(|| receiver.got().len() == 5).await;
    let told = receiver.got()[4].verified();
    assert_eq!((&told["type"], &told["data"]["call"]), (&"call.dead".into(), &dead.to_string().into()));
    assert_eq!(told["data"]["answer"]["result"]["error"]["code"], "field_not_writable", "{told}");
}

#[tokio::test]
async fn a_private_address_is_told_nothing_unless_the_operator_says_so() {
    let odoo = odoo().await;
    let receiver = Receiver::start(&[]).await;
    let shop = shop(odoo, &receiver, "").await;
    let id = shop.queue("a", PARTNER, "told").await;
    shop.until(id, State::Done).await;
    poll_for(async || shop.metric("odoo_gateway_callbacks_total{end=\"failed\"}").await >= 1.0).await;
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn a_receiver_that_hangs_keeps_no_call_from_being_delivered() {
    let odoo = odoo().await;
    let receiver = Receiver::start(&[Answer::Hang, Answer::Hang, Answer::Hang, Answer::Hang, Answer::Hang]).await;
    let shop = shop(odoo, &receiver, "allow_private = [\"127.0.0.0/8\"]").await;
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(shop.queue(&format!("lane {number}"), PARTNER, &number.to_string()).await);
    }
    assert!(shop.until_closed(&ids).await.iter().all(|state| *state == State::Done));
    // Those who hang have fifteen seconds; then the others are told, and they, too.
    poll_for(async || shop.metric("odoo_gateway_callbacks_total{end=\"failed\"}").await >= 1.0).await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_no_more() {
    let odoo = odoo().await;
    let receiver = Receiver::start(&[Answer::Status(410)]).await;
    let shop = shop(odoo, &receiver, "allow_private = [\"127.0.0.0/8\"]").await;
    let id = shop.queue("a", PARTNER, "told").await;
    shop.until(id, State::Done).await;
    poll_for(async || shop.metric("odoo_gateway_callbacks_total{end=\"gone\"}").await == 1.0).await;
    assert!(shop.store.claim_callback().await.unwrap().is_none());
}
