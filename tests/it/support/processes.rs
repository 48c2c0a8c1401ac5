//! Processes by their numbers: the children of one, and signals.

use std::{
    process::Command,
    time::{Duration, Instant},
};

/// The processes that this one has started and that run, by their numbers.
pub(crate) fn children(parent: u32) -> Vec<String> {
    let parent = parent.to_string();
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_child = |pid: &String| {
        // `pid (name) state parent …`; the process may have ended meanwhile.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields.next().is_some_and(|state| state != "Z") && fields.next() == Some(&parent)
    };
    processes.filter(is_child).collect()
}

/// Sends a signal to each; whether all of them were there.
pub(crate) fn signal(name: &str, pids: &[String]) -> bool {
    pids.is_empty() || Command::new("kill").args(["-s", name]).args(pids).output().unwrap().status.success()
}

/// Waits until none of them runs; for processes that were killed.
pub(crate) fn wait_for_ends(pids: &[String]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let runs = |pid: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|fields| !fields.is_empty() && !fields.starts_with('Z'))
    };
    while pids.iter().any(runs) {
        assert!(Instant::now() < deadline, "{pids:?} do not end");
        std::thread::yield_now();
    }
}
