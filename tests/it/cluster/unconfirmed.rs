//! Calls that are accepted while a PostgreSQL does not tell whether it has committed: they are in the queue once, or their callers
//! are told that they may be.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use http::HeaderMap;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

use super::unique;
use crate::support::{
    client::{Answer, Client},
    gateway::{Gateway, new_client},
    odoo::odoo,
    poll_for,
    postgres::Postgres,
};

/// Stands before a PostgreSQL, and closes a connection where the answer to a `COMMIT` of a call that is stored would come.
struct Cutter {
    folder: TempDir,
    /// How many such answers are still to be lost.
    cuts: Arc<AtomicUsize>,
}

impl Cutter {
    fn before(postgres: &Postgres) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = postgres.socket();
        let listener = UnixListener::bind(folder.path().join(server.file_name().unwrap())).unwrap();
        let cuts = Arc::<AtomicUsize>::default();
        let cut = cuts.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(client, server.clone(), cut.clone()));
            }
        });
        Self { folder, cuts }
    }

    fn url(&self) -> String {
        format!("postgres://gateway@localhost:5432/gateway?host={}", self.folder.path().display())
    }
}

/// Passes on what both sides say, until an answer is lost.
async fn pass(mut client: UnixStream, server: impl AsRef<Path>, cuts: Arc<AtomicUsize>) -> io::Result<()> {
    let mut server = UnixStream::connect(server).await?;
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let mut stores = false;
    loop {
        tokio::select! {
            length = client.read(&mut asked) => {
                let bytes = &asked[..length?];
                if bytes.is_empty() {
                    return Ok(());
                }
                let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
                stores |= has("INSERT INTO calls");
                server.write_all(bytes).await?;
                let take = |left: usize| left.checked_sub(1);
                if stores && has("COMMIT") && cuts.fetch_update(Relaxed, Relaxed, take).is_ok() {
                    // PostgreSQL has committed when it answers.
                    server.readable().await?;
                    return Ok(());
                }
                stores &= !has("COMMIT");
            }
            length = server.read(&mut answered) => {
                let bytes = &answered[..length?];
                if bytes.is_empty() {
                    return Ok(());
                }
                client.write_all(bytes).await?;
            }
        }
    }
}

/// Has a contact made later by a call without a key, while so many answers of the PostgreSQL are lost; gives the answer, and what
/// the gateway tells of the call afterwards.
async fn accepted_while(cuts: usize, name: &str) -> (Answer, Value) {
    let (odoo, postgres) = (odoo().await, Postgres::start().await);
    let cutter = Cutter::before(&postgres);
    let (key, entry) = new_client("shop");
    let more = format!(
        "[cluster]\nurl = \"{}\"\n{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n",
        cutter.url(),
        odoo.login
    );
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &more, &[("ODOO_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    cutter.cuts.store(cuts, Relaxed);
    let body = json!({"model": "res.partner", "vals": {"payload": {"name": name}}}).to_string();
    let headers = HeaderMap::from_iter([("prefer".parse().unwrap(), "respond-async".parse().unwrap())]);
    let answer = client.send("POST", "/api/create_data", headers, Some(body)).await;
    cutter.cuts.store(0, Relaxed);
    let id = answer.headers["gateway-call-id"].to_str().unwrap().to_owned();
    let tell = async || client.send("GET", &format!("/api/calls/{id}"), HeaderMap::new(), None::<String>).await.json;
    poll_for(async || tell().await.to_string().contains("done")).await;
    let made = odoo.search_count("res.partner", json!([["name", "=", name]])).await;
    assert_eq!(made, json!(1), "{answer:?}");
    (answer, tell().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_commit_is_not_confirmed_is_found_in_the_queue_and_made_once() {
    let (answer, _) = accepted_while(1, &unique("unconfirmed")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_may_be_in_the_queue_is_not_said_to_be_safe_to_repeat() {
    let (answer, _) = accepted_while(usize::MAX, &unique("unconfirmed")).await;
    let error = &answer.json["error"]["data"];
    assert_eq!(
        (answer.status, &error["code"], &error["retry"]),
        (504, &json!("may_be_queued"), &json!("unsafe")),
        "{answer:?}"
    );
}
