//! The gateway beside others: the addon, bare calls to Odoo, nginx; and by itself, with and without its log.

use super::{Shown, everything, names};
use crate::{
    chart::{Axis, Bars, Lines},
    results::{Results, Row},
    table::number,
};

/// One of the peers, as the benchmark calls it, and as the page does.
type Peer = (&'static str, &'static str);

const PEERS: [Peer; 3] = [("addon", "the addon"), ("gateway", "the gateway"), ("bare", "the bare call, ids known")];

pub(super) fn all(results: &Results) -> Vec<Shown> {
    vec![odoo(results), many(results), nginx(results), own_cost(results)]
}

/// Bars of a figure, in groups of rows that have the same labels but the peer's.
fn groups(rows: &[&Row], labels: &[&str], peer: &str, figure: &str) -> Vec<(String, Vec<(String, f64)>)> {
    let mut groups: Vec<(String, Vec<(String, f64)>)> = Vec::new();
    for row in rows {
        let name =
            labels.iter().filter(|label| !row.label(label).is_empty()).map(|label| match (*label, row.label(label)) {
                ("connections", "1") => "1 connection".to_owned(),
                ("connections", number) => format!("{number} connections"),
                (_, name) => name.to_owned(),
            });
        let name = name.collect::<Vec<_>>().join(", ");
        let Some(value) = row.figure(figure) else { continue };
        let bar = (row.label(peer).to_owned(), value);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, bars)) => bars.push(bar),
            None => groups.push((name, vec![bar])),
        }
    }
    groups
}

fn cell(row: Option<&&Row>, figure: &str) -> String {
    row.and_then(|row| row.figure(figure)).map_or(String::new(), number)
}

fn odoo(results: &Results) -> Shown {
    let all = results.of("against_odoo", &[]);
    let measured: Vec<&Row> = all.into_iter().filter(|row| !row.label("clients").is_empty()).collect();
    let mut rows = Vec::new();
    let mut bars = Vec::new();
    for work in names(&measured, "work") {
        for credential in names(&measured, "credential") {
            for clients in names(&measured, "clients") {
                let of = |peer: &str| {
                    let labels =
                        [("work", &*work), ("credential", &*credential), ("clients", &*clients), ("peer", peer)];
                    results.of("against_odoo", &labels).first().copied()
                };
                let Some(gateway) = of("gateway") else { continue };
                let peers = PEERS.map(|(peer, _)| of(peer));
                let calls = peers.iter().map(|peer| cell(peer.as_ref(), "calls_per_second"));
                let waits = peers.iter().map(|peer| cell(peer.as_ref(), "p50_ms"));
                let ratios = ["calls_to_addon_ratio", "p50_to_addon_ratio", "calls_to_bare_ratio", "p50_to_bare_ratio"];
                let ratios = ratios.iter().map(|ratio| cell(Some(&gateway), ratio));
                let names = [work.clone(), credential.clone(), clients.clone()].into_iter();
                rows.push(names.chain(calls).chain(waits).chain(ratios).collect());
                let group = PEERS
                    .iter()
                    .zip(peers)
                    .filter_map(|((_, name), row)| Some(((*name).to_owned(), row?.figure("calls_per_second")?)));
                if credential == "session" {
                    bars.push((format!("{work}, {clients} clients"), group.collect()));
                }
            }
        }
    }
    Shown::new("against-odoo")
        .with_bars(Bars {
            title: "Against the addon and bare calls to Odoo, by a session",
            what: "calls a second",
            groups: bars,
        })
        .with_table(
            &[
                "work",
                "credential",
                "clients",
                "addon, calls/s",
                "gateway",
                "bare",
                "addon, p50 ms",
                "gateway",
                "bare",
                "calls, of the addon's",
                "p50, of the addon's",
                "calls, of bare",
                "p50, of bare",
            ],
            &rows,
        )
}

