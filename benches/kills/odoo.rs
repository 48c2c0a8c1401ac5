//! An Odoo that keeps count of what it did: how often each `ref` was created, each record's method called, each request passed
//! on. A request that has come is carried out, whether or not the gateway that sent it still runs, as Odoo does it.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};

use super::{
    domain::{conjuncts, matches},
    http::{Connection, Message},
};

pub(crate) const DATABASE: &str = "bench";
pub(crate) const MODEL: &str = "res.partner";
const UID: i64 = 2;
/// How long a request takes on its way in, and its answer on its way back, at most.
const SLOWEST: u64 = 3_000;

pub(crate) type Record = Map<String, Value>;

/// What is in Odoo, and what it was asked to do.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// By their ids.
    records: BTreeMap<i64, Record>,
    last: i64,
    by_ref: HashMap<String, Vec<i64>>,
    /// The lines of each record.
    lines: HashMap<i64, Vec<i64>>,
    /// How often a record was created with each `ref`, those that are gone too.
    pub(crate) created: HashMap<String, u32>,
    /// How often the method was called of the record with each `ref`.
    pub(crate) called: HashMap<String, u32>,
    /// How often each request was passed on.
    pub(crate) passed: HashMap<String, u32>,
    pub(crate) requests: u64,
}

impl State {
    /// Makes a record, as one that was there before.
    pub(crate) fn put(&mut self, reference: &str) -> i64 {
        self.create(json!({"name": reference, "ref": reference}).as_object().unwrap().clone())
    }

    pub(crate) fn is_there(&self, reference: &str) -> bool {
        self.by_ref.get(reference).is_some_and(|ids| !ids.is_empty())
    }

    fn create(&mut self, mut values: Record) -> i64 {
        self.last += 1;
        let id = self.last;
        let lines = values.remove("child_ids");
        let now = now();
        if let Some(reference) = values.get("ref").and_then(Value::as_str) {
            *self.created.entry(reference.to_owned()).or_default() += 1;
            self.by_ref.entry(reference.to_owned()).or_default().push(id);
        }
        if let Some(parent) = values.get("parent_id").and_then(Value::as_i64) {
            self.lines.entry(parent).or_default().push(id);
        }
        for (name, value) in [
            ("id", json!(id)),
            ("create_date", json!(now)),
            ("write_date", json!(now)),
            ("create_uid", json!(UID)),
            ("write_uid", json!(UID)),
        ] {
            values.insert(name.to_owned(), value);
        }
        values.entry("active").or_insert(json!(true));
        self.records.insert(id, values);
        self.add_lines(id, lines);
        id
    }

    fn add_lines(&mut self, parent: i64, commands: Option<Value>) {
        for command in commands.iter().flat_map(|commands| commands.as_array().unwrap()) {
            assert_eq!(command[0], 0, "lines are only made: {command}");
            let mut line = command[2].as_object().unwrap().clone();
            line.insert("parent_id".to_owned(), json!(parent));
            self.create(line);
        }
    }

    fn write(&mut self, ids: &[i64], values: &Record) {
        for id in ids {
            let mut values = values.clone();
            let lines = values.remove("child_ids");
            values.insert("write_date".to_owned(), json!(now()));
            self.records.get_mut(id).expect("a record that is written").extend(values);
            self.add_lines(*id, lines);
        }
    }

    fn unlink(&mut self, ids: &[i64]) {
        for id in ids {
            let Some(gone) = self.records.remove(id) else { continue };
            if let Some(ids) = gone["ref"].as_str().and_then(|reference| self.by_ref.get_mut(reference)) {
                ids.retain(|known| known != id);
            }
        }
    }

    /// The ids of the records in a domain, in their order or the latest first. Those that a condition on `ref`, id or time leaves are
    /// looked at.
    fn search(&self, domain: &[Value], limit: usize, latest_first: bool) -> Vec<i64> {
        let narrow = conjuncts(domain).into_iter().find_map(|term| self.candidates(term));
        let all: Box<dyn DoubleEndedIterator<Item = i64>> = match narrow {
            Some(ids) => Box::new(ids.into_iter()),
            None => Box::new(self.records.keys().copied()),
        };
        let all: Box<dyn Iterator<Item = i64>> = if latest_first { Box::new(all.rev()) } else { all };
        all.filter(|id| self.records.get(id).is_some_and(|record| matches(domain, record))).take(limit).collect()
    }

