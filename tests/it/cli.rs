//! The program at the command line: start, stop, check, help, and what a mistake looks like.

use std::{
    fs,
    process::{Command, Output},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinHandle};

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    gateway::{Gateway, PROGRAM, configuration, new_client},
    odoo::{odoo, odoo_14},
};

/// Runs a command on a configuration file of this text.
fn run(command: &str, config: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    fs::write(&file, config).unwrap();
    Command::new(PROGRAM).args([command, "--config"]).arg(file).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn check_says_a_line_for_each_thing_and_exits_0_when_all_is_well() {
    let odoo = odoo().await;
    let checked = run("check", &configuration(&odoo.url, &odoo.database, ""));
    let said = text(&checked.stdout);
    let first_words: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
    let all = [
        ("✓", "ok", "configuration"),
        ("✓", "ok", "listen"),
        ("✓", "ok", "listen"),
        ("✓", "ok", "log"),
        ("✓", "ok", "disk"),
        ("✓", "ok", "store"),
        ("✓", "ok", "console"),
        ("✓", "ok", "odoo"),
        ("✓", "ok", "database"),
        ("✓", "ok", "credentials"),
        ("!", "warn", "proxy"),
        ("→", "set", "proxy_mode"),
        ("✓", "ok", "clock"),
        ("✓", "ok", "in"),
    ];
    let all: Vec<Vec<&str>> = all.iter().map(|(sign, level, area)| vec![*sign, *level, *area]).collect();
    assert_eq!(first_words.get(..all.len()), Some(&all[..]), "{said}");
    assert!(said.contains("19.0 community answers"));
    assert!(said.ends_with("\n12 ok, 1 warning, 0 failures: the gateway can start; look at the warnings\n"), "{said}");
    assert_eq!(checked.status.code(), Some(0));
}

#[tokio::test]
async fn check_says_how_many_calls_odoo_answers_at_a_time_where_that_is_fewer_than_asked_for() {
    let odoo = odoo().await;
    let two_workers = FaultProxy::with_workers(odoo, 2).await;
    let answers = [
        ("2", "up to 2 calls at a time"),
        ("4", "max_in_flight is 4, but Odoo answers 2 at a time"),
        (
            "\"auto\"",
            "the gateway finds how many calls Odoo takes at a time ([upstream] max_in_flight); Odoo answers 2 at a time",
        ),
    ];
    for (wanted, said) in answers {
        let config = configuration(&two_workers.url, &odoo.database, &format!("max_in_flight = {wanted}"));
        // In a thread of its own: the workers are on this one.
        let checked = tokio::task::spawn_blocking(move || run("check", &config)).await.unwrap();
        assert!(text(&checked.stdout).contains(said), "{}", text(&checked.stdout));
        assert_eq!(checked.status.code(), Some(0));
    }
}

#[tokio::test]
async fn check_shows_whether_odoo_accepts_the_account_of_each_client() {
    let odoo = odoo().await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), &odoo.key).unwrap();
    let account = |name, login: &str| {
        let login = format!("odoo_login = \"{login}\"\nodoo_key_file = \"{}\"\n", secret.path().display());
        new_client(name).1 + &login
    };
    let clients = account("good", &odoo.login) + &account("bad", "nobody");
    let checked = run("check", &configuration(&odoo.url, &odoo.database, &clients));
    let said = text(&checked.stdout);
    assert!(said.contains(&format!("ok    client         `good` is `{}` in Odoo", odoo.login)), "{said}");
    assert!(said.contains("FAIL  client         `bad`: Odoo does not accept this login with this secret"), "{said}");
    assert_eq!(checked.status.code(), Some(1));
}

#[tokio::test]
async fn check_fails_on_a_database_that_odoo_does_not_serve() {
    for odoo in [odoo().await, odoo_14().await] {
        let checked = run("check", &configuration(&odoo.url, "no_such_database", ""));
        assert_eq!(checked.status.code(), Some(1));
        assert!(text(&checked.stdout).contains("FAIL  database"), "{}", text(&checked.stdout));
    }
}

#[tokio::test]
async fn check_fails_on_a_door_that_this_odoo_does_not_have() {
    let odoo = odoo_14().await;
    let checked = run("check", &configuration(&odoo.url, &odoo.database, "protocol = \"json-2\""));
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked.stdout).contains("FAIL  credentials    [upstream] protocol is \"json-2\", which Odoo 14"));
}

#[test]
fn check_fails_on_an_odoo_that_is_not_there() {
    let checked = run("check", &configuration("http://127.0.0.1:9", "none", ""));
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        text(&checked.stdout).contains("FAIL  odoo           Odoo cannot be reached at http://127.0.0.1:9"),
        "{}",
        text(&checked.stdout)
    );
}

