//! What every Prometheus client library tells of its process: `process_*`, read from `/proc` when somebody asks.
//!
//! Where a system has no `/proc`, only the number of files that may be open is told. Names and meanings are those of Prometheus
//! ("Writing client libraries", section "Standard and runtime collectors").

use std::fs;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};
use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};

#[derive(Debug)]
struct Process {
    /// When it was started, in seconds since 1970.
    started: Option<f64>,
}

/// What `/proc/self/stat` says.
#[derive(Debug, PartialEq)]
struct Stat {
    /// Processor time of the program and of the system for it, in ticks.
    ticks: u64,
    threads: u64,
    /// When it was started, in ticks since the system was.
    started: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

pub(super) fn register(registry: &mut Registry) {
    let process = Process { started: started() };
    registry.sub_registry_with_prefix("process").register_collector(Box::new(process));
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let stat = stat();
        if let Some(stat) = &stat {
            let help = "Total user and system CPU time spent";
            let counter = encoder.encode_descriptor("cpu", help, Some(&Unit::Seconds), MetricType::Counter)?;
            ConstCounter::new(in_seconds(stat.ticks)).encode(counter)?;
        }
        let resident = stat.as_ref().map(|stat| stat.resident_pages.saturating_mul(page_size() as u64));
        let gauges = [
            ("resident_memory", "Resident memory size", Some(Unit::Bytes), resident),
            ("virtual_memory", "Virtual memory size", Some(Unit::Bytes), stat.as_ref().map(|stat| stat.virtual_bytes)),
            ("threads", "Number of threads", None, stat.as_ref().map(|stat| stat.threads)),
            ("open_fds", "Number of open file descriptors", None, open_files()),
            ("max_fds", "Maximum number of open file descriptors", None, getrlimit(Resource::Nofile).current),
        ];
        for (name, help, unit, value) in gauges {
            let Some(value) = value else { continue };
            let gauge = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(gauge)?;
        }
        if let Some(started) = self.started {
            let help = "Start time of the process since the Unix epoch";
            let gauge = encoder.encode_descriptor("start_time", help, Some(&Unit::Seconds), MetricType::Gauge)?;
            ConstGauge::new(started).encode(gauge)?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a processor time is far below 2^53 ticks")]
fn in_seconds(ticks: u64) -> f64 {
    ticks as f64 / clock_ticks_per_second() as f64
}

fn stat() -> Option<Stat> {
    read_stat(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// Reads `pid (name) state …` (proc_pid_stat(5)); the name may contain blanks and brackets.
fn read_stat(text: &str) -> Option<Stat> {
    // The first is field 3.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        ticks: field(14)?.saturating_add(field(15)?),
        threads: field(20)?,
        started: field(22)?,
        virtual_bytes: field(23)?,
        resident_pages: field(24)?,
    })
}

fn started() -> Option<f64> {
    let system = fs::read_to_string("/proc/stat").ok()?;
    let booted: f64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(booted + in_seconds(stat()?.started))
}

fn open_files() -> Option<u64> {
    let files = fs::read_dir("/proc/self/fd").ok()?.count();
    // The folder itself is open while it is read.
    u64::try_from(files.saturating_sub(1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let text = "7 (a) b (c) S 1 7 7 0 -1 4194560 5 0 0 0 120 30 0 0 20 0 9 0 4242 1048576 77 18446744073709551615";
        let expected = Stat { ticks: 150, threads: 9, started: 4242, virtual_bytes: 1_048_576, resident_pages: 77 };
        assert_eq!(read_stat(text), Some(expected));
        assert_eq!(read_stat("7 (a) S 1"), None);
    }
}
