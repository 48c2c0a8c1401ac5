//! Requests and answers held against the OpenAPI document that the program prints.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::gateway::PROGRAM;

/// A request and its answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) request: Value,
    pub(crate) answer: Value,
}

/// What does not hold, a sentence for each: a request that was carried out and does not fit its schema, an answer that does not
/// fit that of its status, a status that the document does not have.
pub(crate) async fn differences(exchanges: Vec<Exchange>) -> Vec<String> {
    tokio::task::spawn_blocking(move || check(&exchanges)).await.unwrap()
}

fn check(exchanges: &[Exchange]) -> Vec<String> {
    let printed =
        Command::new(PROGRAM).arg("openapi").args(["--config", "/nonexistent/gateway.toml"]).output().unwrap();
    let document: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let exchanges = exchanges.iter().map(|exchange| {
        let Exchange { method, path, status, request, answer } = exchange;
        json!({"method": method, "path": path, "status": status, "request": request, "answer": answer})
    });
    let given = json!({"document": document, "exchanges": exchanges.collect::<Vec<_>>()});
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut python = Command::new(tests.join("programs"))
        .args(["--run", "python"])
        .arg(tests.join("it/support/schemas.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let run = python.wait_with_output().unwrap();
    assert!(run.status.success());
    serde_json::from_slice(&run.stdout).unwrap()
}
