//! The pages that readers see, and what Markdown says is in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A page of the documents.
#[derive(Debug)]
pub(super) struct Page {
    /// Its path from the root of the repository: `docs/payloads.md`.
    pub(super) name: String,
    pub(super) text: String,
}

impl Page {
    fn read(path: &Path) -> Self {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        Self { name, text: fs::read_to_string(path).unwrap() }
    }

    /// The folder that its links are relative to.
    pub(super) fn folder(&self) -> PathBuf {
        root().join(&self.name).parent().unwrap().to_owned()
    }

    /// `docs/payloads.md:17`
    pub(super) fn place(&self, offset: usize) -> String {
        let line = self.text[..offset].matches('\n').count() + 1;
        format!("{}:{line}", self.name)
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and all pages of the book: what they show is run.
pub(super) fn shown_pages() -> Vec<Page> {
    let mut paths = vec![root().join("README.md")];
    pages_of(&root().join("docs"), &mut paths);
    paths.iter().map(|path| Page::read(path)).collect()
}

/// These and the pages for developers: their links are followed.
pub(super) fn linking_pages() -> Vec<Page> {
    let further = ["CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "examples/hooks/README.md"];
    let mut pages = shown_pages();
    pages.extend(further.iter().map(|name| Page::read(&root().join(name))));
    pages
}

fn pages_of(folder: &Path, paths: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        match entry.is_dir() {
            true => pages_of(&entry, paths),
            false if entry.extension().is_some_and(|ending| ending == "md") => paths.push(entry),
            false => {}
        }
    }
}
