//! How costs grow: `benches/growth`.

use super::Shown;
use crate::{
    chart::{Axis, Lines},
    results::Results,
    table::number,
};

/// Figures of one part by size.
struct Part<'r> {
    results: &'r Results,
    part: &'static str,
}

impl Part<'_> {
    /// The sizes that were measured of this.
    fn sizes(&self, what: &str) -> Vec<f64> {
        let rows = self.results.of("growth", &[("part", self.part), ("what", what)]);
        let mut sizes: Vec<f64> = rows.iter().map(|row| row.number("size")).collect();
        sizes.sort_by(f64::total_cmp);
        sizes
    }

    fn value(&self, what: &str, size: f64, figure: &str) -> Option<f64> {
        let size = size.to_string();
        let rows = self.results.of("growth", &[("part", self.part), ("what", what), ("size", &size)]);
        rows.first()?.figure(figure)
    }

    /// A line of a chart.
    fn line(&self, name: &str, what: &str, figure: &str) -> (String, Vec<(f64, f64)>) {
        let value = |size: f64| self.value(what, size, figure).map(|value| (size, value));
        (name.to_owned(), self.sizes(what).into_iter().filter_map(value).collect())
    }

    /// A table of these figures, with a row for each size of the first.
    fn rows(&self, columns: &[(&str, &str)]) -> Vec<Vec<String>> {
        let Some((first, _)) = columns.first() else { return Vec::new() };
        let cell = |size: f64, what: &str, figure: &str| self.value(what, size, figure).map_or(String::new(), number);
        let row = |size: f64| {
            let cells = columns.iter().map(|(what, figure)| cell(size, what, figure));
            std::iter::once(number(size)).chain(cells).collect()
        };
        self.sizes(first).into_iter().map(row).collect()
    }
}

const fn axis(what: &'static str) -> Axis {
    Axis { what, is_logarithmic: true }
}

pub(super) fn all(results: &Results) -> Vec<Shown> {
    vec![log(results), clients(results), schemas(results), payload(results), queue(results), connections(results)]
}

fn log(results: &Results) -> Shown {
    let part = Part { results, part: "log" };
    const LISTS: [(&str, &str); 12] = [
        ("`log ls`", "log ls"),
        ("a state", "log ls, a state"),
        ("a rare error code", "log ls, a rare error code"),
        ("an error code that no call has", "log ls, an error code that no call has"),
        ("a record of the first calls", "log ls, a record of the first calls"),
        ("a text that many have", "log ls, a text that many have"),
        ("a text of one old call", "log ls, a text of one old call"),
        ("`log show` of an old call", "log show of an old call"),
        ("console: list", "console: list"),
        ("console: overview of 24 h", "console: overview of 24 h"),
        ("console: overview of 7 d", "console: overview of 7 d"),
        ("console: clients", "console: clients"),
    ];
    let sizes = part.sizes("log ls");
    let cells = |what: &str, figure: &str| -> Vec<String> {
        sizes.iter().map(|size| part.value(what, *size, figure).map_or(String::new(), number)).collect()
    };
    let mut rows = Vec::new();
    for (name, what, figure) in [
        ("start, ms, the log not in memory", "start", "first_ms"),
        ("start, ms", "start", "ms"),
        ("memory after the start, MiB", "start", "memory_mib"),
        ("memory after all below, at most, MiB", "memory after all", "peak_mib"),
    ] {
        rows.push([vec![name.to_owned()], cells(what, figure)].concat());
    }
    for (name, what) in LISTS {
        rows.push([vec![format!("{name}, ms")], cells(what, "ms")].concat());
    }
    for (name, what) in LISTS.iter().filter(|(_, what)| what.starts_with("log ls, a")) {
        rows.push([vec![format!("{name}, ms, the log not in memory")], cells(what, "first_ms")].concat());
    }
    rows.push(
        [vec!["`log ls` with a state: its memory, MiB".to_owned()], cells("log ls, a state", "peak_mib")].concat(),
    );
    let heads: Vec<String> = sizes.iter().map(|size| format!("{} lines", number(*size))).collect();
    let columns: Vec<&str> = std::iter::once("").chain(heads.iter().map(String::as_str)).collect();
    let rows = if sizes.is_empty() { Vec::new() } else { rows };
    Shown::new("growth-log")
        .with_lines(Lines {
            title: "A longer log: time of a start and of queries",
            x: axis("lines of the log"),
            y: axis("milliseconds"),
            series: vec![
                part.line("start", "start", "ms"),
                part.line("log ls, a rare error code", "log ls, a rare error code", "ms"),
                part.line("log ls, a record", "log ls, a record of the first calls", "ms"),
                part.line("log ls, a text of one old call", "log ls, a text of one old call", "ms"),
                part.line("log show of an old call", "log show of an old call", "ms"),
                part.line("console: overview of 7 d", "console: overview of 7 d", "ms"),
            ],
        })
        .with_table(&columns, &rows)
}

