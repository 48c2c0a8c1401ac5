//! The gateway that is killed: the built program, over and over with the same folder.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader, Lines},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::odoo::{DATABASE, MODEL};

const PROGRAM: &str = env!("CARGO_BIN_EXE_odoo-gateway");
pub(crate) const CLIENT_KEY: &str = "gw_0000000000000000000000000000000000000000000000000000000000000000";
const CLIENT_KEY_SHA256: &str = "54cb4c72bd638a2ee43f1695f63109e11be9de9ebe2bac7b5aaca31c6312a12f";
/// The secret of the sender who signs.
pub(crate) const SECRET: &str = "It's a Secret to Everybody";
const VARIABLES: [(&str, &str); 2] = [("KILLS_PASSWORD", "secret"), ("KILLS_SECRET", SECRET)];

/// The folder with configuration, log and store.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// Small segments and a small log, so that sealing and retention go on all the time.
    pub(crate) fn new(upstream: &str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let client = format!(
            "odoo_login = \"webshop\"\nodoo_password_env = \"KILLS_PASSWORD\"\nmethods = [\"{MODEL}.action_confirm\"]\n\
             models = {{ allow = [\"{MODEL}\"] }}\n"
        );
        let hook = |name: &str, more: &str| {
            format!(
                "[[hook]]\npath = \"/hooks/{name}\"\nclient = \"sender\"\nroute = \"create_data\"\nmodel = \"{MODEL}\"\n\
                 template = \"hook.jq\"\n{more}\n"
            )
        };
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [upstream]\nurl = \"{upstream}\"\ndatabase = \"{DATABASE}\"\nmax_in_flight = 64\nqueue = 4096\nprotocol = \"session\"\n\
             [limits]\nconnections_per_address = 4096\nrequests = 4096\nrequests_per_address = 4096\n\
             [log]\nsegment_size = \"64 KiB\"\nmax_total = \"8 MiB\"\nblob_from = \"256 B\"\n\
             [delivery]\nlongest_request = \"200ms\"\nlease = \"3s\"\nrate = 1000\n\
             [proxy]\npass = [\"/stub/\"]\n\
             [[client]]\nname = \"shop\"\nkey_sha256 = \"{CLIENT_KEY_SHA256}\"\n{client}\
             routes = [\"create_data\", \"create_update_data\", \"update_data\", \"search_data\", \"call_function\", \"delete_data\"]\n\
             [[client]]\nname = \"sender\"\n{client}[client.signature]\nscheme = \"github\"\nsecret_env = \"KILLS_SECRET\"\n{}{}",
            hook("answered", "accept = \"answer\""),
            hook("stored", "")
        );
        fs::write(folder.path().join("gateway.toml"), config).unwrap();
        fs::write(folder.path().join("hook.jq"), "{payload: {name: .name, ref: .ref}}").unwrap();
        Self(folder)
    }

    /// Leaves it there, to be looked at.
    pub(crate) fn keep(mut self) {
        self.0.disable_cleanup(true);
        println!("its log and store are in {}", self.0.path().display());
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.path().join("log")
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("gateway.toml")
    }

    pub(crate) fn messages(&self) -> String {
        fs::read_to_string(self.0.path().join("messages")).unwrap_or_default()
    }

    /// Runs a command of the program; gives whether it ended well, what it put out and what it said.
    pub(crate) fn run(&self, words: &[&str]) -> (bool, String, String) {
        let run = Command::new(PROGRAM).args(words).arg("--config").arg(self.file()).envs(VARIABLES).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (run.status.success(), text(&run.stdout), text(&run.stderr))
    }
}

/// A gateway that runs.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    process: Child,
    /// What it says; closed, it would end the gateway.
    _said: Lines<BufReader<ChildStdout>>,
}

impl Gateway {
    pub(crate) fn start(folder: &Folder) -> Self {
        let messages = fs::File::create(folder.0.path().join("messages")).unwrap();
        let mut process = Command::new(PROGRAM)
            .args(["serve", "--config"])
            .arg(folder.file())
            .envs(VARIABLES)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(messages)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = said.next().and_then(Result::ok).unwrap_or_default();
        let Some(address) = first.strip_prefix("listening on http://") else {
            panic!("the gateway did not start: {}", folder.messages());
        };
        let address = address.parse().unwrap();
        assert!(said.next().is_some_and(|line| line.is_ok()), "the gateway did not start: {}", folder.messages());
        Self { address, process, _said: said }
    }

    /// Ends it as the operating system does when memory is short.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success(), "the gateway ended with an error");
    }
}

/// The segments of a log, by name, read without the gateway; those that are `known` to be whole are left out. A sealed segment
/// is whole, and gets no more lines.
pub(crate) fn segments(log: &Path, known: &HashSet<String>) -> Vec<Segment> {
    let mut files: Vec<String> =
        fs::read_dir(log).unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok()).collect();
    files.retain(|file| file.ends_with(".jsonl") || file.ends_with(".jsonl.zst"));
    files.sort_unstable();
    let name = |file: &str| file.split('.').next().unwrap_or_default().to_owned();
    // Where a segment is there twice, both are the same, and the first one is not compressed.
    files.dedup_by_key(|file| name(file));
    let unknown = files.into_iter().filter(|file| !known.contains(&name(file)));
    unknown
        .map(|file| Segment { name: name(&file), is_whole: file.ends_with(".zst"), bytes: read(log, &file) })
        .collect()
}

/// What a segment held when it was read.
pub(crate) struct Segment {
    pub(crate) name: String,
    pub(crate) is_whole: bool,
    pub(crate) bytes: Vec<u8>,
}

fn read(log: &Path, name: &str) -> Vec<u8> {
    let bytes = fs::read(log.join(name)).unwrap();
    if name.ends_with(".zst") { zstd::decode_all(&*bytes).unwrap() } else { bytes }
}
