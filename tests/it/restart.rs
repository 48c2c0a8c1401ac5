//! The gateway is restarted under load, on a socket that outlives it as one of systemd's does, and no caller notices.
//!
//! `ODOO_GATEWAY_TEST_RESTARTS=8,2000` is the number of restarts, and of calls that are made at the least.

use std::{
    collections::{HashMap, HashSet},
    env,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task,
};
use uuid::Uuid;

use crate::support::{
    client::{Client, http},
    fault::{Fault, FaultProxy},
    gateway::{Gateway, all_lines, configuration, run_in},
    odoo::odoo,
    poll,
};

/// Half of them open a connection for each call, the others keep theirs.
const CLIENTS: usize = 8;
/// One call in so many writes.
const WRITES: usize = 20;

struct Load {
    url: String,
    key: String,
    /// The beginning of the names of what is written.
    run: String,
    made: AtomicUsize,
    is_over: AtomicBool,
}

/// What became of the calls of one client.
#[derive(Default)]
struct Outcome {
    ids: Vec<String>,
    names: Vec<String>,
    failures: Vec<String>,
    longest: Duration,
}

impl Load {
    async fn client(&self, keeps_connection: bool) -> Outcome {
        let (mut outcome, client) = (Outcome::default(), http());
        let connection = if keeps_connection { "keep-alive" } else { "close" };
        while !self.is_over.load(Relaxed) {
            let number = self.made.fetch_add(1, Relaxed);
            let name = format!("{} {number}", self.run);
            let (route, call) = match number % WRITES {
                0 => ("create_data", json!({"model": "res.partner", "vals": {"payload": {"name": name}}})),
                _ => (
                    "search_data",
                    json!({"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}),
                ),
            };
            let started = Instant::now();
            let request = client.post(format!("{}/api/{route}", self.url)).header("connection", connection);
            let answer = self.call(request, &call).await;
            outcome.longest = outcome.longest.max(started.elapsed());
            match answer {
                Ok(id) => {
                    outcome.ids.push(id);
                    outcome.names.extend((route == "create_data").then_some(name));
                }
                Err(error) => outcome.failures.push(error),
            }
        }
        outcome
    }

    /// The id of a call that was answered with success. Nothing is sent twice.
    async fn call(&self, request: reqwest::RequestBuilder, call: &Value) -> Result<String, String> {
        let response = request.bearer_auth(&self.key).json(call).send().await.map_err(|error| format!("{error:?}"))?;
        let id = response.headers().get("gateway-call-id").map(|id| id.to_str().unwrap().to_owned());
        let answer: Value = response.json().await.map_err(|error| format!("{error:?}"))?;
        id.filter(|_| answer["result"]["is_success"] == true).ok_or(answer.to_string())
    }
}

/// How often it is restarted, and how many calls are made.
fn size() -> (usize, usize) {
    let given = env::var("ODOO_GATEWAY_TEST_RESTARTS").unwrap_or_else(|_| "8,2000".to_owned());
    let (restarts, calls) = given.split_once(',').expect("two numbers");
    (restarts.parse().unwrap(), calls.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_the_gateway_is_restarted_on_a_socket_of_systemds() {
    let ((restarts, least), odoo) = (size(), odoo().await);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut folder = Gateway::start().await.stop();
    let load = Load {
        url: format!("http://{}", socket.local_addr().unwrap()),
        key: odoo.key.clone(),
        run: format!("restart {}", Uuid::new_v4()),
        made: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    };
    let started = Instant::now();
    let clients = (0..CLIENTS).map(|number| load.client(number % 2 == 0));
    let operator = async {
        let mut away = Duration::ZERO;
        for round in 0..=restarts {
            let begun = Instant::now();
            let (socket, left) = (socket.try_clone().unwrap(), folder);
            // The clients go on meanwhile.
            let gateway = task::spawn_blocking(move || Gateway::by_systemd(&socket, left, &[])).await.unwrap();
            assert_eq!(gateway.url, load.url);
            away += begun.elapsed();
            poll(|| load.made.load(Relaxed) >= least * (round + 1) / (restarts + 1)).await;
            load.is_over.store(round == restarts, Relaxed);
            let begun = Instant::now();
            gateway.terminate();
            let (status, said, left) = gateway.ended().await;
            assert_eq!(status, Some(0), "{said}");
            away += begun.elapsed();
            folder = left;
        }
        (away, folder)
    };
    let (outcomes, (away, folder)) = future::join(future::join_all(clients), operator).await;
    let took = started.elapsed();

    let all = |part: fn(&Outcome) -> &Vec<String>| outcomes.iter().flat_map(part).cloned().collect::<Vec<String>>();
    let (ids, names, failures) = (all(|of| &of.ids), all(|of| &of.names), all(|of| &of.failures));
    let longest = outcomes.iter().map(|outcome| outcome.longest).max().unwrap();
    println!(
        "{} calls of {CLIENTS} clients in {took:.1?}, {} of them writes; {restarts} restarts, {away:.1?} of them without a gateway that takes calls; {} failed; longest wait {longest:.1?}",
        load.made.load(Relaxed),
        names.len(),
        failures.len()
    );
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(ids.len() >= least, "{}", ids.len());
    let (_, verdict, _) = run_in(folder.path(), &["log", "verify"]);
    let lines = all_lines(folder.path());
    let done: HashSet<&str> = lines
        .iter()
        .filter(|line| line["event"] == "call.finished" && line["state"] == "done")
        .map(|line| line["id"].as_str().unwrap())
        .collect();
    let missing: Vec<&String> = ids.iter().filter(|id| !done.contains(id.as_str())).collect();
    assert!(missing.is_empty() && done.len() == ids.len(), "{verdict}: {missing:?} are not in the log");
    let written = odoo.search_count("res.partner", json!([["name", "like", load.run]])).await;
    assert_eq!(written, json!(names.len()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creates_that_are_under_way_at_the_end_are_done_answered_and_in_the_log() {
    const CREATES: usize = 4;
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    // Each is to be under way by itself.
    let gateway = Gateway::before(&proxy.url, &odoo.database, "batch = false");
    let client = Client::with_key(&gateway).await;
    // What the gateway has to know of the model is known then.
    assert_eq!(client.call("create_data", "res.partner", partner("first")).await["is_success"], true);
    let releases: Vec<Arc<Notify>> = std::iter::repeat_with(Arc::default).take(CREATES).collect();
    let holds = releases.clone();
    proxy.run(move |number, _| Fault::Hold { reached: Arc::default(), release: holds[number].clone() });
    let run = format!("under way {}", Uuid::new_v4());
    let creates = future::join_all((0..CREATES).map(async |number| {
        let vals = partner(&format!("{run} {number}"));
        client.post("create_data", json!({"model": "res.partner", "vals": vals}).to_string()).await
    }));
    let stop = async {
        poll(|| proxy.seen().len() == CREATES).await;
        gateway.terminate();
        is_closed(&gateway).await;
        releases.iter().for_each(|release| release.notify_one());
        gateway.ended().await
    };
    let (answers, (status, said, folder)) = future::join(creates, stop).await;

    assert_eq!(status, Some(0), "{said}");
    let done = all_lines(folder.path()).into_iter().filter(|line| line["event"] == "call.finished");
    let done: HashMap<String, Value> =
        done.map(|line| (line["id"].as_str().unwrap().to_owned(), line["state"].clone())).collect();
    for answer in answers {
        assert_eq!(answer.json["result"]["is_success"], true, "{answer:?}");
        assert_eq!(answer.headers["connection"], "close");
        assert_eq!(done[answer.headers["gateway-call-id"].to_str().unwrap()], "done");
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "like", run]])).await, json!(CREATES));
    assert_eq!(run_in(folder.path(), &["log", "verify"]).0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_takes_longer_than_the_drain_is_in_doubt_and_the_exit_status_says_so() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let config = configuration(&proxy.url, &odoo.database, "").replacen("[admin]", "drain = \"1s\"\n[admin]", 1);
    let gateway = Gateway::with_configuration(&config, &[]);
    let client = Client::with_key(&gateway).await;
    assert_eq!(client.call("create_data", "res.partner", partner("first")).await["is_success"], true);
    proxy.run(|_, _| Fault::Hold { reached: Arc::default(), release: Arc::default() });
    let name = format!("too long {}", Uuid::new_v4());
    let body = json!({"model": "res.partner", "vals": partner(&name)}).to_string();
    let stop = async {
        poll(|| proxy.seen().len() == 1).await;
        gateway.terminate();
        gateway.ended().await
    };
    let (answer, (status, said, folder)) = future::join(client.try_post("create_data", body), stop).await;

    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("calls were still under way when the drain was over") && said.contains("calls=1"), "{said}");
    let (_, listed, _) = run_in(folder.path(), &["log", "ls", "--in-doubt", "--json"]);
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listed.len(), 1, "{listed:?}");
    let id = listed[0]["id"].as_str().unwrap();
    let (_, shown, _) = run_in(folder.path(), &["log", "show", id]);
    assert!(shown.contains(&name), "{shown}");
    assert_eq!(run_in(folder.path(), &["log", "verify"]).0, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_does_not_hold_up_the_stop() {
    let gateway = Gateway::start_with("[proxy]\npass = [\"/web/session/\", \"/websocket\"]").await;
    let address = gateway.url.trim_start_matches("http://");
    let client = Client::with_session(&gateway).await;
    let cookie = client.credential();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /websocket HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: {cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n\r\n",
        STANDARD.encode([7; 16])
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut head = vec![0; 12];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&head), "HTTP/1.1 101");

    let begun = Instant::now();
    gateway.terminate();
    let (status, said, _) = gateway.ended().await;
    assert_eq!(status, Some(0), "{said}");
    // The drain would be half a minute.
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
}

fn partner(name: &str) -> Value {
    json!({"payload": {"name": name}})
}

/// Waits until no new connection is taken.
async fn is_closed(gateway: &Gateway) {
    let address = gateway.url.trim_start_matches("http://");
    poll(|| std::net::TcpStream::connect(address).is_err()).await;
}
