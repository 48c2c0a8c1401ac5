//! The concurrency limit that finds itself, and the gateway over a long time: soak and kills.

use super::{Shown, everything, names};
use crate::{
    chart::{Axis, Bars, Lines},
    results::{Results, Row},
};

/// The label of the limit that finds itself.
const AUTO: &str = "auto";

pub(super) fn all(results: &Results) -> Vec<Shown> {
    vec![auto_limit(results), soak(results), Shown::new("kills").with_everything(everything(results, "kills", &[]))]
}

/// Throughput by the limit that finds itself, by the best fixed one, and by the one that was the default before.
fn auto_limit(results: &Results) -> Shown {
    let rows = results.of("auto_limit", &[]);
    let mut groups = Vec::new();
    for work in names(&rows, "work") {
        for workers in names(&rows, "workers") {
            let of = |limit: &str| {
                let rows = rows.iter().filter(|row| row.label("work") == work && row.label("workers") == workers);
                let rows = rows.filter(|row| limit.is_empty() || row.label("limit") == limit);
                rows.filter(|row| !limit.is_empty() || row.label("limit") != AUTO)
                    .filter_map(|row| row.figure("calls_per_second"))
                    .reduce(f64::max)
            };
            let bars = [("auto", of(AUTO)), ("the best of the fixed limits", of("")), ("4, as before", of("4"))];
            let bars = bars.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            groups.push((format!("{work}, {workers}"), bars.collect()));
        }
    }
    Shown::new("auto-limit")
        .with_bars(Bars {
            title: "The concurrency limit that finds itself, and fixed ones",
            what: "calls a second",
            groups,
        })
        .with_everything(everything(results, "auto_limit", &[]))
}

/// Curves over the minutes of a soak.
fn soak(results: &Results) -> Shown {
    let rows = results.of("soak", &[("what", "sample")]);
    let curve = |name: &str, figure: &str| {
        let point = |row: &&Row| Some((row.figure("seconds")? / 60.0, row.figure(figure)?));
        let mut points: Vec<(f64, f64)> = rows.iter().filter_map(point).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        (name.to_owned(), points)
    };
    let x = Axis { what: "minutes", is_logarithmic: false };
    Shown::new("soak")
        .with_lines(Lines {
            title: "A soak: memory, descriptors and threads",
            x,
            y: Axis { what: "MiB; number", is_logarithmic: false },
            series: vec![
                curve("memory, MiB", "memory_mib"),
                curve("descriptors", "descriptors"),
                curve("threads", "threads"),
            ],
        })
        .with_lines(Lines {
            title: "A soak: time of a call",
            x,
            y: Axis { what: "milliseconds", is_logarithmic: true },
            series: vec![curve("p50", "p50_ms"), curve("p99", "p99_ms")],
        })
        .with_everything(everything(results, "soak", &[("what", "whole run")]))
}
