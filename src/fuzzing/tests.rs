//! The corpus of each target, replayed: `fuzz/corpus/TARGET` has inputs that reach different parts of its reader, and those that once
//! were findings (`found-…`).

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use super::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_input_of_the_corpus_is_read_without_a_panic() {
    let mut failed = Vec::new();
    for (name, run) in TARGETS {
        let folder = fuzz().join("corpus").join(name);
        let inputs = names(&folder);
        assert!(inputs.len() > 1, "the target `{name}` has no corpus");
        for input in inputs {
            let bytes = fs::read(folder.join(&input)).unwrap();
            if catch_unwind(AssertUnwindSafe(|| run(&bytes))).is_err() {
                failed.push(format!("{name}/{input}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_target_has_a_program_and_a_corpus_and_no_other_is_left() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let programs = names(&fuzz().join("fuzz_targets"));
    assert_eq!(programs, targets.iter().map(|name| format!("{name}.rs")).collect());
    assert_eq!(names(&fuzz().join("corpus")), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let built = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"));
    assert_eq!(built.map(|file| file.trim_end_matches('"').to_owned()).collect::<BTreeSet<_>>(), programs);
}
