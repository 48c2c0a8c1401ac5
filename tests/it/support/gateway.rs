//! The gateway itself: the built program with a configuration, a log folder and a port of its own.

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    client,
    odoo::{Odoo, odoo},
    poll, processes,
};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_odoo-gateway");

/// Where an answer was lost, what is not found at once is not there. A record with [`CHANGED`] is not found: its outcome stays unknown.
pub(crate) const SETTLES_AT_ONCE: &str = "[delivery]\nlongest_request = \"100ms\"";
/// The address of a website of a contact, which Odoo changes (14-19): it puts a scheme before it.
pub(crate) const CHANGED: &str = "changed.example/x";

/// Without a line for each call: nobody reads what a gateway of a test says while it runs.
const MESSAGES: (&str, &str) = ("ODOO_GATEWAY_MESSAGES", "text");

/// A gateway that runs until it is stopped or dropped.
pub(crate) struct Gateway {
    pub(crate) url: String,
    pub(crate) admin: String,
    /// There until somebody takes it over.
    folder: Option<TempDir>,
    process: Child,
}

impl Gateway {
    /// In front of the run's Odoo, with the defaults.
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// In front of the run's Odoo; `more` follows the `[upstream]` section.
    pub(crate) async fn start_with(more: &str) -> Self {
        let odoo = odoo().await;
        Self::before(&odoo.url, &odoo.database, more)
    }

    /// In front of whatever is, or is not, at `url`.
    pub(crate) fn before(url: &str, database: &str, more: &str) -> Self {
        Self::before_with(url, database, more, &[])
    }

