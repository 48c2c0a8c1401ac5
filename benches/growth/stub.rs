//! An Odoo that answers at once, for any model and any session: who calls, which fields there are, searches, and creates.
//!
//! A record that a search for the `ref` R12345678 finds, or that is made with it, has the id 12345678.

use std::{
    fmt::Write,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::message::{Incoming, Message};

const HEAD: &str = "HTTP/1.1 200 OK\r\nServer: Werkzeug/3.0.1 Python/3.12.3\r\nContent-Type: application/json; charset=utf-8\r\n\
                    Date: Mon, 05 Jan 2026 08:00:00 GMT\r\n";
const VERSION: &str = r#"{"server_version": "19.0", "server_version_info": [19, 0, 0, "final", 0, ""]}"#;
const SESSION: &str = r#"{"uid": 2, "db": "bench", "username": "webshop", "user_companies": {"current_company": 1}, "user_context": {"lang": "en_US", "tz": "Europe/Brussels"}}"#;
/// Behind the first line of the answer to a login.
const LOGIN: &str = "\r\nSet-Cookie: session_id=0123456789abcdef0123456789abcdef01234567; Path=/; HttpOnly\r\n";
const FIELDS: [(&str, &str); 10] = [
    ("id", "integer"),
    ("name", "char"),
    ("ref", "char"),
    ("email", "char"),
    ("phone", "char"),
    ("city", "char"),
    ("comment", "html"),
    ("is_company", "boolean"),
    ("quantity", "float"),
    ("date", "date"),
];
const RELATIONS: &str = r#""line_ids": {"type": "one2many", "relation": "bench.line", "relation_field": "order_id", "store": true, "searchable": true}, "order_id": {"type": "many2one", "relation": "bench.order", "store": true, "searchable": true}"#;

/// What it was asked so far.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) fields: AtomicU64,
    pub(crate) creates: AtomicU64,
}

/// A stub that serves for as long as the runtime.
pub(crate) struct Stub {
    pub(crate) url: String,
    pub(crate) asked: Arc<Asked>,
}

/// Every model has so many fields beside those that are used.
pub(crate) async fn start(more_fields: usize) -> Stub {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::<Asked>::default();
    let answers = Arc::new(Answers::new(more_fields, asked.clone()));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answers = answers.clone();
            // The gateway hangs up when it is stopped.
            tokio::spawn(async move { drop(serve(stream, &answers).await) });
        }
    });
    Stub { url, asked }
}

async fn serve(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut incoming = Incoming::default();
    while let Some(request) = incoming.next(&mut stream).await? {
        let answer = answers.to(&request);
        stream.write_all(&answer).await?;
    }
    Ok(())
}

struct Answers {
    asked: Arc<Asked>,
    fields: Vec<u8>,
    login: Vec<u8>,
}

impl Answers {
    fn new(more_fields: usize, asked: Arc<Asked>) -> Self {
        let field = |name: &str, kind: &str| {
            format!(
                r#""{name}": {{"type": "{kind}", "store": true, "searchable": true, "sortable": true, "readonly": false}}"#
            )
        };
        let mut fields: Vec<String> = FIELDS.iter().map(|(name, kind)| field(name, kind)).collect();
        fields.extend((0..more_fields).map(|number| field(&format!("x_another_field_{number}"), "char")));
        fields.push(RELATIONS.to_owned());
        Self {
            asked,
            fields: answer(&format!("{{{}}}", fields.join(", "))).into_bytes(),
            login: answer(SESSION).replacen("\r\n", LOGIN, 1).into_bytes(),
        }
    }

    fn to(&self, request: &Message<'_>) -> Vec<u8> {
        let path = request.head.split(|byte| *byte == b' ').nth(1).unwrap();
        let result = match path.rsplit(|byte| *byte == b'/').next().unwrap() {
            b"fields_get" => {
                self.asked.fields.fetch_add(1, Relaxed);
                return self.fields.clone();
            }
            b"authenticate" => return self.login.clone(),
            b"get_session_info" => SESSION.to_owned(),
            b"version_info" => VERSION.to_owned(),
            b"create" => {
                self.asked.creates.fetch_add(1, Relaxed);
                let body: Value = serde_json::from_slice(request.body).unwrap();
                let records = body["params"]["args"][0].as_array().unwrap();
                let ids: Vec<i64> = records.iter().map(|record| id_of(&record["ref"])).collect();
                serde_json::to_string(&ids).unwrap()
            }
            // Records that are made together, with what tells them apart.
            b"web_save" => {
                self.asked.creates.fetch_add(1, Relaxed);
                let body: Value = serde_json::from_slice(request.body).unwrap();
                let records = &body["params"]["args"][1];
                let records = records.as_array().map_or(std::slice::from_ref(records), Vec::as_slice);
                rows(records.iter().map(|record| id_of(&record["ref"])))
            }
            b"read" => {
                let body: Value = serde_json::from_slice(request.body).unwrap();
                let ids = body["params"]["args"][0].as_array().unwrap();
                rows(ids.iter().filter_map(Value::as_i64))
            }
            b"search_read" => {
                let body: Value = serde_json::from_slice(request.body).unwrap();
                let mut ids = Vec::new();
                references(&body["params"], &mut ids);
                rows(ids.into_iter())
            }
            _ => "[]".to_owned(),
        };
        answer(&result).into_bytes()
    }
}

/// The id of the record with this `ref`.
fn id_of(reference: &Value) -> i64 {
    reference.as_str().and_then(|text| text.strip_prefix('R')).and_then(|digits| digits.parse().ok()).unwrap_or(1)
}

/// The records that a domain names by their `ref`.
fn references(value: &Value, ids: &mut Vec<i64>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| references(value, ids)),
        Value::Object(members) => members.values().for_each(|value| references(value, ids)),
        Value::String(text) => ids.extend(text.strip_prefix('R').and_then(|digits| digits.parse::<i64>().ok())),
        _ => {}
    }
}

fn rows(ids: impl Iterator<Item = i64>) -> String {
    let row = |id: i64| {
        format!(
            r#"{{"id": {id}, "name": "Customer {id}", "ref": "R{id}", "email": "customer{id}@example.com", "city": "Brussels"}}"#
        )
    };
    format!("[{}]", ids.map(row).collect::<Vec<_>>().join(", "))
}

/// As Odoo answers.
fn answer(result: &str) -> String {
    let body = format!(r#"{{"jsonrpc": "2.0", "id": null, "result": {result}}}"#);
    let mut answer = HEAD.to_owned();
    write!(answer, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    answer
}
