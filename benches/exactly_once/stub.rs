//! An Odoo that keeps what is created, and loses answers: every 20th `create` ends without one, by turns after it was done and
//! before. It knows what a gateway asks to find out what became of a call.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::message::{Incoming, Message};

pub(crate) const DATABASE: &str = "bench";
pub(crate) const MODEL: &str = "res.partner";
const UID: i64 = 2;

/// Every so many creating requests, one is lost.
const LOST: u64 = 20;

/// What is in the stub.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// With `create_date`, `create_uid` and `id`; in the order of their ids, which begin with 1.
    made: Mutex<Vec<Map<String, Value>>>,
    requests: AtomicU64,
    searches: AtomicU64,
}

impl Records {
    /// How often each `ref` is there.
    pub(crate) fn references(&self) -> std::collections::BTreeMap<String, usize> {
        let mut counted = std::collections::BTreeMap::new();
        for record in &*self.made.lock().unwrap() {
            *counted.entry(record["ref"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counted
    }

    /// The id of the record with this `ref`, where there is one.
    pub(crate) fn id_of(&self, reference: &str) -> Option<i64> {
        let made = self.made.lock().unwrap();
        made.iter().find(|record| record["ref"] == reference).and_then(|record| record["id"].as_i64())
    }

    /// Requests that created, and searches.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.requests.load(Relaxed), self.searches.load(Relaxed))
    }

    fn create(&self, all: Vec<Map<String, Value>>) -> Value {
        let mut made = self.made.lock().unwrap();
        let now = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
        let ids = all.into_iter().map(|mut record| {
            let id = i64::try_from(made.len()).unwrap() + 1;
            record.extend([
                ("id".to_owned(), json!(id)),
                ("create_date".to_owned(), json!(now)),
                ("create_uid".to_owned(), json!(UID)),
                ("active".to_owned(), json!(true)),
            ]);
            made.push(record);
            json!(id)
        });
        ids.collect()
    }

    /// In the order of their ids, or the latest first.
    fn search(&self, domain: &[Value], fields: &[&str], limit: usize, latest_first: bool) -> Value {
        self.searches.fetch_add(1, Relaxed);
        let made = self.made.lock().unwrap();
        // The records are in the order of their times, and many of them are old.
        let since = domain.iter().find_map(|term| {
            let term =
                term.as_array().filter(|term| term[0] == "create_date" && (term[1] == ">=" || term[1] == ">"))?;
            term[2].as_str()
        });
        let first =
            since.map_or(0, |since| made.partition_point(|record| record["create_date"].as_str() < Some(since)));
        let found = made[first..].iter().filter(|record| matches(domain, record));
        if latest_first {
            found.rev().take(limit).map(|record| row(record, fields)).collect()
        } else {
            found.take(limit).map(|record| row(record, fields)).collect()
        }
    }
}

fn row(record: &Map<String, Value>, fields: &[&str]) -> Value {
    let field = |name: &&str| {
        let value = match *name {
            "create_uid" => json!([UID, "Web shop"]),
            name => record.get(name).cloned().unwrap_or(json!(false)),
        };
        ((*name).to_owned(), value)
    };
    Value::Object(fields.iter().chain(&["id"]).map(field).collect())
}

/// Whether a record is in a domain in Odoo's prefix form.
fn matches(domain: &[Value], record: &Map<String, Value>) -> bool {
    let mut rest = domain;
    let mut all = true;
    while !rest.is_empty() {
        all &= next(&mut rest, record);
    }
    all
}

fn next(rest: &mut &[Value], record: &Map<String, Value>) -> bool {
    let (first, behind) = rest.split_first().expect("a domain ends within an operator");
    *rest = behind;
    match first.as_str() {
        Some("&") => next(rest, record) & next(rest, record),
        Some("|") => next(rest, record) | next(rest, record),
        Some("!") => !next(rest, record),
        Some(other) => panic!("the stub does not know {other}"),
        None => {
            let (field, operator, value) = (first[0].as_str().unwrap(), first[1].as_str().unwrap(), &first[2]);
            let own = record.get(field).cloned().unwrap_or(json!(false));
            match operator {
                "=" => own == *value,
                "!=" => own != *value,
                "in" => value.as_array().unwrap().contains(&own),
                "not in" => !value.as_array().unwrap().contains(&own),
                ">=" => !is_less(&own, value),
                "<" => is_less(&own, value),
                "<=" => !is_less(value, &own),
                ">" => is_less(value, &own),
                other => panic!("the stub does not know {other}"),
            }
        }
    }
}

/// Compares numbers, and texts such as times.
fn is_less(one: &Value, other: &Value) -> bool {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one < other,
        _ => one.as_str() < other.as_str(),
    }
}

/// Serves for as long as the runtime; gives the address.
pub(crate) async fn start(records: Arc<Records>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, records.clone()));
        }
    });
    url
}

