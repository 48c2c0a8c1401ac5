//! `odoo-gateway init`, as a person meets it at a terminal and as a script uses it; what it prints is run as it stands.

use std::{
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::support::{
    gateway::{Gateway, PROGRAM},
    odoo::{Odoo, odoo, odoo_14},
    terminal::Terminal,
};

/// The program in a folder, with nothing of this environment.
fn program(folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    let variables = ["ODOO_LOGIN", "ODOO_API_KEY", "ODOO_GATEWAY_CONFIG", "NO_COLOR"];
    for variable in variables {
        command.env_remove(variable);
    }
    command.current_dir(folder).arg("init");
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A port that is free now.
fn port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

/// Runs a printed command by the shell, as the user whose credential it is.
fn by_shell(command: &str, odoo: &Odoo) -> Value {
    let run = Command::new("sh")
        .args(["-c", command])
        .env("ODOO_LOGIN", &odoo.login)
        .env("ODOO_API_KEY", &odoo.key)
        .output()
        .unwrap();
    serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

/// Makes the first call twice: one contact comes of it, with its country.
async fn is_made_once(call: &str, odoo: &Odoo) {
    let first = by_shell(call, odoo);
    assert_eq!(first["result"]["is_success"], true, "{first}");
    let id = |answer: &Value| match &answer["result"]["result"]["id"] {
        Value::Array(ids) => ids[0].clone(),
        id => id.clone(),
    };
    let again = by_shell(call, odoo);
    assert_eq!((id(&again), &again["result"]["messages"]), (id(&first), &json!("Record updated successfully")));
    let domain = json!([["id", "=", id(&first)], ["ref", "=", "FIRST-1"], ["country_id.code", "=", "BE"]]);
    assert_eq!(odoo.search_count("res.partner", domain).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_gets_from_an_address_to_a_first_record() {
    let odoo = odoo().await;
    let folder = tempfile::tempdir().unwrap();
    let (server, admin) = (port(), port());
    let mut terminal = Terminal::run(&mut program(folder.path()));
    // Mistakes are told apart, and what they concern is asked anew.
    terminal.see("Odoo's address:");
    terminal.enter("127.0.0.1:9");
    terminal.see("refuses connections at port 9");
    terminal.see("Odoo's address:");
    // As it was copied from the browser, without a scheme.
    terminal.enter(&format!("{}/odoo/sales", odoo.url.trim_start_matches("http://")));
    terminal.see("Odoo 19.0 community answers at http://");
    terminal.see("My Preferences → Security → Add API Key");
    terminal.see("The login of an Odoo user:");
    terminal.enter(&odoo.login);
    terminal.see("Its API key:");
    terminal.enter(&"0".repeat(40));
    terminal.see("Odoo does not accept this API key. Is the key copied whole");
    terminal.see("Its API key:");
    terminal.enter(&odoo.key);
    terminal.see("works, with its key");
    terminal.see("The port for callers:");
    terminal.enter(&server);
    terminal.see("The port for health, metrics and the console:");
    terminal.enter(&admin);
    terminal.see("`gateway.toml` is written (mode 0600)");
    terminal.see("Send the first call");
    let (status, screen) = terminal.end();
    assert_eq!(status, Some(0), "{screen}");

    let file = folder.path().join("gateway.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!screen.contains(&odoo.key) && !std::fs::read_to_string(&file).unwrap().contains(&odoo.key));
    let call = screen.find("curl http").map(|at| &screen[at..]).unwrap();
    let call = &call[..call.find("}'").unwrap() + 2];
    let gateway = Gateway::again(folder).unwrap();
    assert_eq!(gateway.url, format!("http://127.0.0.1:{server}"));
    is_made_once(call, odoo).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_gives_all_of_it_by_flags() {
    let odoo = odoo_14().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), &odoo.key).unwrap();
    let run = |login: &str, more: &[&str]| {
        let mut command = program(folder.path());
        command.args(["--url", &odoo.url, "--database", &odoo.database, "--login", login, "--key-file", "key"]);
        command.args(["--listen", &port(), "--admin", &port(), "--json"]).args(more);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let wrong = run("nobody", &[]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("Odoo does not accept this login with this secret"), "{wrong:?}");
    assert!(!folder.path().join("gateway.toml").exists());

    let made = run(&odoo.login, &[]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let report: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&report["odoo"]["version"], &report["mode"]), (&json!("14.0"), &json!("0600")), "{report}");
    assert_eq!((&report["credential"], &report["notes"]), (&json!("key"), &json!([])));

    let again = run(&odoo.login, &[]);
    assert!(text(&again.stderr).contains("`gateway.toml` is there already and is not overwritten"), "{again:?}");
    let forced = run(&odoo.login, &["--force"]);
    let report: Value = serde_json::from_slice(&forced.stdout).unwrap();
    let _gateway = Gateway::again(folder).unwrap();
    is_made_once(report["first_call"].as_str().unwrap(), odoo).await;
}

#[tokio::test]
async fn without_a_terminal_what_lacks_is_named_and_ctrl_c_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| -> Output { program(folder.path()).args(args).stdin(Stdio::null()).output().unwrap() };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = taken.local_addr().unwrap().to_string();
    drop(taken);
    for (args, why) in [
        (&[][..], "--url is missing (Odoo's address)"),
        (&["--url", "http://odoo-gateway.invalid"], "there is no host `odoo-gateway.invalid`"),
        (&["--url", &silent], "refuses connections"),
        (&["--url", "ftp://erp.example.com"], "`ftp` is not a scheme"),
    ] {
        let said = run(args);
        assert_eq!(said.status.code(), Some(1));
        assert!(text(&said.stderr).contains(why), "{args:?}: {}", text(&said.stderr));
    }
    // Another gateway is an HTTP server, and not an Odoo.
    let other = Gateway::before("http://127.0.0.1:9", "none", "");
    let said = |url: &str| text(&run(&["--url", url]).stderr);
    assert!(said(&other.admin).contains("answers, but is not an Odoo"), "{}", said(&other.admin));
    let by_tls = other.admin.replace("http://", "https://");
    assert!(said(&by_tls).contains("TLS with https://127.0.0.1:"), "{}", said(&by_tls));

    let mut terminal = Terminal::run(&mut program(folder.path()));
    terminal.see("Odoo's address:");
    terminal.press("\u{3}");
    let (status, screen) = terminal.end();
    assert!(status == Some(1) && screen.contains("stopped; nothing was written"), "{screen}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
