//! What a person at a terminal of 80 columns sees. `script` (util-linux) gives commands such a terminal.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{
    client::Client,
    gateway::{Gateway, PROGRAM, configuration},
    odoo::odoo,
};

/// A command line within a terminal.
fn terminal(command: &str) -> Command {
    let mut script = Command::new("script");
    script.args(["-qec", &format!("stty cols 80 rows 40; {command}"), "/dev/null"]).stdin(Stdio::null());
    script.env("TERM", "xterm-256color").env_remove("NO_COLOR").env_remove("PAGER").env("LANG", "C.UTF-8");
    script
}

/// What the command of the gateway's shows on a terminal.
fn shown(gateway: &Gateway, args: &str, variables: &[(&str, &str)]) -> String {
    let mut command = terminal(&format!("{PROGRAM} {args}"));
    let run =
        command.env("ODOO_GATEWAY_CONFIG", gateway.config_file()).envs(variables.iter().copied()).output().unwrap();
    String::from_utf8(run.stdout).unwrap().replace('\r', "")
}

/// Without colours.
fn bare(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[tokio::test]
async fn lists_fit_80_columns_and_their_short_ids_can_be_pasted() {
    let gateway = Gateway::start().await;
    let client = Client::with_key(&gateway).await;
    let create = async |payload: Value| client.call("create_data", "res.partner", json!({"payload": payload})).await;
    create(json!({"name": "terminal", "country_id": {"code": "BE"}})).await;
    create(json!({"name": "terminal", "naem": "x", "country_id": {"code": "no such code"}})).await;
    let whole = gateway.run_json(&["log", "ls", "--json", "-n", "1"])[0]["id"].as_str().unwrap().to_owned();

    let coloured = shown(&gateway, "log ls --no-pager", &[]);
    let list = bare(&coloured);
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    assert!(coloured.contains("\u{1b}[31m✗ failed") || coloured.contains("\u{1b}[33m✗ failed"), "{coloured:?}");
    let row = list.lines().nth(1).unwrap();
    let id = row.split_whitespace().nth(1).unwrap();
    assert!(id.len() == 8 && whole.ends_with(id), "{list}");
    assert!(list.contains("MESSAGE is not shown") || list.contains("not shown: --wide"), "{list}");
    assert!(shown(&gateway, "log ls --no-pager --wide", &[]).contains(&whole));
    assert!(gateway.run(&["log", "ls"]).1.contains(&whole), "a pipe gets all");

    let plain = shown(&gateway, &format!("log show {id} --no-pager"), &[("NO_COLOR", "1")]);
    assert!(!plain.contains('\u{1b}') && plain.starts_with("✗ failed"), "{plain}");
    for part in ["\nno_match: ", "\nnext\n", &format!("odoo-gateway replay {id} --dry-run --login"), "explain no_match"]
    {
        assert!(plain.contains(part), "{part}: {plain}");
    }
    let listed = bare(&shown(&gateway, "log ls --warnings", &[("ODOO_GATEWAY_PAGER", "sed s/^/paged:/")]));
    assert!(listed.lines().all(|line| line.starts_with("paged:")) && listed.contains(id), "{listed}");
    // A pager that is left at once is no failure.
    let quit = shown(&gateway, "log ls; echo status $?", &[("ODOO_GATEWAY_PAGER", "true")]);
    assert_eq!(quit.trim(), "status 0");
}

#[tokio::test]
async fn serve_tells_each_call_in_a_line_for_a_person_and_as_json_elsewhere() {
    let odoo = odoo().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, configuration(&odoo.url, &odoo.database, "")).unwrap();
    let command = format!("echo pid $$; exec {PROGRAM} serve --config {}", file.display());
    let mut process = terminal(&command).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut after = |what: &str| said.find_map(|line| Some(line.trim().strip_prefix(what)?.to_owned())).unwrap();
    let pid = after("pid ").parse().unwrap();
    let address = after("listening on http://");
    let mut stream = TcpStream::connect(&address).unwrap();
    let body = r#"{"model": "res.partner", "vals": {}}"#;
    write!(stream, "POST /api/search_data HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    stream.read_to_string(&mut String::new()).unwrap();
    let line = said.find(|line| line.contains("search_data")).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    process.wait().unwrap();
    let line = bare(line.trim());
    assert!(line.contains("  ✗  search_data  ") && line.contains("no_credentials"), "{line}");

    let gateway = Gateway::before_with(&odoo.url, &odoo.database, "", &[("ODOO_GATEWAY_MESSAGES", "auto")]);
    let answer = Client::nobody(&gateway).post("search_data", body).await;
    gateway.terminate();
    let (_, said) = gateway.wait();
    let mut lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told = lines.find(|line| line["target"] == "odoo_gateway::calls").unwrap();
    assert_eq!(told["fields"]["id"], json!(answer.headers["gateway-call-id"].to_str().unwrap()), "{told}");
    assert_eq!((&told["fields"]["state"], &told["fields"]["error"]), (&json!("failed"), &json!("no_credentials")));
}

#[test]
fn a_name_that_is_not_known_is_answered_with_near_ones_and_as_json_where_json_is_wanted() {
    let run = |args: &[&str]| {
        let run = Command::new(PROGRAM).args(args).output().unwrap();
        (run.status.code(), String::from_utf8(run.stderr).unwrap(), String::from_utf8(run.stdout).unwrap())
    };
    let (status, said, _) = run(&["log", "ls", "--error", "no_mach"]);
    assert!(status == Some(2) && said.contains("`no_mach` is no error code; did you mean `no_match`?"), "{said}");
    let (status, said, _) = run(&["log", "ls", "--state", "faild", "--json"]);
    let error: Value = serde_json::from_str(&said).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("did you mean `failed`?"), "{said}");
    assert_eq!(status, Some(2));
    let (status, said, _) = run(&["log", "ls", "--json", "--config", "no-such-file.toml"]);
    let error: Value = serde_json::from_str(&said).unwrap();
    assert!(status == Some(1) && error["error"]["message"].is_string(), "{said}");
    let (status, _, told) = run(&["explain", "no_match"]);
    assert!(status == Some(0) && told.starts_with("no_match\n"), "{told}");
    assert_eq!(run(&["explain", "--json"]).2.lines().count(), run(&["explain"]).2.lines().count() - 1);
}