async fn serve(mut stream: TcpStream, records: Arc<Records>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut incoming = Incoming::default();
    while let Some(request) = incoming.next(&mut stream).await? {
        let Some((result, cookie)) = answer(&request, &records) else { return Ok(()) };
        let body = json!({"jsonrpc": "2.0", "id": null, "result": result}).to_string();
        let date = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
        let head = format!(
            "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\n{cookie}Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    }
    Ok(())
}

/// The answer with a header of its own; none where it is lost.
fn answer(request: &Message<'_>, records: &Records) -> Option<(Value, &'static str)> {
    let path = request.head.split(|byte| *byte == b' ').nth(1).unwrap();
    let method = std::str::from_utf8(path.rsplit(|byte| *byte == b'/').next().unwrap()).unwrap();
    let body: Value = serde_json::from_slice(request.body).unwrap_or_default();
    let (args, kwargs) = (&body["params"]["args"], &body["params"]["kwargs"]);
    let named = |place: usize, name: &str| args.get(place).or_else(|| kwargs.get(name)).cloned().unwrap_or_default();
    let names = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let user = json!({"uid": UID, "db": DATABASE, "username": "webshop", "user_companies": {"current_company": 1},
        "user_context": {"lang": "en_US", "tz": "UTC"}});
    let result = match method {
        "version_info" => json!({"server_version": "19.0", "server_version_info": [19, 0, 0, "final", 0, ""]}),
        "get_session_info" => user,
        "authenticate" => {
            return Some((user, "Set-Cookie: session_id=0123456789abcdef0123456789abcdef01234567; Path=/\r\n"));
        }
        "fields_get" => {
            let kinds = [
                ("id", "integer"),
                ("name", "char"),
                ("ref", "char"),
                ("active", "boolean"),
                ("create_date", "datetime"),
            ];
            let field = |kind: &str| json!({"type": kind, "store": true, "searchable": true, "readonly": false});
            let mut fields: Map<String, Value> =
                kinds.iter().map(|(name, kind)| ((*name).to_owned(), field(kind))).collect();
            fields.insert(
                "create_uid".to_owned(),
                json!({"type": "many2one", "relation": "res.users", "store": true, "searchable": true}),
            );
            Value::Object(fields)
        }
        // Of the two, `web_save` makes those records that go together.
        "create" | "web_save" => {
            let number = records.requests.fetch_add(1, Relaxed);
            let all = if method == "create" { named(0, "vals_list") } else { named(1, "vals") };
            let all = serde_json::from_value(if all.is_array() { all } else { json!([all]) }).unwrap();
            match (number % LOST, (number / LOST) % 2) {
                (7, 0) => return None,
                (7, _) => {
                    records.create(all);
                    return None;
                }
                _ => {}
            }
            let ids = records.create(all);
            match named(2, "specification").as_object() {
                Some(read) => {
                    let fields: Vec<&str> = read.keys().map(String::as_str).collect();
                    records.search(&[json!(["id", "in", ids])], &fields, usize::MAX, false)
                }
                None => ids,
            }
        }
        "search_read" | "web_search_read" => {
            let (domain, fields) = (named(0, "domain"), names(&named(1, "fields")));
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let limit = kwargs["limit"].as_u64().filter(|limit| *limit > 0).unwrap_or(u64::MAX);
            let latest_first = match kwargs["order"].as_str() {
                None | Some("id") => false,
                Some("id desc") => true,
                Some(order) => panic!("the stub does not know the order {order}"),
            };
            records.search(domain.as_array().unwrap(), &fields, usize::try_from(limit).unwrap(), latest_first)
        }
        "read" => {
            let (ids, fields) = (named(0, "ids"), names(&named(1, "fields")));
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            records.search(&[json!(["id", "in", ids])], &fields, usize::MAX, false)
        }
        _ if request.body.is_empty() => json!(null),
        _ => panic!("the stub does not know {method}"),
    };
    Some((result, ""))
}
