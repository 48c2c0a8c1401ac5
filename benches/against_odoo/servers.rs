//! The Odoo that everybody calls, with the addon in it, and a gateway before it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Way;

const WORKERS: &str = "3";

/// A prefork Odoo 19 of our own; it ends with this process.
#[derive(Debug, Deserialize)]
pub(crate) struct Odoo {
    pub(crate) url: String,
    pub(crate) database: String,
    pub(crate) key: String,
    /// The process that its workers belong to.
    pub(crate) pid: u32,
    login: String,
    password: String,
}

impl Odoo {
    pub(crate) fn up() -> Self {
        let run = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/odoo/up"))
            .args(["--json", "--name", "bench", "--workers", WORKERS, "--with-addon"])
            .args(["--for-pid", &std::process::id().to_string()])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(run.status.success(), "tests/odoo/up failed");
        serde_json::from_slice(&run.stdout).unwrap()
    }

    /// Logs in at an address, Odoo's own or a gateway's; gives the way of a session, and what Odoo says of the user.
    pub(crate) async fn log_in(&self, way: &Way) -> (Way, Value) {
        let params = json!({"db": self.database, "login": self.login, "password": self.password});
        let (cookies, answer) = way.client().log_in(&json!({"params": params})).await;
        let session = cookies.get("session_id").unwrap_or_else(|| panic!("no session: {answer}"));
        (way.clone().with("cookie", &format!("session_id={session}")), answer["result"].clone())
    }
}

/// The built gateway; it ends when this is dropped.
pub(crate) struct Gateway {
    pub(crate) url: String,
    process: Child,
    folder: TempDir,
}

impl Gateway {
    /// Its log is in a new folder within `place`; `more` follows the `[upstream]` section.
    pub(crate) fn start(odoo: &Odoo, place: &Path, more: &str) -> Self {
        let folder = tempfile::tempdir_in(place).unwrap();
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\ndirectory = \"log\"\n\
             [upstream]\nurl = \"{}\"\ndatabase = \"{}\"\nmax_in_flight = {WORKERS}\n{more}\n",
            odoo.url, odoo.database
        );
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, config).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_odoo-gateway"))
            .args(["serve", "--config"])
            .arg(&file)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        let admin = lines.next();
        assert!(admin.is_some(), "the gateway did not start");
        Self { url: url.unwrap(), process, folder }
    }
}

impl Gateway {
    /// The end of the last call for a model, as the log has it.
    pub(crate) fn last_call(&self, model: &str) -> Value {
        let run = |arguments: &[&str]| {
            let run = Command::new(env!("CARGO_BIN_EXE_odoo-gateway"))
                .args(["log"])
                .args(arguments)
                .args(["--json", "--config"])
                .arg(self.folder.path().join("gateway.toml"))
                .output()
                .unwrap();
            assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
            run.stdout
        };
        let last: Value = serde_json::from_slice(&run(&["tail", "--model", model, "-n", "1"])).unwrap();
        let shown: Value = serde_json::from_slice(&run(&["show", last["id"].as_str().unwrap()])).unwrap();
        shown["lines"].as_array().unwrap().last().unwrap().clone()
    }

    /// The memory that it has now.
    pub(crate) fn resident_mib(&self) -> f64 {
        self.memory("VmRSS:")
    }

    /// The most that it has had since it was started.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, what: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