fn many(results: &Results) -> Shown {
    let lists = results.of("against_odoo", &[("work", "list")]);
    let mut bars = Vec::new();
    let mut rows = Vec::new();
    for records in names(&lists, "records") {
        let of_size: Vec<&&Row> = lists.iter().filter(|row| row.label("records") == records).collect();
        let mut group = Vec::new();
        for row in of_size {
            let peer = match row.label("peer") {
                "gateway" => "the gateway".to_owned(),
                _ => format!("Odoo's create, {} at a time", row.label("part")),
            };
            if let Some(rate) = row.figure("records_per_second") {
                group.push((peer.clone(), rate));
            }
            let figures = ["records_per_second", "gateway_to_this_ratio", "odoo_calls", "outside_odoo_ms", "peak_mib"];
            let figures = figures.iter().map(|figure| cell(Some(row), figure));
            rows.push([records.clone(), peer].into_iter().chain(figures).collect());
        }
        bars.push((format!("{} records", number(records.parse().unwrap_or_default())), group));
    }
    let lines = results.of("against_odoo", &[("work", "order by its lines")]);
    let of_peer = |figure: &str| {
        let mut points: Vec<(f64, f64)> =
            lines.iter().filter_map(|row| Some((row.number("lines"), row.figure(figure)?))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    };
    Shown::new("many-records")
        .with_bars(Bars { title: "A list of records with three lookups each", what: "records a second", groups: bars })
        .with_lines(Lines {
            title: "An order by its lines",
            x: Axis { what: "lines", is_logarithmic: true },
            y: Axis { what: "ms, p50", is_logarithmic: true },
            series: vec![
                ("the gateway".to_owned(), of_peer("gateway_p50_ms")),
                ("the bare call, ids known".to_owned(), of_peer("bare_p50_ms")),
            ],
        })
        .with_table(
            &[
                "records",
                "made by",
                "records/s",
                "the gateway, of this",
                "calls to Odoo",
                "ms outside of Odoo",
                "memory at most, MiB",
            ],
            &rows,
        )
}

fn nginx(results: &Results) -> Shown {
    let all = results.of("against_nginx", &[]);
    let of = |figure: &str| -> Vec<&Row> { all.iter().copied().filter(|row| row.figure(figure).is_some()).collect() };
    let labels = ["work", "connections"];
    let (small, bodies) = (of("calls_per_second"), of("megabytes_per_second"));
    let peers = names(&all, "peer");
    let mut rows = Vec::new();
    for (unit, figure) in [
        ("calls/s", "calls_per_second"),
        ("p50, ms", "p50_ms"),
        ("p99, ms", "p99_ms"),
        ("processor, µs a call", "cpu_us_per_call"),
        ("MB/s", "megabytes_per_second"),
        ("opened/s", "opened_per_second"),
        ("memory more at the peak, MiB", "peak_mib"),
    ] {
        for (name, bars) in groups(&of(figure), &labels, "peer", figure) {
            let value = |peer: &String| bars.iter().find(|(known, _)| known == peer).map(|(_, value)| *value);
            let cells = peers.iter().map(|peer| value(peer).map_or(String::new(), number));
            rows.push([name, unit.to_owned()].into_iter().chain(cells).collect());
        }
    }
    let columns: Vec<&str> = ["", ""].into_iter().chain(peers.iter().map(String::as_str)).collect();
    Shown::new("against-nginx")
        .with_bars(Bars {
            title: "Passing small answers on, beside nginx",
            what: "calls a second",
            groups: groups(&small, &labels, "peer", "calls_per_second"),
        })
        .with_bars(Bars {
            title: "Passing large bodies on, beside nginx",
            what: "MB a second",
            groups: groups(&bodies, &labels, "peer", "megabytes_per_second"),
        })
        .with_table(&columns, &rows)
}

fn own_cost(results: &Results) -> Shown {
    let all = results.of("own_cost", &[("stub", "keeps connections"), ("after", "")]);
    Shown::new("own-cost")
        .with_bars(Bars {
            title: "Before a stub that answers at once, by what the log does",
            what: "calls a second",
            groups: groups(&all, &["call", "connections"], "log", "calls_per_second"),
        })
        .with_everything(everything(results, "own_cost", &[]))
}
