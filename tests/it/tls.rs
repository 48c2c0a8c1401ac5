//! TLS at the public listener and towards Odoo, with the real Odoo behind it.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rustls::ClientConfig;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use crate::support::{
    client::{self, Client},
    gateway::{Gateway, configuration, run_in},
    odoo::odoo,
    tls::{Authority, Connection, SEARCH, chain, configure, connect, folder, gateway},
};

/// How long anything may take; only what hangs lets it pass.
const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what} does not come");
        time::sleep(PAUSE).await;
    }
}

/// How often the configuration was read again, with this outcome.
async fn reloads(gateway: &Gateway, outcome: &str) -> u64 {
    let metrics = client::http().get(format!("{}/metrics", gateway.admin)).send().await.unwrap().text().await.unwrap();
    let start = format!("odoo_gateway_reloads_total{{outcome=\"{outcome}\"}} ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&start));
    count.map_or(0, |count| count.parse().unwrap())
}

/// What a new connection is shown.
async fn shown(gateway: &Gateway, config: &ClientConfig) -> Vec<u8> {
    Connection::http1(gateway, config).await.unwrap().certificate.to_vec()
}

/// Waits until new connections are shown what is in the gateway's folder.
async fn until_shown(gateway: &Gateway, config: &ClientConfig, folder: &Path) {
    let wanted = chain(&folder.join("certificate.pem"))[0].to_vec();
    until("the certificate", async || shown(gateway, config).await == wanted).await;
}

fn folder_of(gateway: &Gateway) -> std::path::PathBuf {
    gateway.config_file().parent().unwrap().to_owned()
}

#[tokio::test]
async fn calls_work_by_both_versions_of_http_and_clear_text_is_closed() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let gateway = gateway(&authority, odoo, "", "");
    assert!(gateway.url.starts_with("https://"));
    Connection::http1(&gateway, &authority.trusted()).await.unwrap().search(odoo).await.unwrap();
    Connection::http2(&gateway, &authority.trusted()).await.unwrap().search(odoo).await.unwrap();

    let mut clear = TcpStream::connect(gateway.url.trim_start_matches("https://")).await.unwrap();
    clear.write_all(b"GET /web/session/check HTTP/1.1\r\nHost: gateway\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = time::timeout(DEADLINE, clear.read_to_end(&mut answer)).await.expect("it is closed");
    // At most an alert of TLS.
    assert!(answer.len() <= 7 && !answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(gateway.lines().iter().all(|line| line["event"] != "request.refused"));
}

#[tokio::test]
async fn new_certificates_are_shown_to_new_connections_and_open_ones_go_on() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let gateway = gateway(&authority, odoo, "", "");
    let (config, folder) = (authority.trusted(), folder_of(&gateway));
    let mut http1 = Connection::http1(&gateway, &config).await.unwrap();
    let mut http2 = Connection::http2(&gateway, &config).await.unwrap();
    http1.search(odoo).await.unwrap();
    authority.issue_into(&folder, "renewed");
    until_shown(&gateway, &config, &folder).await;
    http1.search(odoo).await.unwrap();
    http2.search(odoo).await.unwrap();

    // As certbot and Kubernetes do it: the names are links, and a folder behind them is changed.
    for name in ["one", "two"] {
        std::fs::create_dir(folder.join(name)).unwrap();
        authority.issue_into(&folder.join(name), name);
    }
    let link = |to: &str| {
        std::os::unix::fs::symlink(to, folder.join("link")).unwrap();
        std::fs::rename(folder.join("link"), folder.join("live")).unwrap();
    };
    link("one");
    for file in ["certificate.pem", "key.pem"] {
        std::fs::remove_file(folder.join(file)).unwrap();
        std::os::unix::fs::symlink(format!("live/{file}"), folder.join(file)).unwrap();
    }
    until_shown(&gateway, &config, &folder).await;
    link("two");
    until_shown(&gateway, &config, &folder).await;
    http1.search(odoo).await.unwrap();
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_old_ones_in_use_until_there_are_good_ones() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let gateway = gateway(&authority, odoo, "", "");
    let (config, folder) = (authority.trusted(), folder_of(&gateway));
    let first = shown(&gateway, &config).await;
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let refused = async |break_it: &dyn Fn()| {
        let before = reloads(&gateway, "refused").await;
        break_it();
        until("a reload", async || reloads(&gateway, "refused").await > before).await;
        assert_eq!(shown(&gateway, &config).await, first);
        Connection::http1(&gateway, &config).await.unwrap().search(odoo).await.unwrap();
    };
    refused(&|| std::fs::write(&certificate, "no certificate").unwrap()).await;
    refused(&|| std::fs::remove_file(&certificate).unwrap()).await;
    let next = authority.issue("next");
    refused(&|| assert!(std::fs::copy(&next.0, &certificate).is_ok())).await;
    refused(&|| std::fs::write(&key, "-----BEGIN PRIVATE KEY-----\nAAA\n").unwrap()).await;
    refused(&|| std::fs::remove_file(&key).unwrap()).await;
    // The certificate came before; its key is what was missing.
    std::fs::copy(next.1, &key).unwrap();
    until_shown(&gateway, &config, &folder).await;

    // Files that are named anew, and come later.
    configure(&folder, (&odoo.url, &odoo.database), "client_ca = \"later.pem\"", "");
    let before = reloads(&gateway, "refused").await;
    until("a reload", async || reloads(&gateway, "refused").await > before).await;
    std::fs::copy(authority.root(), folder.join("later.pem")).unwrap();
    let is_closed = async || match Connection::http1(&gateway, &config).await {
        Ok(mut connection) => connection.search(odoo).await.is_err(),
        Err(_) => true,
    };
    until("the authority for clients", is_closed).await;

    gateway.terminate();
    let said = gateway.wait().1;
    for words in [
        format!("[tls] certificate: there is no certificate in `{}`", certificate.display()),
        format!("[tls] certificate: cannot read `{}`: ", certificate.display()),
        format!("[tls] certificate `{}` and key `{}` cannot be used: ", certificate.display(), key.display()),
        format!("[tls] key: cannot read `{}`: ", key.display()),
        format!("[tls] client_ca: cannot read `{}`: ", folder.join("later.pem").display()),
    ] {
        assert!(said.contains(&words), "{words}: {said}");
    }
}

#[tokio::test]
async fn with_an_authority_for_clients_only_those_that_it_knows_are_served() {
    let (odoo, authority, other) = (odoo().await, Authority::new(), Authority::new());
    let folder = folder(&authority, (&odoo.url, &odoo.database), "client_ca = \"clients.pem\"", "");
    let clients = folder.path().join("clients.pem");
    std::fs::copy(authority.root(), &clients).unwrap();
    let gateway = Gateway::again(folder).unwrap();
    let (known, stranger) = (authority.issue("known"), other.issue("stranger"));
    let (known, stranger) = (authority.trusted_with(&known), authority.trusted_with(&stranger));
    // By TLS 1.3 a client that is refused hears of it after its own handshake.
    let is_served = async |config: &ClientConfig| match Connection::http2(&gateway, config).await {
        Ok(mut connection) => connection.search(odoo).await.is_ok().then_some(connection.is_resumed),
        Err(_) => None,
    };
    assert_eq!(is_served(&authority.trusted()).await, None);
    assert_eq!(is_served(&stranger).await, None);
    assert_eq!(is_served(&known).await, Some(false));
    // A client that comes back need not show its certificate again, as long as the same authorities count.
    assert_eq!(is_served(&known).await, Some(true));
    std::fs::copy(other.root(), &clients).unwrap();
    until("the other authority", async || is_served(&known).await.is_none()).await;
    assert_eq!(is_served(&stranger).await, Some(false));
    assert_eq!(is_served(&known).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odoo_behind_tls_is_reached_by_its_own_authority_only() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let url = authority.before(odoo).await;
    let with = |ca: &Authority| format!("ca = \"{}\"", ca.root().display());
    let gateway = Gateway::before(&url, &odoo.database, &with(&authority));
    assert_eq!(Client::with_key(&gateway).await.post("search_data", SEARCH).await.status, 200);
    let session = Client::with_session(&gateway).await;
    let found = session.post("search_data", SEARCH).await;
    assert_eq!(found.json["result"]["is_success"], json!(true), "{found:?}");

    for more in ["", &with(&Authority::new())] {
        let gateway = Gateway::before(&url, &odoo.database, &format!("retries = 0\n{more}"));
        let call = Client::with_key(&gateway).await.post("search_data", SEARCH).await;
        let passed = Client::nobody(&gateway).authenticate(&odoo.database, &odoo.login, &odoo.password).await;
        for answer in [call, passed] {
            let text = answer.json.to_string();
            assert_eq!(answer.status, 502, "{answer:?}");
            assert!(text.contains("odoo_unreachable") && text.contains("the gateway cannot reach Odoo"), "{text}");
            assert!(!text.contains("127.0.0.1") && !text.to_lowercase().contains("certificate"), "{text}");
        }
        let (_, checked, _) = gateway.run(&["check"]);
        assert!(checked.contains("FAIL  odoo") && checked.contains("certificate"), "{checked}");
        gateway.terminate();
        let said = gateway.wait().1;
        assert!(said.contains("certificate"), "{said}");
    }
}

#[tokio::test]
async fn a_start_that_tls_prevents_says_which_key_and_file_are_wrong_and_so_does_a_check() {
    let authority = Authority::new();
    let odoo = ("http://127.0.0.1:9", "none");
    let prepared = || folder(&authority, odoo, "", "");
    let missing_key = prepared();
    std::fs::remove_file(missing_key.path().join("key.pem")).unwrap();
    let other_key = prepared();
    std::fs::copy(authority.issue("another").1, other_key.path().join("key.pem")).unwrap();
    let written = |tls: &str| {
        let folder = prepared();
        let config = configuration(odoo.0, odoo.1, tls);
        std::fs::write(folder.path().join("gateway.toml"), config).unwrap();
        folder
    };
    for (folder, key, file, words) in [
        (missing_key, "[tls] key", "key.pem", "No such file"),
        (other_key, "[tls] certificate", "key.pem", "cannot be used"),
        (
            written("[tls]\ncertificate = \"certificate.pem\""),
            "[tls] certificate",
            "gateway.toml",
            "key belong together",
        ),
        (written("[tls]\nclient_ca = \"x.pem\""), "[tls] client_ca", "gateway.toml", "needs a certificate"),
        (written("ca = \"none.pem\""), "[upstream] ca", "none.pem", "No such file"),
    ] {
        let (status, checked, _) = run_in(folder.path(), &["check"]);
        let is_it = |text: &str| text.contains(key) && text.contains(file) && text.contains(words);
        assert_eq!(status, Some(1), "{checked}");
        assert!(checked.contains("✗ FAIL  ") && is_it(&checked), "{words}: {checked}");
        let Err(said) = Gateway::again(folder) else { panic!("it starts: {words}") };
        assert!(is_it(&said), "{words}: {said}");
    }
}

#[tokio::test]
async fn handshakes_that_are_not_finished_are_closed_and_nobody_is_kept_waiting() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let gateway = gateway(&authority, odoo, "", "[limits]\nheader_timeout = \"5s\"");
    let address = gateway.url.trim_start_matches("https://");
    let mut waiting = Vec::new();
    let started = Instant::now();
    // Nothing, the first bytes of a hello, and one that announces more than comes.
    for bytes in [&b""[..], b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"].repeat(40) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        waiting.push(stream);
    }
    Connection::http2(&gateway, &authority.trusted()).await.unwrap().search(odoo).await.unwrap();
    // And after a handshake, a connection on which nothing is asked.
    for protocol in [&b"h2"[..], b"http/1.1"] {
        let mut silent = connect(&gateway, &authority.trusted(), protocol).await.unwrap();
        let _ = time::timeout(DEADLINE, silent.read_to_end(&mut Vec::new())).await.expect("it is closed");
    }
    for stream in &mut waiting {
        let _ = time::timeout(DEADLINE, stream.read_to_end(&mut Vec::new())).await.expect("it is closed");
    }
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
}