    fn candidates(&self, term: &[Value]) -> Option<Vec<i64>> {
        let [field, operator, value] = term else { return None };
        let values = if *operator == "in" { value.as_array()?.clone() } else { vec![value.clone()] };
        match (field.as_str()?, operator.as_str()?) {
            ("ref", "=" | "in") => {
                let ids = values.iter().filter_map(|value| self.by_ref.get(value.as_str()?));
                Some(ids.flatten().copied().collect())
            }
            ("id", "=" | "in") => Some(values.iter().filter_map(Value::as_i64).collect()),
            ("parent_id", "=" | "in") => {
                let lines = values.iter().filter_map(|value| self.lines.get(&value.as_i64()?));
                Some(lines.flatten().copied().collect())
            }
            // The latest come last.
            ("create_date" | "write_date", ">" | ">=") => {
                let since = value.as_str()?;
                let late =
                    self.records.values().rev().take_while(|record| record["create_date"].as_str() >= Some(since));
                let mut ids: Vec<i64> = late.filter_map(|record| record["id"].as_i64()).collect();
                ids.reverse();
                Some(ids)
            }
            _ => None,
        }
    }

    fn row(&self, id: i64, fields: &[String]) -> Option<Value> {
        let record = self.records.get(&id)?;
        let field = |name: &String| {
            let value = match name.as_str() {
                "create_uid" | "write_uid" => json!([UID, "Web shop"]),
                "parent_id" => record.get(name).map_or(json!(false), |id| json!([id, "A parent"])),
                "child_ids" => json!(self.search(&[json!(["parent_id", "=", id])], usize::MAX, false)),
                "display_name" => record.get("name").cloned().unwrap_or(json!(false)),
                name => record.get(name).cloned().unwrap_or(json!(false)),
            };
            (name.clone(), value)
        };
        Some(fields.iter().chain([&"id".to_owned()]).map(field).collect::<Record>().into())
    }

    fn rows(&self, ids: &[i64], fields: &[String]) -> Value {
        ids.iter().filter_map(|id| self.row(*id, fields)).collect()
    }
}

/// As Odoo writes it.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The Odoo that this process is.
pub(crate) type Odoo = Arc<Mutex<State>>;

/// Serves for as long as the runtime; gives the address.
pub(crate) async fn start(odoo: Odoo) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, odoo.clone()));
        }
    });
    url
}

