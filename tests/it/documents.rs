//! README and docs/ say what is so: every command and payload in them is run, every configuration read, every link followed, and
//! the book is built.
//!
//! What a code block is stands behind its language, where GitHub and mdBook do not show it; CONTRIBUTING.md lists the words. A
//! block without such a word, or one that is only indented, fails: nothing in the documents may look like an example and not be
//! one. What cannot be run (`run=no`) says why, and is counted.

mod answers;
mod blocks;
mod book;
mod configurations;
mod faults;
mod links;
mod pages;
mod script;
mod world;

use std::sync::Arc;

use tokio::{sync::Semaphore, task::JoinSet};

use self::{
    blocks::{Block, blocks},
    pages::{Page, shown_pages},
    world::World,
};

/// So many pages are run side by side: more would wait for Odoo.
const SIDE_BY_SIDE: usize = 4;

/// What was found in the documents and what was done with it.
#[derive(Debug, Default)]
struct Counts {
    commands: usize,
    payloads: usize,
    answers: usize,
    not_run: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_and_payload_of_the_documents_does_what_they_say() {
    let world = Arc::new(World::start().await);
    let only = std::env::var("ODOO_GATEWAY_PAGE").unwrap_or_default();
    let places = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut runs = JoinSet::new();
    for page in shown_pages().into_iter().filter(|page| page.name.contains(&only)) {
        let (world, places) = (world.clone(), places.clone());
        runs.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            tokio::task::spawn_blocking(move || script::run(&page, &world)).await.unwrap()
        });
    }
    let (mut counts, mut mistakes) = (Counts::default(), Vec::new());
    for (page, wrong) in runs.join_all().await {
        counts.commands += page.commands;
        counts.payloads += page.payloads;
        counts.answers += page.answers;
        counts.not_run += page.not_run;
        mistakes.extend(wrong);
    }
    println!(
        "documents: {} commands and {} payloads executed, {} outputs compared, {} blocks not run",
        counts.commands, counts.payloads, counts.answers, counts.not_run
    );
    assert!(mistakes.is_empty(), "{} untrue:\n\n{}", mistakes.len(), mistakes.join("\n\n"));
}

#[test]
fn every_block_of_the_documents_says_what_it_is() {
    let mistakes: Vec<String> = shown_pages().iter().flat_map(|page| blocks(page).err().unwrap_or_default()).collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

/// The blocks of a page whose blocks are all good.
fn known_blocks(page: &Page) -> Vec<Block> {
    blocks(page).unwrap_or_else(|mistakes| panic!("{}", mistakes.join("\n")))
}