fn clients(results: &Results) -> Shown {
    let part = Part { results, part: "clients" };
    const KEYED: &str = "create with an idempotency key";
    Shown::new("growth-clients")
        .with_lines(Lines {
            title: "More [[client]] entries: times, and processor time of a call",
            x: axis("[[client]] entries"),
            y: axis("ms; of a call µs"),
            series: vec![
                part.line("start, ms", "start and reload", "start_ms"),
                part.line("reload, ms", "start and reload", "reload_ms"),
                part.line("check --offline, ms", "check", "ms"),
                part.line("a search, µs", "search", "cpu_us"),
                part.line("a create with a key, µs", KEYED, "cpu_us"),
            ],
        })
        .with_table(
            &[
                "entries",
                "start, ms",
                "reload, ms",
                "`check --offline`, ms",
                "memory, MiB",
                "search, calls/s",
                "search, µs of processor",
                "create with key, calls/s",
                "create with key, µs of processor",
            ],
            &part.rows(&[
                ("start and reload", "start_ms"),
                ("start and reload", "reload_ms"),
                ("check", "ms"),
                ("start and reload", "memory_mib"),
                ("search", "calls_per_second"),
                ("search", "cpu_us"),
                (KEYED, "calls_per_second"),
                (KEYED, "cpu_us"),
            ]),
        )
}

fn schemas(results: &Results) -> Shown {
    let part = Part { results, part: "schemas" };
    Shown::new("growth-schemas")
        .with_lines(Lines {
            title: "More users and models: memory, and processor time of a call",
            x: axis("pairs of user and model"),
            y: axis("MiB; µs"),
            series: vec![
                part.line("memory, MiB", "search", "memory_mib"),
                part.line("a search, µs of processor", "search", "cpu_us"),
            ],
        })
        .with_table(
            &["pairs", "calls/s", "µs of processor", "schemas asked for, per call", "memory, MiB", "at most, MiB"],
            &part.rows(&[
                ("search", "calls_per_second"),
                ("search", "cpu_us"),
                ("search", "schemas_asked_per_call"),
                ("search", "memory_mib"),
                ("search", "peak_mib"),
            ]),
        )
}

fn payload(results: &Results) -> Shown {
    let part = Part { results, part: "payload" };
    const PLAIN: &str = "lines of plain values";
    const LOOKUPS: &str = "lines with a lookup each";
    Shown::new("growth-payload")
        .with_lines(Lines {
            title: "A longer payload: time of one call",
            x: axis("lines of the payload"),
            y: axis("milliseconds"),
            series: vec![part.line(PLAIN, PLAIN, "ms"), part.line(LOOKUPS, LOOKUPS, "ms")],
        })
        .with_table(
            &[
                "lines",
                "plain values, ms",
                "µs a line",
                "memory more, MiB",
                "a lookup each, ms",
                "µs a line",
                "memory more, MiB",
            ],
            &part.rows(&[
                (PLAIN, "ms"),
                (PLAIN, "us_per_line"),
                (PLAIN, "more_mib"),
                (LOOKUPS, "ms"),
                (LOOKUPS, "us_per_line"),
                (LOOKUPS, "more_mib"),
            ]),
        )
}

fn queue(results: &Results) -> Shown {
    let part = Part { results, part: "queue" };
    Shown::new("growth-queue")
        .with_lines(Lines {
            title: "A longer queue: times of a start and of commands, and of a call",
            x: axis("queued calls"),
            y: axis("milliseconds; µs"),
            series: vec![
                part.line("start, ms", "start", "ms"),
                part.line("queue ls, ms", "commands", "queue_ls_ms"),
                part.line("queue stats, ms", "commands", "queue_stats_ms"),
                part.line("accept one, ms", "accept", "p50_ms"),
                part.line("deliver one, µs of processor", "deliver", "cpu_us"),
            ],
        })
        .with_table(
            &[
                "queued",
                "start, ms",
                "memory, MiB",
                "accept one, ms",
                "accepted by 16, calls/s",
                "delivered, calls/s",
                "µs of processor",
                "`queue ls`, ms",
                "`queue stats`, ms",
            ],
            &part.rows(&[
                ("start", "ms"),
                ("start", "memory_mib"),
                ("accept", "p50_ms"),
                ("accept", "calls_per_second_of_16"),
                ("deliver", "calls_per_second"),
                ("deliver", "cpu_us"),
                ("commands", "queue_ls_ms"),
                ("commands", "queue_stats_ms"),
            ]),
        )
}

fn connections(results: &Results) -> Shown {
    let part = Part { results, part: "connections" };
    const WAITING: &str = "waiting, while 64 others call";
    const ALL: &str = "all calling";
    Shown::new("growth-connections")
        .with_lines(Lines {
            title: "More connections: memory of all, and processor time of a call",
            x: axis("connections"),
            y: axis("MiB; µs"),
            series: vec![
                part.line("waiting: memory more, MiB", WAITING, "more_mib"),
                part.line("all calling: memory at most, MiB", ALL, "peak_mib"),
                part.line("a call beside waiting ones, µs", WAITING, "cpu_us"),
                part.line("a call while all call, µs", ALL, "cpu_us"),
            ],
        })
        .with_table(
            &[
                "connections",
                "waiting, KiB each",
                "64 others: calls/s",
                "µs of processor",
                "all calling: calls/s",
                "p50, ms",
                "µs of processor",
                "memory at most, MiB",
            ],
            &part.rows(&[
                (WAITING, "kib_each"),
                (WAITING, "calls_per_second"),
                (WAITING, "cpu_us"),
                (ALL, "calls_per_second"),
                (ALL, "p50_ms"),
                (ALL, "cpu_us"),
                (ALL, "peak_mib"),
            ]),
        )
}
