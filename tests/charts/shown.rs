//! What the page shows, each under the name of its marker: which rows are drawn, and which are told in a table.

mod compared;
mod growth;
mod over_time;

use super::{
    chart::{Bars, Lines},
    results::{Results, Row},
    table::number,
};

/// A block of the page.
pub(crate) struct Shown {
    pub(crate) name: &'static str,
    /// The names of the files, without the ending, and what is in them.
    pub(crate) charts: Vec<(String, String)>,
    images: String,
    tables: Vec<String>,
}

/// All blocks, in the order of the page.
pub(crate) fn all(results: &Results) -> Vec<Shown> {
    [compared::all(results), over_time::all(results), growth::all(results)].into_iter().flatten().collect()
}

/// The values that a label has, in the order of the rows.
fn names(rows: &[&Row], label: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in rows.iter().map(|row| row.label(label)).filter(|name| !name.is_empty()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Columns and rows of a table.
type Table = (Vec<String>, Vec<Vec<String>>);

/// The rows of a benchmark that have these labels, with all labels and figures; none where nothing has been measured.
fn everything(results: &Results, bench: &str, of: &[(&str, &str)]) -> Option<Table> {
    let rows = results.of(bench, of);
    let (mut labels, mut figures): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for (name, is_label) in rows.iter().flat_map(|row| row.names()) {
        let known = if is_label { &mut labels } else { &mut figures };
        if !known.contains(&name) {
            known.push(name);
        }
    }
    let cells = |row: &&Row| {
        let of_labels = labels.iter().map(|name| row.label(name).to_owned());
        of_labels.chain(figures.iter().map(|name| row.figure(name).map_or(String::new(), number))).collect()
    };
    let columns = labels.iter().chain(&figures).map(|name| in_words(name)).collect();
    (!rows.is_empty()).then(|| (columns, rows.iter().map(cells).collect()))
}

/// The name of a label or a figure, with its unit as people write it.
fn in_words(name: &str) -> String {
    for (ending, unit) in
        [("_per_second", "/s"), ("_ms", ", ms"), ("_us", ", µs"), ("_mib", ", MiB"), ("_kib", ", KiB")]
    {
        if let Some(what) = name.strip_suffix(ending) {
            return format!("{}{unit}", what.replace('_', " "));
        }
    }
    name.replace('_', " ")
}

impl Shown {
    fn new(name: &'static str) -> Self {
        Self { name, charts: Vec::new(), images: String::new(), tables: Vec::new() }
    }

    /// Draws lines, as far as there are any.
    fn with_lines(mut self, lines: Lines) -> Self {
        let lines =
            Lines { series: lines.series.into_iter().filter(|(_, points)| points.len() > 1).collect(), ..lines };
        if !lines.series.is_empty() {
            self.add(lines.title, lines.svg());
        }
        self
    }

    fn with_bars(mut self, bars: Bars) -> Self {
        let bars = Bars { groups: bars.groups.into_iter().filter(|(_, bars)| !bars.is_empty()).collect(), ..bars };
        if !bars.groups.is_empty() {
            self.add(bars.title, bars.svg());
        }
        self
    }

    fn with_table(mut self, columns: &[&str], rows: &[Vec<String>]) -> Self {
        if !rows.is_empty() {
            self.tables.push(super::table::table(columns, rows));
        }
        self
    }

    fn with_everything(self, table: Option<Table>) -> Self {
        let Some((columns, rows)) = table else { return self };
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        self.with_table(&columns, &rows)
    }

    /// The first chart has the name of the block, the others a number behind it.
    fn add(&mut self, title: &str, svg: String) {
        let name = match self.charts.len() {
            0 => self.name.to_owned(),
            drawn => format!("{}-{}", self.name, drawn + 1),
        };
        self.images.push_str(&format!("![{title}](images/{name}.svg)\n\n"));
        self.charts.push((name, svg));
    }

    /// What stands between the markers.
    pub(crate) fn text(&self) -> String {
        match self.images.is_empty() && self.tables.is_empty() {
            true => "This has not been measured yet.\n\n".to_owned(),
            false => format!("{}{}\n", self.images, self.tables.join("\n")),
        }
    }
}
