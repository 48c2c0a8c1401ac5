//! Logs of several segments, without an Odoo behind them, and what other programs say of their files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    client::Client,
    gateway::{Gateway, run_in},
};

/// No Odoo behind it: what is refused for want of credentials leaves its line all the same.
pub(crate) fn gateway_alone(more: &str) -> Gateway {
    Gateway::before("http://127.0.0.1:9", "none", &format!("[log]\n{more}"))
}

/// So many refused calls, each of about half a kilobyte.
pub(crate) async fn refused_calls(gateway: &Gateway, count: usize) {
    let client = Client::nobody(gateway);
    for _ in 0..count {
        client.post("create_data", r#"{"id": "refused", "model": "m", "vals": {}}"#).await;
    }
}

/// So many requests whose lines cannot be made much smaller.
pub(crate) async fn large_lines(gateway: &Gateway, count: usize) {
    let client = Client::nobody(gateway);
    for _ in 0..count {
        let path: String = std::iter::repeat_with(fastrand::alphanumeric).take(500).collect();
        client.send("GET", &format!("/{path}"), Default::default(), None::<String>).await;
    }
}

/// The files of segments, the oldest first.
pub(crate) fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("log")).unwrap().map(|file| file.unwrap().path());
    let is_segment = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        name.ends_with(".jsonl") || name.ends_with(".jsonl.zst")
    };
    let mut segments: Vec<PathBuf> = files.filter(is_segment).collect();
    segments.sort_unstable();
    // One that is being sealed is there twice for a moment.
    let number = |file: &mut PathBuf| file.file_name().unwrap().to_str().unwrap()[..20].to_owned();
    segments.dedup_by_key(number);
    segments
}

/// Waits until every segment but the last has been compressed.
pub(crate) async fn all_sealed(folder: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while segments(folder).iter().rev().skip(1).any(|file| file.extension().unwrap() != "zst") {
        assert!(Instant::now() < deadline, "segments are not compressed");
        tokio::task::yield_now().await;
    }
}

/// A log of several segments, all but the last compressed, whose gateway has stopped.
pub(crate) async fn several_segments() -> TempDir {
    let gateway = gateway_alone("segment_size = \"64 KiB\"");
    refused_calls(&gateway, 400).await;
    all_sealed(gateway.config_file().parent().unwrap()).await;
    let folder = gateway.stop();
    assert!(segments(folder.path()).len() >= 3);
    folder
}

pub(crate) fn shell(folder: &Path, script: &str) -> String {
    let run = Command::new("sh").args(["-ec", script]).current_dir(folder.join("log")).output().unwrap();
    assert!(run.status.success(), "{script}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

pub(crate) fn verify(folder: &Path) -> Value {
    let (_, out, said) = run_in(folder, &["log", "verify", "--json"]);
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{said}"))
}

pub(crate) fn grades(verified: &Value) -> Vec<&str> {
    verified["findings"].as_array().unwrap().iter().map(|finding| finding["grade"].as_str().unwrap()).collect()
}
