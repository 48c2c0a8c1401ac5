//! What the checks of the sections find: values that each may be right, and cannot be used or not together.

use std::fmt::Display;

use super::path::{Path, Step};

/// What was found, in the order of the checks.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

/// A value that cannot be used.
#[derive(Debug)]
pub(super) struct Fault {
    /// The keys that it is about, the one that is shown first.
    pub(super) paths: Vec<Path>,
    pub(super) message: String,
}

impl Faults {
    /// What a key of a section must be.
    pub(super) fn key(&mut self, section: &str, key: &str, must: impl Display) {
        self.keys(section, &[key], must);
    }

    /// What the first of these keys must be, because of the others.
    pub(super) fn keys(&mut self, section: &str, keys: &[&str], must: impl Display) {
        let first = keys.first().copied().unwrap_or_default();
        let path = |key: &&str| vec![Step::Key(section.to_owned()), Step::Key((*key).to_owned())];
        self.0.push(Fault { paths: keys.iter().map(path).collect(), message: format!("[{section}] {first} {must}") });
    }

    /// What is wrong with a key of one of the entries of a list of sections.
    pub(super) fn entry(&mut self, list: &[&str], place: usize, key: &str, message: String) {
        self.0.push(Fault { paths: vec![in_entry(list, place, key)], message });
    }

    /// The fault that was found last is also about the entries of this list.
    pub(super) fn because_of(&mut self, list: &[&str]) {
        if let Some(last) = self.0.last_mut() {
            last.paths.push(list.iter().map(|key| Step::Key((*key).to_owned())).collect());
        }
    }

    pub(super) fn into_iter(self) -> impl Iterator<Item = Fault> {
        self.0.into_iter()
    }

    #[cfg(test)]
    pub(super) fn messages(&self) -> String {
        self.0.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("\n")
    }
}

fn in_entry(list: &[&str], place: usize, key: &str) -> Path {
    let list = list.iter().map(|key| Step::Key((*key).to_owned()));
    list.chain([Step::Index(place), Step::Key(key.to_owned())]).collect()
}
