//! What the operator's machinery sees of the gateway: health, readiness, metrics, systemd's notifications, traces, and what
//! it says of itself.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future, stream};
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    net::{TcpStream, UnixDatagram},
    sync::Notify,
    time,
};

use crate::support::{
    client::{Answer, Client, http},
    fault::{Fault, FaultProxy},
    gateway::{Gateway, new_client, run_in},
    odoo::odoo,
    poll, poll_for,
};

const COUNTRY: &str = r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#;

type Series = BTreeMap<String, f64>;

/// What a counter or gauge shows; nothing has happened where it is not there.
fn value(series: &Series, name: &str) -> f64 {
    series.get(&format!("odoo_gateway_{name}")).copied().unwrap_or_default()
}

/// The sum over all labels.
fn sum(series: &Series, name: &str) -> f64 {
    let begin = format!("odoo_gateway_{name}{{");
    series.iter().filter(|(series, _)| series.starts_with(&begin)).map(|(_, value)| value).sum()
}

async fn get(client: &Client, path: &str) -> Answer {
    client.send("GET", path, HeaderMap::new(), None::<String>).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_what_was_done() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_login(&gateway, &odoo.login, &odoo.password);
    let nobody = Client::nobody(&gateway);
    for _ in 0..3 {
        client.post("search_data", COUNTRY).await;
    }
    client.call("create_data", "res.partner", json!({"payload": {"name": "counted"}})).await;
    client.call("search_data", "no.such.model", json!({"payload": {}})).await;
    nobody.post("search_data", COUNTRY).await;
    proxy.run(|_, _| Fault::Refuse);
    client.post("search_data", COUNTRY).await;
    proxy.run(|_, _| Fault::Pass);
    get(&nobody, "/nowhere").await;
    nobody.authenticate(&odoo.database, &odoo.login, &odoo.password).await;
    // The end of a request that is passed on is told after its answer.
    poll_for(async || sum(&gateway.metrics().await, "requests_total") == 2.0).await;

    let series = gateway.metrics().await;
    let calls = |route: &str, state: &str, code: &str| {
        value(&series, &format!("calls_total{{route=\"{route}\",state=\"{state}\",code=\"{code}\"}}"))
    };
    assert_eq!(calls("search_data", "done", ""), 3.0, "{series:#?}");
    assert_eq!(calls("create_data", "done", ""), 1.0);
    assert_eq!(calls("search_data", "failed", "unknown_model"), 1.0);
    assert_eq!(calls("search_data", "failed", "no_credentials"), 1.0);
    assert_eq!(calls("search_data", "failed", "user_error"), 1.0);
    assert_eq!(sum(&series, "calls_total"), 7.0);
    let times = |route: &str, part: &str| value(&series, &format!("call_duration_seconds_{part}{{route=\"{route}\"}}"));
    assert_eq!((times("search_data", "count"), times("create_data", "count")), (6.0, 1.0));
    assert!(times("create_data", "sum") > 0.0);
    assert_eq!(value(&series, "requests_total{code=\"not_found\"}"), 1.0);
    assert_eq!(value(&series, "requests_total{code=\"2xx\"}"), 1.0);
    assert_eq!(value(&series, "request_duration_seconds_count"), 2.0);
    let up = (value(&series, "odoo_up"), value(&series, "log_up"));
    assert_eq!((up, value(&series, "requests_in_flight"), value(&series, "odoo_in_flight")), ((1.0, 1.0), 0.0, 0.0));
    assert!(value(&series, "log_free_bytes") > 0.0);
    // Whatever came to the proxy, but the login that was passed on and the page by which proxy mode is seen: the gateway asks
    // for the version now and then.
    let asked = async || {
        let series = gateway.metrics().await;
        let answered = value(&series, "odoo_calls_total{outcome=\"answered\"}");
        answered == (proxy.requests("") - 1 - proxy.requests("GET / ")) as f64
            && value(&series, "odoo_call_duration_seconds_count") == answered
    };
    poll_for(asked).await;
}

