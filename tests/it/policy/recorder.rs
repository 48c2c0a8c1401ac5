//! An Odoo that keeps every request, and answers each as one that has a record of everything.
//!
//! A session's cookie is the login that began it, so that requests are told apart by the client that they were made for.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{seen::Rpc, world};

pub(super) const DATABASE: &str = "zq";

/// Records made with this word in their values are of no forced domain.
pub(super) const OUTSIDE: &str = "outside";
/// Ids from here on are those of such records.
pub(super) const FIRST_OUTSIDE: i64 = 9_000;
/// No record has this in a field; and this is in three.
pub(super) const MISSING: &str = "missing";
pub(super) const SEVERAL: &str = "several";

pub(super) struct Recorder {
    pub(super) url: String,
    state: Arc<State>,
}

struct State {
    version: u16,
    /// What was called, by the login that it was called for.
    calls: Mutex<HashMap<String, Vec<Rpc>>>,
    next_id: AtomicI64,
}

impl Recorder {
    pub(super) async fn of_version(version: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State { version, calls: Mutex::default(), next_id: AtomicI64::new(500) });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move { drop(serve(&state, stream).await) });
            }
        });
        Self { url, state }
    }

    /// What has been called for this login since it was last asked.
    pub(super) fn take(&self, login: &str) -> Vec<Rpc> {
        self.state.calls.lock().unwrap().remove(login).unwrap_or_default()
    }
}

/// One request; the connection ends with its answer.
async fn serve(state: &State, mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if body.len() >= field(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let path = head.split(' ').nth(1).unwrap_or_default();
    let params = serde_json::from_str::<Value>(&body).unwrap_or_default()["params"].take();
    let login = match field(&head, "cookie").and_then(|cookie| cookie.strip_prefix("session_id=")) {
        Some(login) => login.to_owned(),
        None => params["login"].as_str().unwrap_or_default().to_owned(),
    };
    let result = match path {
        "/web/webclient/version_info" => {
            let version = state.version;
            json!({"server_version": format!("{version}.0"), "server_version_info": [version, 0, 0, "final", 0, ""]})
        }
        "/web/session/authenticate" | "/web/session/get_session_info" => json!({
            "uid": 2, "db": DATABASE, "username": login, "user_companies": {"current_company": 1},
            "user_context": {"lang": "en_US", "tz": "UTC"},
        }),
        _ => {
            let rpc = Rpc::read(path, params);
            let result = answer(state, &rpc);
            state.calls.lock().unwrap().entry(login.clone()).or_default().push(rpc);
            result
        }
    };
    let body = json!({"jsonrpc": "2.0", "id": null, "result": result}).to_string();
    let cookie =
        if path.ends_with("authenticate") { format!("Set-Cookie: session_id={login}\r\n") } else { String::new() };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n{cookie}");
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
    stream.shutdown().await
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn answer(state: &State, rpc: &Rpc) -> Value {
    let ids = || rpc.arg(0).as_array().into_iter().flatten().filter_map(Value::as_i64).collect::<Vec<_>>();
    let names = |fields: &Value| -> Vec<String> {
        fields.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    match rpc.method.as_str() {
        "fields_get" => world::described(&rpc.model, state.version),
        "search_read" => {
            let rows = found(rpc).into_iter().map(|(id, known)| {
                let mut row = world::row(&rpc.model, id, &names(rpc.arg(1)), state.version);
                if let Some((field, value)) = known.filter(|(field, _)| row.get(field).is_some()) {
                    row[field] = value;
                }
                row
            });
            rows.collect()
        }
        "web_search_read" => {
            let rows: Vec<_> =
                found(rpc).into_iter().map(|(id, _)| world::specified(&rpc.model, id, rpc.arg(1))).collect();
            json!({"length": rows.len(), "records": rows})
        }
        "read" => ids().into_iter().map(|id| world::row(&rpc.model, id, &names(rpc.arg(1)), state.version)).collect(),
        "create" => {
            let records = rpc.arg(0).as_array().cloned().unwrap_or_default();
            records.iter().map(|values| json!(state.id_for(values))).collect()
        }
        "web_save" => {
            let ids = if ids().is_empty() { vec![state.id_for(rpc.arg(1))] } else { ids() };
            ids.into_iter().map(|id| world::specified(&rpc.model, id, rpc.arg(2))).collect()
        }
        "onchange" => json!({"value": world::form(&rpc.model, rpc.form_fields())}),
        _ => json!(true),
    }
}

impl State {
    fn id_for(&self, values: &Value) -> i64 {
        let first = if values.to_string().contains(OUTSIDE) { FIRST_OUTSIDE } else { 0 };
        first + self.next_id.fetch_add(1, Relaxed)
    }
}

/// The ids that a search finds: those it names, one for each value of a list, or some; with the value it was looked for by.
pub(super) fn found(rpc: &Rpc) -> Vec<(i64, Option<(String, Value)>)> {
    let domain = rpc.arg(0);
    if domain.to_string().contains(MISSING) {
        return Vec::new();
    }
    let is_narrowed = domain.to_string().contains("_team");
    let conditions = || domain.as_array().into_iter().flatten().filter_map(Value::as_array);
    let by_id = conditions().find(|condition| condition[0] == "id").map(|condition| match &condition[2] {
        Value::Array(ids) => ids.iter().filter_map(Value::as_i64).collect(),
        id => Vec::from_iter(id.as_i64()),
    });
    let by_value = conditions().find(|condition| {
        condition[1] == "in" && condition[2].as_array().is_some_and(|values| values.iter().all(Value::is_string))
    });
    let mut found: Vec<(i64, Option<(String, Value)>)> = match (by_id, by_value) {
        (Some(ids), _) => ids.into_iter().map(|id| (id, None)).collect(),
        (None, Some(condition)) => {
            let field = condition[0].as_str().unwrap_or_default().to_owned();
            let values = condition[2].as_array().into_iter().flatten();
            (71..).zip(values).map(|(id, value)| (id, Some((field.clone(), value.clone())))).collect()
        }
        (None, None) if domain.to_string().contains(SEVERAL) => [71, 72, 73].map(|id| (id, None)).into(),
        (None, None) => vec![(71, None)],
    };
    found.retain(|(id, _)| !is_narrowed || *id < FIRST_OUTSIDE);
    // A limit of 0 is none.
    let limit = rpc.arg(3).as_u64().filter(|limit| *limit > 0).and_then(|limit| usize::try_from(limit).ok());
    found.truncate(limit.unwrap_or(usize::MAX));
    found
}
