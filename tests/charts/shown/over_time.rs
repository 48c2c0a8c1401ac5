//! The concurrency limit that finds itself, and the gateway over a long time: soak and kills.

use super::{Shown, everything};
use crate::{
    chart::{Axis, Bars, Lines},
    results::{Results, Row},
};

pub(super) fn all(results: &Results) -> Vec<Shown> {
    vec![auto_limit(results), soak(results), Shown::new("kills").with_everything(everything(results, "kills", &[]))]
}

/// Throughput by each fixed limit, and by the one that finds itself.
fn auto_limit(results: &Results) -> Shown {
    let rows = results.of("auto_limit", &[]);
    let mut groups: Vec<(String, Vec<(String, f64)>)> = Vec::new();
    for row in rows {
        let name = ["work", "workers", "odoo"].iter().map(|label| row.label(label)).filter(|label| !label.is_empty());
        let name = name.collect::<Vec<_>>().join(", ");
        let Some(value) = row.figure("calls_per_second") else { continue };
        let bar = (format!("limit {}", row.label("limit")), value);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, bars)) => bars.push(bar),
            None => groups.push((name, vec![bar])),
        }
    }
    Shown::new("auto-limit")
        .with_bars(Bars {
            title: "A fixed concurrency limit, and the one that finds itself",
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
