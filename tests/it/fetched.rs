//! Files that a payload names by their URL, fetched from a real HTTP server before a real Odoo.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{
    client::Client,
    gateway::Gateway,
    odoo::{Odoo, odoo, odoo_14},
};

/// A server of files, and how many requests it has had.
struct FileServer {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl FileServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<AtomicUsize>::default();
        let counted = requests.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                counted.fetch_add(1, Relaxed);
                let status = match String::from_utf8_lossy(&request[..length]).split(' ').nth(1) {
                    Some("/gone") => "404 Not Found",
                    Some("/busy") => "503 Service Unavailable",
                    _ => "200 OK",
                };
                let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 5\r\n\r\nHello");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Relaxed)
    }

    /// A gateway that may fetch from here.
    fn gateway(&self, odoo: &Odoo) -> Gateway {
        let files = format!("[files]\nallow = [\"{}/*\"]\nallow_private = [\"127.0.0.1/32\"]", self.url);
        Gateway::before(&odoo.url, &odoo.database, &files)
    }
}

fn unique() -> String {
    format!("fetched {}", uuid::Uuid::new_v4().simple())
}

async fn check_stored(odoo: &Odoo) {
    let server = FileServer::start().await;
    let gateway = server.gateway(odoo);
    let client = Client::log_in(&gateway, odoo).await;
    let (name, url) = (unique(), &server.url);
    let files = json!([{"url": format!("{url}/a%20b.txt?key=1")}, {"name": "named.txt", "url": format!("{url}/x/a")}]);
    let lines = json!([{"name": format!("{name} line"), "attachment_ids": [{"url": format!("{url}/line.txt")}]}]);
    let vals = json!({"strict": true, "payload": {"name": name, "attachment_ids": files, "child_ids": lines}});
    let shown = client.call("create_data", "res.partner", with_dry_run(&vals)).await;
    assert_eq!((shown["is_success"].clone(), server.requests()), (json!(true), 0), "{shown}");
    assert!(shown["result"].to_string().contains(&format!("<content of {url}/x/a>")), "{shown}");

    let answer = client.call("create_data", "res.partner", vals).await;
    assert_eq!((answer["is_success"].clone(), server.requests()), (json!(true), 3), "{answer}");
    let partner = json!([[["name", "like", name]], ["name"]]);
    let partners = odoo.call("res.partner", "search_read", partner, json!({"order": "id"})).await.unwrap();
    let ids: Vec<&Value> = partners.as_array().unwrap().iter().map(|row| &row["id"]).collect();
    let domain = json!([["res_model", "=", "res.partner"], ["res_id", "in", ids]]);
    let rows = odoo.call("ir.attachment", "search_read", json!([domain, ["name", "datas"]]), json!({"order": "name"}));
    let rows = rows.await.unwrap();
    let named: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| (row["name"].clone(), row["datas"].clone())).collect();
    let content = json!("SGVsbG8=");
    let expected = ["a b.txt", "line.txt", "named.txt"].map(|name| (json!(name), content.clone()));
    assert_eq!(named, expected);
    // The URL is in the log as it was sent, and the content nowhere but in the call to Odoo.
    let logged = gateway.log().last().unwrap().clone();
    assert!(logged["vals"].to_string().contains("a%20b.txt"), "{logged}");
    assert!(!logged["vals"].to_string().contains("SGVsbG8="), "{logged}");
}

fn with_dry_run(vals: &Value) -> Value {
    let mut vals = vals.clone();
    vals["dry_run"] = json!(true);
    vals
}

#[tokio::test]
async fn files_are_fetched_once_each_and_stored_with_their_records() {
    check_stored(odoo_14().await).await;
    check_stored(odoo().await).await;
}

#[tokio::test]
async fn the_content_of_a_binary_field_is_fetched() {
    let odoo = odoo().await;
    let server = FileServer::start().await;
    let gateway = server.gateway(odoo);
    let client = Client::log_in(&gateway, odoo).await;
    let payload = json!({"name": unique(), "datas": {"url": format!("{}/a", server.url)}});
    let vals = json!({"strict": true, "payload": payload, "result_field": ["datas"]});
    let answer = client.call("create_data", "ir.attachment", vals).await;
    assert_eq!(answer["result"]["datas"], "SGVsbG8=", "{answer}");
}

#[tokio::test]
async fn a_file_that_cannot_be_had_is_refused_with_its_place_and_nothing_is_written() {
    let odoo = odoo().await;
    let server = FileServer::start().await;
    let gateway = server.gateway(odoo);
    let nowhere = Gateway::before(&odoo.url, &odoo.database, "");
    let name = unique();
    let allowed = |path: &str| format!("{}/{path}", server.url);
    for (gateway, url, code, said) in [
        (&gateway, "https://elsewhere.example/a?key=hidden".to_owned(), "url_refused", "`[files] allow`"),
        (&nowhere, allowed("a"), "url_refused", "`[files] allow`"),
        (&gateway, allowed("gone"), "url_refused", "answered 404"),
        (&gateway, allowed("busy"), "file_not_fetched", "answered 503"),
        (&gateway, "file:///etc/passwd".to_owned(), "invalid_value", "must be a URL"),
    ] {
        let client = Client::log_in(gateway, odoo).await;
        let payload = json!({"name": name, "image_1920": {"url": url}});
        let body = json!({"model": "res.partner", "vals": {"payload": payload}});
        let answer = client.post("create_data", body.to_string()).await;
        let status = if code == "file_not_fetched" { 502 } else { 200 };
        let error = &answer.json["result"]["error"];
        assert_eq!((answer.status, &error["code"]), (status, &json!(code)), "{answer:?}");
        assert_eq!(error["path"], "payload.image_1920.url", "{answer:?}");
        let text = answer.json.to_string();
        assert!(text.contains(said) && !text.contains("hidden") && !text.contains("Hello"), "{text}");
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 0);
}

#[tokio::test]
async fn a_policy_may_keep_files_from_being_fetched() {
    let odoo = odoo().await;
    let server = FileServer::start().await;
    let files = format!("[files]\nallow = [\"{}/*\"]\nallow_private = [\"127.0.0.1/32\"]", server.url);
    let more = format!("{files}\n[policy]\nfiles_by_url = false");
    let gateway = Gateway::before(&odoo.url, &odoo.database, &more);
    let client = Client::log_in(&gateway, odoo).await;
    let payload = json!({"name": unique(), "image_1920": {"url": format!("{}/a", server.url)}});
    let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["path"]),
        (&json!("url_refused"), &json!("payload.image_1920.url"))
    );
    assert_eq!((answer["error"]["rule"].clone(), server.requests()), (json!("`files_by_url` is false"), 0), "{answer}");
}

#[tokio::test]
async fn a_call_names_no_more_files_than_the_configuration_lets_it() {
    let odoo = odoo().await;
    let server = FileServer::start().await;
    let gateway = server.gateway(odoo);
    let client = Client::log_in(&gateway, odoo).await;
    let files: Vec<Value> = (0..101).map(|n| json!({"url": format!("{}/{n}", server.url)})).collect();
    let vals = json!({"payload": {"name": unique(), "attachment_ids": files}});
    let answer = client.call("create_data", "res.partner", vals).await;
    assert_eq!(answer["error"]["path"], "payload.attachment_ids[100].url", "{answer}");
    assert_eq!(server.requests(), 0);
}
