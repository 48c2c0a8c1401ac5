//! `docs/` is a book: mdBook builds it, every page is in its table of contents, and its pages lead to each other.
//!
//! The folder ODOO_GATEWAY_BOOK, where it is named, keeps the book to look at.

use std::{env, fs, path::PathBuf};

use mdbook_driver::MDBook;
use regex::Regex;

use super::pages::{root, shown_pages};

#[test]
fn the_book_is_built_of_all_pages_and_they_lead_to_each_other() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = env::var_os("ODOO_GATEWAY_BOOK").map_or(temporary.path().to_owned(), PathBuf::from);
    let mut book = MDBook::load(root().join("docs")).unwrap();
    book.config.build.build_dir = folder.clone();
    book.build().unwrap();
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let links = Regex::new(r##"(?:href|src)="([^"#:]+\.html)(?:#[^"]*)?""##).unwrap();
    let mut pages = 0;
    for page in shown_pages() {
        let Some(name) = page.name.strip_prefix("docs/").filter(|name| *name != "SUMMARY.md") else { continue };
        assert!(summary.contains(&format!("({name})")), "docs/SUMMARY.md lacks {name}");
        let file = folder.join(name).with_extension("html");
        let html = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for link in links.captures_iter(&html) {
            let target = file.parent().unwrap().join(&link[1]);
            // What lies outside of the book is a file of the repository: the test of the links has seen it.
            let is_of_the_book = target.canonicalize().is_ok_and(|target| target.starts_with(&folder));
            assert!(is_of_the_book, "{name} of the book leads to {}", &link[1]);
        }
        pages += 1;
    }
    println!("documents: a book of {pages} pages");
}
