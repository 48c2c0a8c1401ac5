//! The code blocks of a page, and what the words behind their language say that they are.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::pages::Page;

/// Languages of what is neither a command nor a payload nor a configuration of the gateway's.
const SHOWN: [&str; 9] = ["mermaid", "text", "nginx", "ini", "yaml", "http", "dockerfile", "promql", "vrl"];
/// A comment that readers do not see, whose commands are run in the place where it stands.
const HIDDEN: &str = "<!-- test: sh\n";
/// A comment that says that the page starts a gateway of its own.
pub(super) const OWN_GATEWAY: &str = "<!-- test: starts its own gateway -->";

/// A code block of a page.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// `docs/payloads.md:17`
    pub(super) place: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `console`: lines `$ command`, each with its output behind it
    Console,
    /// `sh`: a script; `sh fails`: one that ends with a failure
    Script { fails: bool },
    /// Commands that readers do not see: what the page finds, and whether what it did is in Odoo
    Hidden,
    /// `json ROUTE MODEL`: the `vals` of a call; without a model the whole body
    Payload(Payload),
    /// `text output`, `json output`, `json answer`: what came of the block before it
    Output { is_json: bool },
    /// `toml`: a part of `gateway.toml`; `toml in=client`: keys of that section
    Configuration { within: Option<String> },
    /// `LANGUAGE file=NAME`: a file that the page goes on with
    File { name: String },
    /// `jq`: the template of a hook
    Template,
    /// Any language and `run=no WHY`
    NotRun,
    /// One of [`SHOWN`]
    Shown,
}

/// How a payload is sent, and what comes of it.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Payload {
    pub(super) route: String,
    pub(super) model: Option<String>,
    /// `payload`: the block is no `vals`, but their payload
    pub(super) is_bare: bool,
    /// `dry`: sent as a dry run
    pub(super) is_dry: bool,
    /// `refused=CODE`
    pub(super) refused: Option<String>,
    /// `warns=CODE`
    pub(super) warns: Vec<String>,
}

/// The blocks of the page in their order; or what is wrong with some.
pub(super) fn blocks(page: &Page) -> Result<Vec<Block>, Vec<String>> {
    let (mut blocks, mut mistakes) = (Vec::new(), Vec::new());
    let mut open: Option<(Result<Kind, String>, String, String)> = None;
    for (event, range) in Parser::new_ext(&page.text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let kind = match &kind {
                    CodeBlockKind::Fenced(words) => kind_of(words),
                    CodeBlockKind::Indented => Err("an indented block says nothing of itself: fence it".to_owned()),
                };
                open = Some((kind, String::new(), page.place(range.start)));
            }
            Event::Text(text) => {
                if let Some((_, block, _)) = &mut open {
                    block.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => match open.take().unwrap() {
                (Ok(kind), text, place) => blocks.push(Block { kind, text, place }),
                (Err(why), _, place) => mistakes.push(format!("{place}: {why}")),
            },
            Event::Start(Tag::HtmlBlock) => {
                let hidden = page.text[range.clone()].strip_prefix(HIDDEN).and_then(|rest| rest.split_once("-->"));
                if let Some((script, _)) = hidden {
                    blocks.push(Block { kind: Kind::Hidden, text: script.to_owned(), place: page.place(range.start) });
                }
            }
            _ => {}
        }
    }
    if mistakes.is_empty() { Ok(blocks) } else { Err(mistakes) }
}

fn kind_of(words: &str) -> Result<Kind, String> {
    let mut words = words.split_whitespace();
    let language = words.next().ok_or("a block without a language says nothing of itself")?;
    let rest: Vec<&str> = words.collect();
    if let Some(("run=no", why)) = rest.split_first().map(|(first, why)| (*first, why)) {
        return if why.is_empty() { Err("run=no needs a reason".to_owned()) } else { Ok(Kind::NotRun) };
    }
    if let Some(name) = rest.first().and_then(|word| word.strip_prefix("file=")) {
        return Ok(Kind::File { name: name.to_owned() });
    }
    match (language, rest.as_slice()) {
        ("console", []) => Ok(Kind::Console),
        ("sh", []) => Ok(Kind::Script { fails: false }),
        ("sh", ["fails"]) => Ok(Kind::Script { fails: true }),
        ("json", ["answer" | "output"]) => Ok(Kind::Output { is_json: true }),
        ("text", ["output"]) => Ok(Kind::Output { is_json: false }),
        ("json", [route, more @ ..]) => payload(route, more).map(Kind::Payload),
        ("toml", []) => Ok(Kind::Configuration { within: None }),
        ("toml", [within]) if within.starts_with("in=") => {
            Ok(Kind::Configuration { within: Some(within["in=".len()..].to_owned()) })
        }
        ("jq", []) => Ok(Kind::Template),
        (language, []) if SHOWN.contains(&language) => Ok(Kind::Shown),
        _ => Err(format!("the test of the documents does not know ```{language} {}", rest.join(" "))),
    }
}

fn payload(route: &str, words: &[&str]) -> Result<Payload, String> {
    let mut payload = Payload { route: route.to_owned(), ..Payload::default() };
    for word in words {
        match word.split_once('=') {
            Some(("refused", code)) => payload.refused = Some(code.to_owned()),
            Some(("warns", code)) => payload.warns.push(code.to_owned()),
            None if *word == "payload" => payload.is_bare = true,
            None if *word == "dry" => payload.is_dry = true,
            None if payload.model.is_none() && word.contains('.') => payload.model = Some((*word).to_owned()),
            _ => return Err(format!("`{word}` is no word of a payload")),
        }
    }
    Ok(payload)
}
