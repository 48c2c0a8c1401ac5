//! A real Odoo that is restarted, and the gateway before it, whose process is looked at.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tempfile::TempDir;

const WORKERS: &str = "3";
pub(crate) const CLIENT_KEY: &str = "gw_0000000000000000000000000000000000000000000000000000000000000000";
const CLIENT_KEY_SHA256: &str = "54cb4c72bd638a2ee43f1695f63109e11be9de9ebe2bac7b5aaca31c6312a12f";

/// A prefork Odoo 19 of this program's own; it ends with this process.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Odoo {
    url: String,
    database: String,
    login: String,
    key: String,
    pid: i32,
}

impl Odoo {
    pub(crate) fn up() -> Self {
        let run = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/odoo/up"))
            .args(["--json", "--name", "soak", "--workers", WORKERS, "--for-pid", &std::process::id().to_string()])
            .stderr(Stdio::null())
            .output()
            .unwrap();
        assert!(run.status.success(), "tests/odoo/up failed");
        serde_json::from_slice(&run.stdout).unwrap()
    }

    /// Ends it at once, and brings it up again: same address, same database.
    pub(crate) fn restart(&self) -> Self {
        let _ = kill_process(Pid::from_raw(self.pid).unwrap(), Signal::KILL);
        Self::up()
    }
}

/// What a process takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) memory_mib: f64,
    pub(crate) descriptors: f64,
    pub(crate) threads: f64,
}

/// The built gateway; it ends when this is dropped.
pub(crate) struct Gateway {
    pub(crate) address: String,
    process: Child,
    /// What it says; closed, it would end the gateway.
    _said: Lines<BufReader<ChildStdout>>,
    config: String,
    folder: TempDir,
}

impl Gateway {
    pub(crate) fn start(odoo: &Odoo) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [upstream]\nurl = \"{}\"\ndatabase = \"{}\"\nmax_in_flight = {WORKERS}\n\
             [limits]\nconnections_per_address = 1024\nrequests = 1024\nrequests_per_address = 1024\nheader_timeout = \"10s\"\n\
             [log]\nsegment_size = \"1 MiB\"\nmax_total = \"64 MiB\"\n\
             [[client]]\nname = \"shop\"\nkey_sha256 = \"{CLIENT_KEY_SHA256}\"\nodoo_login = \"{}\"\nodoo_key_env = \"SOAK_KEY\"\n",
            odoo.url, odoo.database, odoo.login
        );
        let file = folder.path().join("gateway.toml");
        fs::write(&file, &config).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_odoo-gateway"))
            .args(["serve", "--config"])
            .arg(&file)
            .env("SOAK_KEY", &odoo.key)
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("messages")).unwrap())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = said.next().and_then(Result::ok).unwrap_or_default();
        let address = first.strip_prefix("listening on http://").expect("the gateway did not start").to_owned();
        assert!(said.next().is_some_and(|line| line.is_ok()), "the gateway did not start");
        Self { address, process, _said: said, config, folder }
    }

    /// Has it read a changed configuration, by a signal.
    pub(crate) fn reload(&self, number: u64) {
        let config =
            self.config.replace("header_timeout = \"10s\"", &format!("header_timeout = \"{}s\"", 10 + number % 2));
        fs::write(self.folder.path().join("gateway.toml"), config).unwrap();
        kill_process(Pid::from_child(&self.process), Signal::HUP).unwrap();
    }

    pub(crate) fn taken(&self) -> Taken {
        let process = format!("/proc/{}", self.process.id());
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let field = |name: &str| -> f64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
        };
        Taken {
            memory_mib: field("VmRSS:") / 1024.0,
            descriptors: fs::read_dir(format!("{process}/fd")).unwrap().count() as f64,
            threads: field("Threads:"),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }
}
