//! What benchmarks have measured: rows of labels and figures, as `benches/figures.rs` writes them.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Map, Value};

/// The rows of each benchmark.
pub(crate) struct Results(BTreeMap<String, Vec<Row>>);

/// A measurement.
#[derive(Debug, Clone)]
pub(crate) struct Row(Map<String, Value>);

impl Results {
    /// All files of the folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut results = BTreeMap::new();
        for file in fs::read_dir(folder).into_iter().flatten() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "json") {
                let file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                let rows = file["rows"].as_array().unwrap().iter().map(|row| Row(row.as_object().unwrap().clone()));
                results.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), rows.collect());
            }
        }
        Self(results)
    }

    /// The rows of a benchmark that have these labels.
    pub(crate) fn of(&self, bench: &str, labels: &[(&str, &str)]) -> Vec<&Row> {
        let rows = self.0.get(bench).into_iter().flatten();
        rows.filter(|row| labels.iter().all(|(name, label)| row.label(name) == *label)).collect()
    }
}

impl Row {
    /// A label; empty where the row has none of this name.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The names of all labels and figures, and whether each is that of a label.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.is_string()))
    }

    /// The number in a label.
    pub(crate) fn number(&self, name: &str) -> f64 {
        self.label(name).replace(',', "").parse().unwrap_or_default()
    }

    pub(crate) fn figure(&self, name: &str) -> Option<f64> {
        self.0.get(name).and_then(Value::as_f64)
    }
}