    /// In front of all of an Odoo, for browsers. Odoo and they must be told its address, so it is chosen beforehand.
    pub(crate) fn before_all_of(odoo: &Odoo) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let more = format!("public_url = \"http://{free}\"\n[proxy]\npass = \"all\"");
        let config = configuration(&odoo.url, &odoo.database, &more);
        let config = config.replacen("127.0.0.1:0", &free.to_string(), 1);
        Self::with_configuration(&config, &[])
    }

    /// The same with variables in its environment.
    pub(crate) fn before_with(url: &str, database: &str, more: &str, variables: &[(&str, &str)]) -> Self {
        Self::with_configuration(&configuration(url, database, more), variables)
    }

    pub(crate) fn with_configuration(config: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("gateway.toml"), config).unwrap();
        Self::in_folder(folder, variables).unwrap_or_else(|said| panic!("the gateway did not start: {said}"))
    }

    /// With the configuration and the log of a gateway that has stopped; or what it says instead of starting.
    pub(crate) fn again(folder: TempDir) -> Result<Self, String> {
        Self::again_with(folder, &[])
    }

    /// The same with variables in its environment.
    pub(crate) fn again_with(folder: TempDir, variables: &[(&str, &str)]) -> Result<Self, String> {
        Self::in_folder(folder, variables)
    }

    /// The same as systemd starts it, on a listening socket that systemd has opened.
    pub(crate) fn by_systemd(socket: &TcpListener, folder: TempDir, variables: &[(&str, &str)]) -> Self {
        const EXEC: &str = r#"exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 WATCHDOG_PID=$$; exec "$0" "$@""#;
        let mut command = Command::new("sh");
        command.args(["-c", EXEC, PROGRAM]).env(MESSAGES.0, MESSAGES.1).envs(variables.iter().copied());
        command.stdin(OwnedFd::from(socket.try_clone().unwrap()));
        Self::run_command(folder, command).unwrap_or_else(|said| panic!("the gateway did not start: {said}"))
    }

    fn in_folder(folder: TempDir, variables: &[(&str, &str)]) -> Result<Self, String> {
        let mut command = Command::new(PROGRAM);
        command.env(MESSAGES.0, MESSAGES.1).envs(variables.iter().copied());
        Self::run_command(folder, command)
    }

    fn run_command(folder: TempDir, mut command: Command) -> Result<Self, String> {
        let mut process = command
            .args(["serve", "--config"])
            .arg(folder.path().join("gateway.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut address = |what: &str| {
            let line = lines.next().and_then(Result::ok).unwrap_or_default();
            line.strip_prefix(what).map(str::to_owned)
        };
        if let (Some(url), Some(admin)) = (address("listening on "), address("admin on ")) {
            return Ok(Self { url, admin, folder: Some(folder), process });
        }
        let mut said = String::new();
        process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let _ = process.wait();
        Err(said)
    }

    /// Ends it as the operating system does when memory is short; gives its folder.
    pub(crate) fn kill(mut self) -> TempDir {
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.folder.take().unwrap()
    }

    /// Ends it in order; gives its folder.
    pub(crate) fn stop(mut self) -> TempDir {
        self.terminate();
        let folder = self.folder.take().unwrap();
        assert_eq!(self.wait().0.code(), Some(0));
        folder
    }

    fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// The calls of its log that have ended, in the order of their ends: the line of the end, with the `vals` that were
    /// received.
    pub(crate) fn log(&self) -> Vec<Value> {
        let lines = self.lines();
        let event = |line: &Value| line["event"].as_str().unwrap().to_owned();
        let vals: HashMap<String, Value> = lines
            .iter()
            .filter(|line| event(line) == "call.received")
            .map(|line| (line["id"].to_string(), line["vals"].clone()))
            .collect();
        let ended = lines.into_iter().filter(|line| matches!(event(line).as_str(), "call.finished" | "call.refused"));
        ended
            .map(|mut line| {
                line["vals"] = vals.get(&line["id"].to_string()).cloned().unwrap_or_default();
                line
            })
            .collect()
    }

    /// All lines of its log.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.log_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The text of all segments, also of those that have been compressed.
    pub(crate) fn log_text(&self) -> String {
        segments(&self.log_folder()).into_values().map(|bytes| String::from_utf8(bytes).unwrap()).collect()
    }

    pub(crate) fn log_folder(&self) -> PathBuf {
        self.folder().join("log")
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.folder().join("gateway.toml")
    }

    /// Runs the program with the configuration of this gateway; gives its status, what it put out and what it said.
    pub(crate) fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        run_in(self.folder(), args)
    }

    /// The objects that such a command puts out, one a line.
    pub(crate) fn run_json(&self, args: &[&str]) -> Vec<Value> {
        let (status, out, said) = self.run(args);
        assert_eq!(status, Some(0), "{args:?}: {said}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The methods that the last call called in Odoo, schema and identity aside.
    pub(crate) fn last_methods(&self) -> Vec<String> {
        let log = self.log();
        let made = log.last().unwrap()["odoo"].as_array().unwrap();
        // Who calls, and what the models look like: asked once in a while.
        let is_upkeep = |rpc: &&Value| {
            let upkeep = ["fields_get", "get_session_info", "context_get", "authenticate"];
            upkeep.contains(&rpc["method"].as_str().unwrap())
                || (&rpc["model"], &rpc["method"]) == (&json!("res.users"), &json!("read"))
        };
        made.iter().filter(|rpc| !is_upkeep(rpc)).map(|rpc| rpc["method"].as_str().unwrap().to_owned()).collect()
    }

    /// How much memory it holds, and the most that it ever held, in bytes.
    pub(crate) fn memory(&self) -> (usize, usize) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let field = |name: &str| -> usize {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_ascii_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// Lets it take no more address space than this from now on.
    pub(crate) fn limit_address_space(&self, bytes: u64) {
        let pid = rustix::process::Pid::from_child(&self.process);
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        prlimit(Some(pid), Resource::As, limit).unwrap();
    }

    /// The processes that it has started and that run, by their numbers.
    pub(crate) fn children(&self) -> Vec<String> {
        processes::children(self.process.id())
    }

    /// Waits until it has so many children, and has none of them go on.
    pub(crate) async fn stop_children(&self, count: usize) {
        poll(|| self.children().len() == count).await;
        let stopped = Command::new("kill").args(["-s", "STOP"]).args(self.children()).status().unwrap();
        assert!(stopped.success());
    }

    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end of the process; gives its status and what it said on standard error.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the gateway does not end");
            std::thread::yield_now();
        }
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.process.wait().unwrap(), said)
    }

    /// Waits for its end, while the test goes on with other things; gives its exit status, what it said and its folder.
    pub(crate) async fn ended(mut self) -> (Option<i32>, String, TempDir) {
        poll(|| self.process.try_wait().unwrap().is_some()).await;
        let folder = self.folder.take().unwrap();
        let (status, said) = self.wait();
        (status.code(), said, folder)
    }

    /// The series of `/metrics`, by name and labels.
    pub(crate) async fn metrics(&self) -> BTreeMap<String, f64> {
        let text = client::http().get(format!("{}/metrics", self.admin)).send().await.unwrap().text().await.unwrap();
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap());
        samples.map(|(series, value)| (series.to_owned(), value.parse().unwrap())).collect()
    }

    pub(crate) async fn get_admin(&self, path: &str) -> (u16, Value) {
        let response = client::http().get(format!("{}{path}", self.admin)).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// All lines of the log in this folder.
pub(crate) fn all_lines(folder: &Path) -> Vec<Value> {
    let segments = segments(&folder.join("log"));
    let lines = segments.values().flat_map(|bytes| bytes.split_inclusive(|byte| *byte == b'\n'));
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// What is in each segment of a log, by its number; it may be compressed while it is looked at.
fn segments(log: &Path) -> BTreeMap<String, Vec<u8>> {
    let decompressed = |number: &str| {
        let file = std::fs::read(log.join(format!("{number}.jsonl.zst"))).unwrap();
        zstd::decode_all(&*file).unwrap()
    };
    let names = std::fs::read_dir(log).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut segments = BTreeMap::new();
    for name in names {
        // Where a segment is there twice, both are the same.
        if let Some(number) = name.strip_suffix(".jsonl.zst") {
            segments.insert(number.to_owned(), decompressed(number));
        } else if let Some(number) = name.strip_suffix(".jsonl") {
            let bytes = std::fs::read(log.join(&name)).unwrap_or_else(|_| decompressed(number));
            segments.insert(number.to_owned(), bytes);
        }
    }
    segments
}

/// Runs the program with the configuration of this folder.
pub(crate) fn run_in(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let run = Command::new(PROGRAM).args(args).arg("--config").arg(folder.join("gateway.toml")).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (run.status.code(), text(&run.stdout), text(&run.stderr))
}

pub(crate) fn configuration(url: &str, database: &str, more: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [upstream]\nurl = \"{url}\"\ndatabase = \"{database}\"\n{more}\n"
    )
}

/// A key of the gateway's, and its `[[client]]` entry up to what concerns Odoo.
pub(crate) fn new_client(name: &str) -> (String, String) {
    let said = Command::new(PROGRAM).args(["client", "new", name]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let key = said.lines().find(|line| line.starts_with("gw_")).unwrap().to_owned();
    let entry = said.lines().skip_while(|line| *line != "[[client]]").take_while(|line| !line.starts_with("odoo_"));
    (key, entry.map(|line| format!("{line}\n")).collect())
}
