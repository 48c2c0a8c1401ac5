//! What a benchmark measured, as JSON: one file for each benchmark, from which the charts and tables of docs/performance.md are
//! made (`tests/charts`).
//!
//! Files are written only where `ODOO_GATEWAY_BENCH_INTO` names a folder, which for published figures is `benches/results`.
//! A run replaces those rows of the file that have the same labels, and keeps the others, so that parts can be measured again.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::{env, fs, path::PathBuf};

use serde_json::{Map, Value, json};

/// The figures of one benchmark. A row has labels (texts: what was measured, of which peer, with how many) and figures
/// (numbers). The unit is the end of a figure's name: `calls_per_second`, `p50_ms`, `peak_mib`.
pub struct Figures {
    file: Option<PathBuf>,
    rows: Vec<Map<String, Value>>,
}

impl Figures {
    /// The figures of the benchmark with this name, with those that are in its file already.
    pub fn of(bench: &str) -> Self {
        let file =
            env::var_os("ODOO_GATEWAY_BENCH_INTO").map(|folder| PathBuf::from(folder).join(format!("{bench}.json")));
        let before = file.as_ref().and_then(|file| fs::read(file).ok());
        let before = before.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
        let rows = before["rows"].as_array().into_iter().flatten().map(|row| row.as_object().unwrap().clone());
        Self { file, rows: rows.collect() }
    }

    /// Adds a row, in the place of one with the same labels.
    pub fn add(&mut self, labels: &[(&str, &str)], figures: &[(&str, f64)]) {
        let labels: Map<String, Value> =
            labels.iter().map(|(name, label)| ((*name).to_owned(), json!(label))).collect();
        let mut row = labels.clone();
        row.extend(figures.iter().map(|(name, figure)| ((*name).to_owned(), json!((figure * 1e3).round() / 1e3))));
        let labels_of = |row: &Map<String, Value>| -> Map<String, Value> {
            row.iter()
                .filter(|(_, value)| value.is_string())
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        match self.rows.iter_mut().find(|other| labels_of(other) == labels) {
            Some(other) => *other = row,
            None => self.rows.push(row),
        }
    }

    /// Writes the file, one row a line, where one is wanted.
    pub fn write(&self) {
        let Some(file) = &self.file else { return };
        let rows: Vec<String> =
            self.rows.iter().map(|row| format!("    {}", serde_json::to_string(row).unwrap())).collect();
        fs::write(file, format!("{{\n  \"rows\": [\n{}\n  ]\n}}\n", rows.join(",\n"))).unwrap();
    }
}
