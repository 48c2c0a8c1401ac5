//! The index of faults names tests that there are: docs/reliability.md, and the traps of queues in docs/delivery.md.

use std::{fs, path::PathBuf};

use regex::Regex;

use super::pages::root;

/// So many faults at least have a name.
const FAULTS: usize = 100;

/// The files that may have the test of this path, such as `tests/it/queue/faults.rs` of `queue::faults::a_worker_…`.
fn files(module: &str) -> impl Iterator<Item = PathBuf> {
    let path = module.replace("::", "/");
    let of_unit = path.strip_suffix("/tests").unwrap_or(&path).to_owned();
    [
        format!("tests/it/{path}.rs"),
        format!("tests/it/{path}/mod.rs"),
        format!("src/{path}.rs"),
        format!("src/{of_unit}.rs"),
    ]
    .into_iter()
    .map(|file| root().join(file))
}

/// Whether there is a test with this path: a function behind an attribute that makes it one.
fn is_there(test: &str) -> bool {
    let (module, name) = test.rsplit_once("::").unwrap();
    let function =
        Regex::new(&format!(r"#\[(?:tokio::)?test[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:async )?fn {name}\(")).unwrap();
    files(module).filter_map(|file| fs::read_to_string(file).ok()).any(|text| function.is_match(&text))
}

#[test]
fn every_fault_of_the_index_has_a_test_that_is_there() {
    let named = Regex::new(r"`([a-z0-9_]+(?:::[a-z0-9_]+)+)`").unwrap();
    let (mut faults, mut missing) = (0, Vec::new());
    for page in ["docs/reliability.md", "docs/delivery.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for row in text.lines().filter(|line| line.starts_with("| ")) {
            // The last column has the tests; `deliver::retry` in it is a module with tests.
            let column = row.trim_end_matches(['|', ' ']).rsplit(" | ").next().unwrap_or_default();
            let tests: Vec<&str> = named.captures_iter(column).map(|test| test.get(1).unwrap().as_str()).collect();
            faults += usize::from(!tests.is_empty());
            let gone = tests.iter().filter(|test| !is_there(test) && !files(test).any(|file| file.exists()));
            missing.extend(gone.map(|test| format!("{page}: {test}")));
        }
    }
    println!("documents: {faults} named faults");
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
    assert!(faults >= FAULTS, "{faults} faults");
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(is_there("documents::faults::a_test_that_is_not_there_is_noticed"));
    assert!(!is_there("documents::faults::is_there") && !is_there("documents::faults::nothing_of_the_kind"));
}