#[tokio::test]
async fn metrics_are_open_metrics_where_they_are_asked_for() {
    const ASKED: &str = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    let gateway = Gateway::start().await;
    Client::with_key(&gateway).await.post("search_data", COUNTRY).await;
    let request = http().get(format!("{}/metrics", gateway.admin)).header("accept", ASKED);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = response.text().await.unwrap();
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    let form = concat!(
        r"^(# (HELP|TYPE|UNIT) (odoo_gateway|process)_[a-z_]+ .+|# EOF|",
        r#"(odoo_gateway|process)_[a-z_]+(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? -?[0-9.e+-]+)$"#
    );
    let form = regex::Regex::new(form).unwrap();
    assert_eq!(text.lines().find(|line| !form.is_match(line)), None);
    let families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let stray = text.lines().filter(|line| !line.starts_with('#'));
    let stray: Vec<&str> = stray.filter(|line| !families.iter().any(|family| line.starts_with(family))).collect();
    assert!(stray.is_empty(), "{stray:?}");
}

#[tokio::test]
async fn no_caller_can_make_a_series_of_its_own() {
    let gateway = Gateway::start_with("[proxy]\npass = [\"/web/session/\"]").await;
    let (client, nobody) = (Client::with_key(&gateway).await, Client::nobody(&gateway));
    let junk = async |number: usize| {
        let odd = format!("junk_{number}");
        get(&nobody, &format!("/{odd}")).await;
        nobody.send(&format!("JUNK{number}"), &format!("/api/{odd}"), HeaderMap::new(), None::<String>).await;
        nobody.post(&odd, "{}").await;
        Client::with_header(&gateway, "x-api-key", &format!("gw_{odd}")).post("search_data", COUNTRY).await;
    };
    let junk_for_odoo = async |number: usize| {
        let odd = format!("junk_{number}");
        get(&nobody, &format!("/web/session/{odd}")).await;
        client.call("search_data", &odd, json!({"payload": {}})).await;
        client.call("call_function", "res.partner", json!({"payload": {"method": odd}})).await;
    };
    // One of each, and a moment for the end of what is passed on; then all the others.
    junk(0).await;
    junk_for_odoo(0).await;
    poll_for(async || sum(&gateway.metrics().await, "requests_total") == 4.0).await;
    let before: Vec<String> = gateway.metrics().await.into_keys().collect();
    stream::iter(1..200).map(junk).buffer_unordered(4).collect::<()>().await;
    // Odoo takes its time over what is not there.
    stream::iter(1..40).map(junk_for_odoo).buffer_unordered(4).collect::<()>().await;
    poll_for(async || sum(&gateway.metrics().await, "requests_total") == 640.0).await;
    let series = gateway.metrics().await;
    assert_eq!(sum(&series, "calls_total"), 280.0, "{series:#?}");
    assert_eq!(series.into_keys().collect::<Vec<String>>(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_and_what_is_beyond_a_limit_shows() {
    const BEYOND: u8 = 20;
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let limits = "max_in_flight = 1\n[limits]\nrequests = 2\nconnections_per_address = 3";
    let gateway = Gateway::before(&proxy.url, &odoo.database, limits);
    let client = Client::with_key(&gateway).await;
    assert_eq!(client.post("search_data", COUNTRY).await.json["result"]["is_success"], true);
    let release = Arc::new(Notify::new());
    let hold = release.clone();
    proxy.run(move |number, _| match number {
        0 => Fault::Hold { reached: Arc::default(), release: hold.clone() },
        _ => Fault::Pass,
    });
    let look = async {
        poll(|| !proxy.seen().is_empty()).await;
        let shows = async |names: [&str; 2], expected: [f64; 2]| {
            let series = gateway.metrics().await;
            names.map(|name| value(&series, name)) == expected
        };
        poll_for(async || shows(["odoo_in_flight", "odoo_waiting"], [1.0, 1.0]).await).await;
        assert!(shows(["requests_in_flight", "connections"], [2.0, 2.0]).await);
        assert_eq!(client.post("search_data", COUNTRY).await.status, 503);
        // It keeps its place until the gateway has seen its end.
        poll_for(async || shows(["requests_in_flight", "connections"], [2.0, 2.0]).await).await;
        let address = gateway.url.trim_start_matches("http://");
        let _third = TcpStream::connect(address).await.unwrap();
        for _ in 0..BEYOND {
            let mut beyond = TcpStream::connect(address).await.unwrap();
            let mut answer = [0; 12];
            beyond.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 503");
        }
        release.notify_one();
    };
    let (first, second) = (client.post("search_data", COUNTRY), client.post("search_data", COUNTRY));
    let (first, second, ()) = future::join3(first, second, look).await;
    assert!([first, second].iter().all(|answer| answer.json["result"]["is_success"] == true));
    let series = gateway.metrics().await;
    assert_eq!(value(&series, "limited_total{limit=\"requests\"}"), 1.0, "{series:#?}");
    assert_eq!(value(&series, "limited_total{limit=\"connections_per_address\"}"), f64::from(BEYOND));
    assert_eq!(value(&series, "requests_total{code=\"too_busy\"}"), 1.0, "{series:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odoo_that_is_away_is_told_and_that_it_is_back() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let (status, ready) = gateway.get_admin("/ready").await;
    let version = ready["odoo"].to_string();
    assert!(status == 200 && ready["ready"] == true && version.contains(&odoo.version.to_string()), "{ready}");
    proxy.run(|_, _| Fault::PassAndLeave(Duration::from_secs(4)));
    Client::with_key(&gateway).await.post("search_data", COUNTRY).await;
    let (status, ready) = gateway.get_admin("/ready").await;
    assert!(status == 503 && ready["ready"] == false && ready["log"] == "writable", "{ready}");
    assert_eq!(value(&gateway.metrics().await, "odoo_up"), 0.0);
    assert_eq!(gateway.get_admin("/health").await, (200, json!({"status": "pass"})));
    poll_for(async || value(&gateway.metrics().await, "odoo_up") == 1.0).await;
    assert_eq!(gateway.get_admin("/ready").await.0, 200);
}

#[tokio::test]
async fn a_log_that_takes_no_lines_is_told() {
    let gateway = Gateway::start_with("[log]\nmin_free = \"1 EiB\"").await;
    let (status, ready) = gateway.get_admin("/ready").await;
    assert!(status == 503 && ready["log"].as_str().unwrap().contains("min_free"), "{ready}");
    assert_eq!(value(&gateway.metrics().await, "log_up"), 0.0);
    assert_eq!(gateway.get_admin("/health").await.0, 200);
}

#[tokio::test]
async fn what_is_the_operators_is_not_on_the_public_listener() {
    let odoo = odoo().await;
    for gateway in [Gateway::start().await, Gateway::before_all_of(odoo)] {
        let nobody = Client::nobody(&gateway);
        for (method, path) in
            [("GET", "/health"), ("GET", "/ready"), ("GET", "/metrics"), ("GET", "/status"), ("POST", "/replay")]
        {
            let answer = nobody.send(method, path, HeaderMap::new(), None::<String>).await;
            assert_eq!(answer.status, 404, "{path}: {answer:?}");
        }
    }
}

/// The next datagram that is not the watchdog's.
async fn told(socket: &UnixDatagram) -> String {
    loop {
        let mut bytes = [0; 4096];
        let size = time::timeout(Duration::from_secs(20), socket.recv(&mut bytes)).await.expect("a word").unwrap();
        let words = String::from_utf8(bytes[..size].to_vec()).unwrap();
        if words != "WATCHDOG=1\n" {
            return words;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_is_told_how_it_stands() {
    let folder = Gateway::start().await.stop();
    let path = folder.path().join("notify");
    let (notify, socket) = (UnixDatagram::bind(&path).unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "400000")];
    let gateway = Gateway::by_systemd(&socket, folder, &variables);
    assert_eq!(told(&notify).await, "READY=1\n");

    let config = std::fs::read_to_string(gateway.config_file()).unwrap();
    let mut last = 0_u64;
    for more in ["", "[nonsense\n", ""] {
        std::fs::write(gateway.config_file(), format!("{config}{more}")).unwrap();
        gateway.signal("HUP");
        let words = told(&notify).await;
        let now = words.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{words}"));
        let now: u64 = now.trim_end().parse().unwrap();
        assert!(now > last);
        last = now;
        assert_eq!(told(&notify).await, "READY=1\n");
    }

    let (started, mut bytes) = (Instant::now(), [0; 64]);
    for _ in 0..10 {
        let size = notify.recv(&mut bytes).await.unwrap();
        assert_eq!(&bytes[..size], b"WATCHDOG=1\n");
    }
    // Some may have waited; but neither does it come all the time, nor too late.
    let took = started.elapsed();
    assert!(took > Duration::from_millis(400) && took < Duration::from_secs(30), "{took:?}");

    gateway.terminate();
    assert_eq!(told(&notify).await, "STOPPING=1\n");
    let (status, said, _) = gateway.ended().await;
    assert_eq!(status, Some(0), "{said}");
}

#[tokio::test]
async fn the_watchdog_of_another_process_is_not_answered() {
    let (folder, odoo) = (tempfile::tempdir().unwrap(), odoo().await);
    let path = folder.path().join("notify");
    let notify = UnixDatagram::bind(&path).unwrap();
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")];
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, "", &variables);
    gateway.signal("HUP");
    let mut words = Vec::new();
    while words.len() < 3 {
        let mut bytes = [0; 64];
        let size = notify.recv(&mut bytes).await.unwrap();
        words.push(String::from_utf8_lossy(&bytes[..size]).lines().next().unwrap().to_owned());
    }
    assert_eq!(words, ["READY=1", "RELOADING=1", "READY=1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trace_of_a_caller_goes_on_in_odoo() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_key(&gateway).await;
    let header = format!("traceparent: {TRACE}\r\n");
    client.clone().and("traceparent", TRACE).post("search_data", COUNTRY).await;
    assert!(proxy.last_request_to("search_read").contains(&header), "{}", proxy.last_request_to("search_read"));
    get(&client.clone().and("traceparent", TRACE), "/web/session/passed").await;
    assert!(proxy.last_request_to("/web/session/passed").contains(&header));
    for wrong in [&TRACE[1..], &TRACE.to_uppercase(), "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x"] {
        client.clone().and("traceparent", wrong).post("search_data", COUNTRY).await;
        let request = proxy.last_request_to("search_read");
        assert!(!request.to_ascii_lowercase().contains("traceparent"), "{wrong}: {request}");
    }
}

#[tokio::test]
async fn what_the_gateway_says_of_a_call_names_it() {
    let odoo = odoo().await;
    let (key, entry) = new_client("webshop");
    let entry = entry + "odoo_login = \"nobody\"\nodoo_password_env = \"ODOO_GATEWAY_TEST_SECRET\"\n";
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &entry, &[("ODOO_GATEWAY_TEST_SECRET", "wrong")]);
    let answer = Client::with_header(&gateway, "x-api-key", &key).post("search_data", COUNTRY).await;
    assert_eq!(answer.json["error"]["data"]["code"], "client_account");
    let id = answer.headers["gateway-call-id"].to_str().unwrap();
    let logged: Vec<Value> = gateway.log();
    assert_eq!(logged.last().unwrap()["id"], id);
    gateway.terminate();
    let (_, said, _) = gateway.ended().await;
    let line = said.lines().find(|line| line.contains("the Odoo account of a client")).unwrap();
    assert!(line.contains(id) && line.contains("webshop") && !line.contains("wrong\""), "{said}");
}

#[tokio::test]
async fn status_says_how_the_gateway_is_and_that_none_runs() {
    let gateway = Gateway::start().await;
    let client = Client::with_key(&gateway).await;
    client.post("search_data", COUNTRY).await;
    client.call("search_data", "no.such.model", json!({"payload": {}})).await;
    let status = gateway.run_json(&["status", "--json"]).remove(0);
    let calls = &status["calls"];
    assert_eq!((&calls["last_minute"], &calls["last_5_minutes"], &calls["failed"]), (&json!(2), &json!(2), &json!(1)));
    assert_eq!((&status["running"], &status["configuration"]["has_changed"]), (&json!(true), &json!(false)));
    assert!(status["process"]["admin"] == gateway.admin && status["process"]["url"] == gateway.url, "{status}");
    assert!(status["odoo"]["version"].as_str().unwrap().starts_with("19"), "{status}");
    assert_eq!(status["odoo"]["limit"], json!({"is_auto": true, "changed": null}));
    let (code, page, said) = gateway.run(&["status"]);
    let pid = format!("pid {}", status["process"]["pid"]);
    assert!(code == Some(0) && page.contains(&pid) && page.contains("2 in the last minute"), "{page}{said}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    // A stranger gets none.
    assert_eq!(gateway.get_admin("/status").await.0, 401);
    let folder = gateway.stop();
    let (code, page, _) = run_in(folder.path(), &["status"]);
    assert!(code == Some(3) && page.contains("No gateway runs"), "{page}");
    let (code, told, _) = run_in(folder.path(), &["status", "--json"]);
    assert!(code == Some(3) && told.contains("\"running\":false"), "{told}");
}