#[test]
fn a_mistake_in_the_configuration_stops_the_start_with_file_line_and_known_keys() {
    let started = run("serve", "[upstream]\nurl = \"http://127.0.0.1:9\"\ndatabse = \"x\"\n");
    assert_eq!(started.status.code(), Some(1));
    let said = text(&started.stderr);
    for part in ["gateway.toml:3:1", "unknown key `databse` in [upstream]", "did you mean `database`?", "^^^^^^^"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let missing = Command::new(PROGRAM).args(["serve", "--config", "no-such-file.toml"]).output().unwrap();
    assert_eq!(
        (missing.status.code(), text(&missing.stderr).contains("there is no file no-such-file.toml")),
        (Some(1), true)
    );
}

#[test]
fn help_names_the_commands_that_there_are() {
    let help = text(&Command::new(PROGRAM).arg("--help").output().unwrap().stdout);
    assert!(help.contains("serve") && help.contains("check"), "{help}");
    assert_eq!(Command::new(PROGRAM).arg("no-such-command").output().unwrap().status.code(), Some(2));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = configuration("http://127.0.0.1:9", "none", "").replacen("127.0.0.1:0", &address.to_string(), 1);
    let started = run("serve", &config);
    assert_eq!(started.status.code(), Some(1));
    assert!(
        text(&started.stderr).contains(&format!("cannot listen on {address} ([server] listen)")),
        "{}",
        text(&started.stderr)
    );
}

/// A call whose write has reached the proxy before Odoo, and waits there.
struct Held {
    gateway: Gateway,
    call: JoinHandle<Value>,
    name: String,
    release: Arc<Notify>,
}

impl Held {
    async fn start() -> Self {
        let odoo = odoo().await;
        let proxy = FaultProxy::before(odoo).await;
        let gateway = Gateway::before(&proxy.url, &odoo.database, "");
        let client = Client::with_bearer(&gateway).await;
        let (reached, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
        proxy.run(move |_, rpc| if rpc.ends_with("/create") { hold.clone() } else { Fault::Pass });
        let name = format!("held {}", uuid::Uuid::new_v4());
        let vals = json!({"payload": {"name": name}});
        let call = tokio::spawn(async move { client.call("create_data", "res.partner", vals).await });
        reached.notified().await;
        Self { gateway, call, name, release }
    }
}

async fn is_made(name: &str) -> bool {
    odoo().await.search_count("res.partner", json!([["name", "=", name]])).await == 1
}

#[tokio::test]
async fn a_stop_lets_calls_under_way_finish_and_exits_0() {
    let Held { gateway, call, name, release } = Held::start().await;
    gateway.terminate();
    // It takes no new connection any more, and the call is still there.
    while tokio::net::TcpStream::connect(gateway.url.trim_start_matches("http://")).await.is_ok() {}
    release.notify_one();
    assert_eq!(call.await.unwrap()["is_success"], true);
    assert_eq!(gateway.wait().0.code(), Some(0));
    assert!(is_made(&name).await);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_cut_a_call_to_odoo_in_half() {
    let Held { gateway, call, name, release } = Held::start().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    release.notify_one();
    let deadline = Instant::now() + Duration::from_secs(20);
    while gateway.log().is_empty() {
        assert!(Instant::now() < deadline, "the call is not in the log");
        tokio::task::yield_now().await;
    }
    assert_eq!(gateway.log()[0]["state"], "done");
    assert!(is_made(&name).await);
}

#[tokio::test]
async fn the_admin_listener_tells_health_and_readiness_and_serves_no_calls() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.get_admin("/health").await, (200, json!({"status": "pass"})));
    assert_eq!(
        gateway.get_admin("/ready").await,
        (
            200,
            json!({"ready": true, "store": "answers", "log": "writable", "odoo": {"version": "19.0", "edition": "community", "database": "served"}})
        )
    );
    assert_eq!(gateway.get_admin("/api/create_data").await.0, 404);
    assert_eq!(Client::nobody(&gateway).send("GET", "/ready", Default::default(), None::<String>).await.status, 404);
}

#[test]
fn completions_and_man_pages_are_made_of_the_commands() {
    let run = |args: &[&str]| Command::new(PROGRAM).args(args).output().unwrap();
    for (shell, part) in
        [("bash", "complete -F _odoo__gateway"), ("zsh", "#compdef odoo-gateway"), ("fish", "complete -c odoo-gateway")]
    {
        let script = run(&["completions", shell]);
        let text = String::from_utf8(script.stdout).unwrap();
        assert!(script.status.success() && text.contains(part) && text.contains("replay"), "{shell}: {text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("odoo-gateway.bash");
    fs::write(&script, run(&["completions", "bash"]).stdout).unwrap();
    assert!(Command::new("bash").arg("-n").arg(&script).status().unwrap().success());
    let pages = folder.path().join("man");
    assert!(run(&["man", "--into", pages.to_str().unwrap()]).status.success());
    for page in ["odoo-gateway.1", "odoo-gateway-replay.1", "odoo-gateway-log-ls.1", "odoo-gateway-status.1"] {
        let text = fs::read_to_string(pages.join(page)).unwrap();
        assert!(text.contains(".TH ") && text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    assert!(!pages.join("odoo-gateway-hook-worker.1").exists() && !pages.join("odoo-gateway-help.1").exists());
    // Where there is a formatter, it has nothing to say.
    if let Ok(formatted) =
        Command::new("man").args(["--warnings", "-l"]).arg(pages.join("odoo-gateway-replay.1")).output()
    {
        assert!(formatted.stderr.is_empty(), "{}", String::from_utf8_lossy(&formatted.stderr));
    }
}
