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
    _folder: TempDir,
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
        Self { url: url.unwrap(), process, _folder: folder }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
