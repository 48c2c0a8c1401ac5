//! The gateway that is measured: a process of its own, of which the system tells what it takes.
//!
//! It is the built program, as it is. Only for a count of allocations it is this benchmark, which runs itself once more and
//! is the gateway there: counting takes time, and would be taken for the gateway's.

use std::{
    alloc::System,
    env,
    fs::File,
    io::{BufRead, BufReader, Lines, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tempfile::TempDir;

use super::stub::DATABASE;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PROGRAM: &str = env!("CARGO_BIN_EXE_odoo-gateway");
/// Says to this program that it is to be the gateway.
const IS_GATEWAY: &str = "ODOO_GATEWAY_BENCH_IS_GATEWAY";
/// The variable with the password of the client's Odoo account.
const PASSWORD: &str = "ODOO_GATEWAY_BENCH_PASSWORD";
/// The key of the client that the configuration has.
pub(crate) const CLIENT_KEY: &str = "gw_0000000000000000000000000000000000000000000000000000000000000000";
const CLIENT_KEY_SHA256: &str = "54cb4c72bd638a2ee43f1695f63109e11be9de9ebe2bac7b5aaca31c6312a12f";
/// In memory, on every Linux.
const MEMORY: &str = "/dev/shm";
/// So many calls the stub is given at a time.
pub(crate) const IN_FLIGHT: usize = 64;

/// What becomes of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    /// As by default: whole, and every line synced to the disk of the build.
    Durable,
    /// Whole, on a file system in memory, where a sync is nothing.
    Memory,
    /// As little as there can be, in memory: that there was a call, and how it ended.
    Least,
}

impl Log {
    pub(crate) const ALL: [Self; 3] = [Self::Durable, Self::Memory, Self::Least];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Memory => "memory",
            Self::Least => "off",
        }
    }

    fn keys(self) -> &'static str {
        match self {
            Self::Durable | Self::Memory => "",
            Self::Least => {
                "create_data = false\ncreate_update_data = false\nupdate_data = false\nsearch_data = false\n\
                 call_function = false\n"
            }
        }
    }

    /// A folder for it.
    pub(crate) fn folder(self) -> TempDir {
        match self {
            Self::Durable => tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
            Self::Memory | Self::Least => tempfile::tempdir_in(MEMORY).unwrap(),
        }
    }
}

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// The program.
    Plain,
    /// The same, counting what it allocates.
    Counting,
}

/// A gateway that runs until it is dropped.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    /// The URL of the admin listener.
    #[allow(dead_code, reason = "the benchmark of the console visits it")]
    pub(crate) admin: String,
    process: Child,
    asked: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    _folder: TempDir,
}

/// Allocations, and their bytes, since the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allocated {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
}

impl Gateway {
    pub(crate) fn start(build: Build, log: Log, upstream: &str) -> Self {
        // Of the calls that are queued none is refused, however long it goes on.
        Self::start_with(build, log, upstream, "queue = 10000000\nqueue_per_client = 10000000\n")
    }

    /// The same, with more in `[delivery]`.
    pub(crate) fn start_with(build: Build, log: Log, upstream: &str, delivery: &str) -> Self {
        let folder = log.folder();
        let file = folder.path().join("gateway.toml");
        // All callers come from one address, and none is turned away.
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [upstream]\nurl = \"{upstream}\"\ndatabase = \"{DATABASE}\"\nmax_in_flight = {IN_FLIGHT}\nqueue = 4096\n\
             protocol = \"session\"\n\
             [limits]\nconnections_per_address = 4096\nrequests = 4096\nrequests_per_address = 4096\n\
             [log]\n{}\
             [delivery]\nrate = 1\n{delivery}\
             [[client]]\nname = \"bench\"\nkey_sha256 = \"{CLIENT_KEY_SHA256}\"\nodoo_login = \"webshop\"\n\
             odoo_password_env = \"{PASSWORD}\"\n",
            log.keys()
        );
        std::fs::write(&file, config).unwrap();
        let mut command = match build {
            Build::Plain => under().unwrap_or_else(|| Command::new(PROGRAM)),
            Build::Counting => {
                let mut command = Command::new(env::current_exe().unwrap());
                command.env(IS_GATEWAY, "1");
                command
            }
        };
        let messages = folder.path().join("messages");
        let mut process = command
            .args(["serve", "--config"])
            .arg(file)
            .env(PASSWORD, "secret")
            // As in the packages (packaging/systemd, packaging/docker).
            .env("MIMALLOC_PURGE_DELAY", "10")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&messages).unwrap())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = said.next().and_then(Result::ok).unwrap_or_default();
        let Some(address) = first.strip_prefix("listening on http://") else {
            panic!("the gateway did not start: {}", std::fs::read_to_string(messages).unwrap());
        };
        let address = address.parse().unwrap();
        let admin = said.next().unwrap().unwrap().strip_prefix("admin on ").unwrap().to_owned();
        Self { address, admin, asked: process.stdin.take().unwrap(), process, said, _folder: folder }
    }

    pub(crate) fn cpu(&self) -> Duration {
        cpu(&self.process.id().to_string())
    }

    /// How much memory it has now, and the most that it ever had, in bytes.
    pub(crate) fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let field = |name: &str| -> f64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_ascii_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// Of one that counts.
    pub(crate) fn allocated(&mut self) -> Allocated {
        writeln!(self.asked).unwrap();
        let line = self.said.next().unwrap().unwrap();
        let (count, bytes) = line.split_once(' ').unwrap();
        Allocated { count: count.parse().unwrap(), bytes: bytes.parse().unwrap() }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // In order, so that a profiler has its say; the callers have gone already.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let _ = self.process.wait();
    }
}

/// The program under a profiler, as in `valgrind --tool=callgrind`, which must keep the number of the process.
fn under() -> Option<Command> {
    let words = env::var("ODOO_GATEWAY_BENCH_UNDER").ok()?;
    let mut words = words.split_ascii_whitespace();
    let mut command = Command::new(words.next()?);
    command.args(words).arg(PROGRAM);
    Some(command)
}

/// The time that a process has had of all processors; `self` is this one.
pub(crate) fn cpu(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // Behind the program's name, in which anything may stand: the 12th and 13th field, in the program and in the kernel.
    let fields = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().skip(11).take(2);
    ticks(fields.map(|field| field.parse::<u64>().unwrap()).sum())
}

/// Linux counts in hundredths of a second.
fn ticks(number: u64) -> Duration {
    Duration::from_millis(10 * number)
}

/// The time that all processors were busy, and all the time that they had.
pub(crate) fn cpu_of_all() -> (Duration, Duration) {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let fields = stat.lines().next().unwrap().split_ascii_whitespace().skip(1).take(8);
    let fields: Vec<u64> = fields.map(|field| field.parse().unwrap()).collect();
    let all: u64 = fields.iter().sum();
    // The fourth is idle, the fifth idle too, while a disk works.
    (ticks(all - fields[3] - fields[4]), ticks(all))
}

/// The gateway, where this process is to be it.
pub(crate) fn run_if_told() -> Option<ExitCode> {
    env::var_os(IS_GATEWAY)?;
    std::thread::spawn(|| {
        for _ in std::io::stdin().lines() {
            let stats = ALLOCATOR.stats();
            // One that grows where it is, or is moved for it, is one more.
            println!("{} {}", stats.allocations + stats.reallocations, stats.bytes_allocated);
        }
    });
    // As the program's own `main` does.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Some(odoo_gateway::cli::run())
}
