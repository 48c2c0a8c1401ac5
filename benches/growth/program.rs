//! The built program: a gateway that runs until it is dropped, and commands that run to their end.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_odoo-gateway");
/// The variable with the password of every client's Odoo account.
pub(crate) const PASSWORD: &str = "ODOO_GATEWAY_BENCH_PASSWORD";
const POLLED: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(120);
const RELOADED: &str = "the configuration has been read again and is in use";

/// A gateway that runs.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    /// The URL of the admin listener.
    pub(crate) admin: String,
    /// From its start to its word that it listens.
    pub(crate) took: Duration,
    process: Child,
    messages: PathBuf,
}

/// What a command took.
pub(crate) struct Ran {
    pub(crate) took: Duration,
    pub(crate) peak_mib: f64,
    pub(crate) said: String,
}

/// A configuration before this upstream, in which nobody is turned away; `sections` come behind it.
pub(crate) fn config(upstream: &str, sections: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[console]\nloopback = true\n\
         [upstream]\nurl = \"{upstream}\"\ndatabase = \"bench\"\nmax_in_flight = 64\nqueue = 20000\nprotocol = \"session\"\n\
         [limits]\nconnections = 20000\nconnections_per_address = 20000\nrequests = 20000\nrequests_per_address = 20000\n\
         header_timeout = \"10m\"\n\
         {sections}"
    )
}

impl Gateway {
    /// Starts one in this folder.
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        fs::write(file(folder), config).unwrap();
        let messages = folder.join("messages");
        let started = Instant::now();
        let mut process = command(folder, &["serve"])
            .stdout(Stdio::piped())
            .stderr(File::create(&messages).unwrap())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = said.next().and_then(Result::ok).unwrap_or_default();
        let took = started.elapsed();
        let Some(address) = first.strip_prefix("listening on http://") else {
            panic!("the gateway did not start: {}", fs::read_to_string(messages).unwrap());
        };
        let address = address.parse().unwrap();
        let admin = said.next().unwrap().unwrap().strip_prefix("admin on ").unwrap().to_owned();
        Self { address, admin, took, process, messages }
    }

    /// From a SIGHUP to the word that the configuration is in use.
    #[expect(clippy::disallowed_methods, reason = "a benchmark has nothing else to do meanwhile")]
    pub(crate) fn reload(&self) -> Duration {
        let reloads = || fs::read_to_string(&self.messages).unwrap().matches(RELOADED).count();
        let (before, started) = (reloads(), Instant::now());
        kill_process(Pid::from_child(&self.process), Signal::HUP).unwrap();
        while reloads() == before {
            assert!(started.elapsed() < PATIENCE, "{}", fs::read_to_string(&self.messages).unwrap());
            thread::sleep(POLLED);
        }
        started.elapsed()
    }

    /// The time that it has had of all processors.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // Behind the program's name, in which anything may stand: in the program and in the kernel, in hundredths of a second.
        let fields = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().skip(11).take(2);
        Duration::from_millis(fields.map(|field| 10 * field.parse::<u64>().unwrap()).sum())
    }

    /// Its resident memory in MiB: now, and the most that it ever had.
    pub(crate) fn memory(&self) -> (f64, f64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        (field(&status, "VmRSS:").unwrap(), field(&status, "VmHWM:").unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }
}

/// Runs a command of the program with the configuration of this folder. It must succeed.
#[expect(clippy::disallowed_methods, reason = "a benchmark has nothing else to do meanwhile")]
pub(crate) fn run(folder: &Path, words: &[&str]) -> Ran {
    let (said, complained) = (folder.join("said"), folder.join("complained"));
    let started = Instant::now();
    let mut process = command(folder, words)
        .stdin(Stdio::null())
        .stdout(File::create(&said).unwrap())
        .stderr(File::create(&complained).unwrap())
        .spawn()
        .unwrap();
    let mut peak_mib: f64 = 0.0;
    let status = format!("/proc/{}/status", process.id());
    let ended = loop {
        if let Some(ended) = process.try_wait().unwrap() {
            break ended;
        }
        let status = fs::read_to_string(&status).unwrap_or_default();
        peak_mib = peak_mib.max(field(&status, "VmHWM:").unwrap_or_default());
        thread::sleep(POLLED / 2);
    };
    let took = started.elapsed();
    let said = fs::read_to_string(said).unwrap();
    assert!(ended.success(), "{words:?}: {said}{}", fs::read_to_string(complained).unwrap());
    Ran { took, peak_mib, said }
}

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(words).arg("--config").arg(file(folder)).env(PASSWORD, "secret");
    command
}

fn file(folder: &Path) -> PathBuf {
    folder.join("gateway.toml")
}

/// A size of /proc/…/status in MiB.
fn field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    Some(line.split_ascii_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}
