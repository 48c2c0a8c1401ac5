//! The tables and charts of docs/performance.md are what the benchmarks have measured, as `benches/results` has it.
//! `ODOO_GATEWAY_WRITE_DOCS=1 cargo test --test charts` writes them.
//!
//! A table stands between `<!-- figures: NAME -->` and `<!-- /figures -->`, with its chart above it. What has not been measured
//! has neither. Charts are SVG files of docs/images, which follow the reader's choice of light and dark.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod chart;
mod results;
mod shown;
mod table;

use std::{env, fs, path::PathBuf};

use self::{results::Results, shown::Shown};

const BEGIN: &str = "<!-- figures: ";
const END: &str = "<!-- /figures -->";
/// A page with all charts loads at once.
const LARGEST: usize = 60 << 10;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn is_writing() -> bool {
    env::var_os("ODOO_GATEWAY_WRITE_DOCS").is_some()
}

/// The page with each block as the results give it.
fn made(page: &str, shown: &[Shown]) -> String {
    let mut made = String::new();
    let mut rest = page;
    while let Some(at) = rest.find(BEGIN) {
        let (before, block) = rest.split_at(at);
        let (marker, _) = block.split_once("-->").expect("a marker ends with -->");
        let name = marker[BEGIN.len()..].trim();
        let shown =
            shown.iter().find(|shown| shown.name == name).unwrap_or_else(|| panic!("no figures are called {name}"));
        let (_, after) = block.split_once(END).unwrap_or_else(|| panic!("{name} does not end with {END}"));
        made.push_str(before);
        made.push_str(&format!("{marker}-->\n\n{}{END}", shown.text()));
        rest = after;
    }
    made + rest
}

#[test]
fn the_tables_and_charts_of_the_page_are_what_was_measured() {
    let shown = shown::all(&Results::read(&root().join("benches/results")));
    let images = root().join("docs/images");
    for (name, svg) in shown.iter().flat_map(|shown| &shown.charts) {
        let file = images.join(format!("{name}.svg"));
        assert!(svg.len() <= LARGEST, "{name} has {} bytes", svg.len());
        if is_writing() {
            fs::write(&file, svg).unwrap();
        }
        let stored = fs::read_to_string(&file).unwrap_or_default();
        assert!(stored == *svg, "{} is not what is made: see the first lines of this test", file.display());
    }
    let drawn: Vec<String> =
        shown.iter().flat_map(|shown| &shown.charts).map(|(name, _)| format!("{name}.svg")).collect();
    for image in fs::read_dir(&images).unwrap() {
        let name = image.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".svg") || drawn.contains(&name), "docs/images/{name} is of no figures");
    }
    let file = root().join("docs/performance.md");
    let page = fs::read_to_string(&file).unwrap();
    let made = made(&page, &shown);
    if is_writing() {
        fs::write(&file, &made).unwrap();
        return;
    }
    assert!(page == made, "docs/performance.md is not what is made: see the first lines of this test");
    for shown in &shown {
        assert!(page.contains(&format!("{BEGIN}{} -->", shown.name)), "the page does not show {}", shown.name);
    }
}