async fn serve(stream: TcpStream, odoo: Odoo) -> io::Result<()> {
    let mut connection = Connection::new(stream)?;
    while let Some(request) = connection.next().await? {
        let writes = request.word(1).starts_with("/web/dataset/");
        let on_its_way =
            || tokio::time::sleep(Duration::from_micros(if writes { fastrand::u64(..SLOWEST) } else { 0 }));
        on_its_way().await;
        let (result, header) = answer(&request, &mut odoo.lock().unwrap());
        on_its_way().await;
        let body = match result {
            Ok(result) => json!({"jsonrpc": "2.0", "id": null, "result": result}),
            Err(error) => json!({"jsonrpc": "2.0", "id": null, "error": error}),
        };
        let body = body.to_string();
        let date = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
        let head = format!(
            "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\n{header}Content-Length: {}\r\n\r\n",
            body.len()
        );
        connection.write(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    }
    Ok(())
}

/// The arguments of a method, by place or name.
struct Arguments(Value);

impl Arguments {
    fn get(&self, place: usize, name: &str) -> Value {
        let Self(params) = self;
        params["args"].get(place).or_else(|| params["kwargs"].get(name)).cloned().unwrap_or_default()
    }

    fn ids(&self) -> Vec<i64> {
        let ids = self.get(0, "ids");
        ids.as_array()
            .map_or_else(|| ids.as_i64().into_iter().collect(), |ids| ids.iter().filter_map(Value::as_i64).collect())
    }

    /// Whether a method is called on the model, with no list of records at all.
    fn is_on_model(&self) -> bool {
        self.get(0, "ids").is_null()
    }

    fn names(&self, place: usize, name: &str) -> Vec<String> {
        let names = self.get(place, name);
        names.as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
    }
}

/// What Odoo answers to the call of a record's method without records (14-19). The method has not run.
fn without_records() -> Value {
    let raised = "  File \"/odoo/api.py\", line 517, in call_kw\n    ids, args = args[0], args[1:]\nIndexError: list index out of range\n";
    let data = json!({"name": "builtins.IndexError", "message": "list index out of range", "debug": raised});
    json!({"code": 0, "message": "Odoo Server Error", "data": data})
}

/// The result or the error, with a header of its own.
fn answer(request: &Message, state: &mut State) -> (Result<Value, Value>, &'static str) {
    state.requests += 1;
    let path = request.word(1).to_owned();
    if let Some(reference) = path.strip_prefix("/stub/") {
        *state.passed.entry(reference.to_owned()).or_default() += 1;
        return (Ok(json!(null)), "");
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let arguments = Arguments(body["params"].clone());
    let user = json!({"uid": UID, "db": DATABASE, "username": "webshop", "user_companies": {"current_company": 1},
        "user_context": {"lang": "en_US", "tz": "UTC"}});
    let method = path.rsplit('/').next().unwrap_or_default();
    let result = match method {
        "version_info" => json!({"server_version": "19.0", "server_version_info": [19, 0, 0, "final", 0, ""]}),
        "get_session_info" => user,
        "authenticate" => {
            return (Ok(user), "Set-Cookie: session_id=0123456789abcdef0123456789abcdef01234567; Path=/\r\n");
        }
        "fields_get" => fields(),
        "create" => {
            let all = arguments.get(0, "vals_list");
            let all = if all.is_array() { all } else { json!([all]) };
            all.as_array()
                .unwrap()
                .iter()
                .map(|values| json!(state.create(values.as_object().unwrap().clone())))
                .collect()
        }
        "write" => {
            state.write(&arguments.ids(), arguments.get(1, "vals").as_object().unwrap());
            json!(true)
        }
        "web_save" => {
            let mut ids = arguments.ids();
            match arguments.get(1, "vals") {
                // Records that are made together.
                Value::Array(records) => {
                    ids.extend(records.iter().map(|values| state.create(values.as_object().unwrap().clone())));
                }
                values if ids.is_empty() => ids.push(state.create(values.as_object().unwrap().clone())),
                values => state.write(&ids, values.as_object().unwrap()),
            }
            let fields = arguments.get(2, "specification");
            state.rows(&ids, &fields.as_object().unwrap().keys().cloned().collect::<Vec<_>>())
        }
        "unlink" => {
            state.unlink(&arguments.ids());
            json!(true)
        }
        "action_confirm" if arguments.is_on_model() => return (Err(without_records()), ""),
        "action_confirm" => {
            for id in arguments.ids() {
                let reference = state.records[&id]["ref"].as_str().unwrap().to_owned();
                *state.called.entry(reference).or_default() += 1;
            }
            json!(true)
        }
        "search_read" => {
            let limit = arguments.get(3, "limit").as_u64().filter(|limit| *limit > 0).unwrap_or(u64::MAX);
            let latest_first = match arguments.get(4, "order").as_str() {
                None | Some("id" | "active desc, id") => false,
                Some("id desc") => true,
                Some(order) => panic!("the stub does not know the order {order}"),
            };
            let domain = arguments.get(0, "domain");
            let found = state.search(domain.as_array().unwrap(), usize::try_from(limit).unwrap(), latest_first);
            state.rows(&found, &arguments.names(1, "fields"))
        }
        "read" => state.rows(&arguments.ids(), &arguments.names(1, "fields")),
        _ if request.body.is_empty() => json!(null),
        _ => panic!("the stub does not know {path}: {body}"),
    };
    (Ok(result), "")
}

fn fields() -> Value {
    let plain = |kind: &str| json!({"type": kind, "store": true, "searchable": true, "readonly": false});
    let to = |kind: &str, model: &str| json!({"type": kind, "relation": model, "store": true, "searchable": true});
    let mut lines = to("one2many", MODEL);
    lines["relation_field"] = json!("parent_id");
    json!({
        "id": plain("integer"), "name": plain("char"), "display_name": plain("char"), "ref": plain("char"),
        "active": plain("boolean"), "create_date": plain("datetime"), "write_date": plain("datetime"),
        "create_uid": to("many2one", "res.users"), "write_uid": to("many2one", "res.users"),
        "parent_id": to("many2one", MODEL), "child_ids": lines,
    })
}
