//! Every link of the documents leads to something: a file, a heading in it, a picture. Of addresses elsewhere the form alone is
//! looked at, since a test must not need the network.

use std::{collections::HashMap, fs, path::PathBuf};

use percent_encoding::percent_decode_str;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use regex::Regex;
use reqwest::Url;

use super::pages::{Page, linking_pages, root};

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let pages = linking_pages();
    let headings: HashMap<&str, Vec<String>> = pages.iter().map(|page| (page.name.as_str(), anchors(page))).collect();
    let links: Vec<(&Page, String, usize)> =
        pages.iter().flat_map(|page| links(page).into_iter().map(move |(to, at)| (page, to, at))).collect();
    let mistakes: Vec<String> = links
        .iter()
        .filter_map(|(page, to, at)| Some(format!("{}: {to}: {}", page.place(*at), wrong_with(page, to, &headings)?)))
        .collect();
    println!("documents: {} links followed", links.len());
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

/// The program and its files tell readers to go on in a page: `docs/policy.md`.
#[test]
fn every_page_that_the_sources_name_is_there() {
    let named = Regex::new(r"docs/[a-z-]+(?:/[a-z-]+)*\.md").unwrap();
    let mut files: Vec<PathBuf> = vec![root().join("gateway.toml"), root().join("ARCHITECTURE.md")];
    let mut folders: Vec<PathBuf> = ["src", "packaging", "examples"].map(|name| root().join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { folders.push(entry) } else { files.push(entry) }
        }
    }
    for file in files {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        for name in named.find_iter(&text) {
            assert!(root().join(name.as_str()).exists(), "{} names {}", file.display(), name.as_str());
        }
    }
}

/// Pages that say what to do about an error name codes that there are.
#[test]
fn every_code_that_has_advice_is_in_the_table_of_codes() {
    let read = |name: &str| fs::read_to_string(root().join("docs").join(name)).unwrap();
    let known = read("errors.md");
    let codes = Regex::new(r"`([a-z]+(?:_[a-z]+)+)`").unwrap();
    for page in ["mistakes.md", "api-keys.md"] {
        let text = read(page);
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
        for row in rows {
            for code in codes.captures_iter(&format!("`{row}")) {
                assert!(known.contains(&format!("| `{}` |", &code[1])), "docs/{page}: `{}` is no code", &code[1]);
            }
        }
    }
}

/// Links and pictures, with the places where they stand.
fn links(page: &Page) -> Vec<(String, usize)> {
    let events = Parser::new_ext(&page.text, Options::ENABLE_TABLES).into_offset_iter();
    let links = events.filter_map(|(event, range)| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some((dest_url.into_string(), range.start))
        }
        _ => None,
    });
    links.collect()
}

fn wrong_with(page: &Page, to: &str, headings: &HashMap<&str, Vec<String>>) -> Option<String> {
    if to.contains("://") || to.starts_with("mailto:") {
        let is_good = Url::parse(to).is_ok_and(|url| url.scheme() == "mailto" || url.scheme() == "https");
        return (!is_good).then(|| "no address that can be asked for by https".to_owned());
    }
    let (path, anchor) = to.split_once('#').unwrap_or((to, ""));
    let path = percent_decode_str(path).decode_utf8_lossy();
    let file = if path.is_empty() { root().join(&page.name) } else { page.folder().join(&*path) };
    let Ok(file) = file.canonicalize() else { return Some("no such file".to_owned()) };
    let name = file.strip_prefix(root().canonicalize().unwrap()).ok().and_then(|name| name.to_str())?;
    if anchor.is_empty() {
        return None;
    }
    let has_it = headings.get(name).is_some_and(|anchors| anchors.iter().any(|known| known == anchor));
    (!has_it).then(|| format!("{name} has no such heading"))
}

/// The anchors of the headings, as GitHub and mdBook make them.
fn anchors(page: &Page) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(&page.text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let anchor = anchor(&heading.take().unwrap());
                let number = anchors.iter().filter(|other| **other == anchor).count();
                anchors.push(if number == 0 { anchor } else { format!("{anchor}-{number}") });
            }
            _ => {}
        }
    }
    anchors
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}
