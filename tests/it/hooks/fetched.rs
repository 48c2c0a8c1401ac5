//! What is fetched before a template, from a real HTTP server, for senders that send no more than an id.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use uuid::Uuid;

use super::{answers::Hooks, contacts_named};

/// A sender's own API: a payment by its id for who has the key. `busy` is not to be had the first time.
async fn api() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let count = Arc::<AtomicUsize>::default();
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            let number = counted.fetch_add(1, Relaxed);
            let path = request.split(' ').nth(1).unwrap_or_default();
            let name = path.strip_prefix("/v2/").unwrap_or_default().replace('_', " ");
            let (status, body) = match &*name {
                _ if !request.contains("authorization: bearer secret") => ("401 Unauthorized", String::new()),
                name if name.contains("gone") => ("404 Not Found", String::new()),
                name if name.contains("busy") && number == 0 => ("503 Service Unavailable", String::new()),
                name => ("200 OK", json!({ "customer": name }).to_string()),
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (at, count)
}

async fn hooks(at: &str, keys: &str) -> Hooks {
    let keys = format!(
        "{keys}\n[hook.fetch]\nurl = '''if .id then \"http://{at}/v2/\" + .id else null end'''\nallow = [\"http://{at}/v2/*\"]\n\
         allow_private = [\"127.0.0.1/32\"]\nprefix = \"Bearer secret \"\nsecret_env = \"ODOO_KEY\""
    );
    Hooks::start("{payload: {name: ($fetched.customer // .name)}}", &[("pay", &keys)]).await
}

fn unique(word: &str) -> (String, String) {
    let name = format!("{word} {}", Uuid::new_v4().simple());
    (format!("id={}", name.replace(' ', "_")), name)
}

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_form_with_an_id_alone_makes_the_record_of_what_the_sender_tells_of_it() {
    let (at, count) = api().await;
    let hooks = hooks(&at, "accept = \"answer\"").await;
    let (body, name) = unique("paid");
    let told = hooks.deliver("pay", FORM, &body).await;
    assert_eq!((told.status, contacts_named(&name).await), (200, json!(1)), "{}", told.text);
    let log = hooks.gateway.log_text();
    assert!(log.contains(&format!("\"customer\":\"{name}\"")), "what was fetched is logged: {log}");
    // Nothing is fetched where the expression gives null.
    let (_, name) = unique("plain");
    let told = hooks.deliver("pay", FORM, &format!("name={}", name.replace(' ', "+"))).await;
    assert_eq!((told.status, contacts_named(&name).await), (200, json!(1)), "{}", told.text);
    assert_eq!(count.load(Relaxed), 1);
}

#[tokio::test]
async fn what_cannot_be_fetched_is_told_and_what_passes_is_tried_again() {
    let (at, _) = api().await;
    let answering = hooks(&at, "accept = \"answer\"").await;
    let (busy, name) = unique("busy");
    let told = answering.deliver("pay", FORM, &busy).await;
    assert_eq!((told.status, &*told.code()), (502, "hook_fetch_failed"), "{}", told.text);
    let told = answering.deliver("pay", FORM, &busy).await;
    assert_eq!((told.status, contacts_named(&name).await), (200, json!(1)), "{}", told.text);
    let (gone, _) = unique("gone");
    let told = answering.deliver("pay", FORM, &gone).await;
    assert_eq!((told.status, &*told.code()), (422, "hook_fetch_refused"), "{}", told.text);
    assert!(told.text.contains("answered 404"), "{}", told.text);
    // `..` leads out of what may be fetched.
    let told = answering.deliver("pay", FORM, "id=..%2Fadmin").await;
    assert_eq!((told.status, &*told.code()), (422, "hook_fetch_refused"), "{}", told.text);

    let (at, count) = api().await;
    let storing = hooks(&at, "").await;
    let (busy, name) = unique("busy later");
    let told = storing.deliver("pay", FORM, &busy).await;
    assert_eq!(told.status, 202, "{}", told.text);
    crate::support::poll_for(async || contacts_named(&name).await == 1).await;
    assert!(count.load(Relaxed) >= 2);
}
