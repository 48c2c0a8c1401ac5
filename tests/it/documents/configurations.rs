//! Every part of a configuration in the documents is read as one, together with the least that it needs; templates are compiled.

use std::{fmt::Write as _, fs};

use odoo_gateway::log_bench::Config;
use regex::Regex;
use toml::{Table, Value};

use super::{
    blocks::{Block, Kind},
    known_blocks,
    pages::shown_pages,
};
use crate::support::gateway::run_in;

const LEAST: &str = "[upstream]\nurl = \"http://127.0.0.1:8069\"\ndatabase = \"odoo\"\n";
const CLIENT: &str = "name = \"shop\"\nodoo_login = \"shop@example.com\"\nodoo_key_env = \"SHOP_ODOO_KEY\"\n\
                      key_sha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\n";
const HOOK: &str = "path = \"/hooks/shop\"\nclient = \"shop\"\nroute = \"create_data\"\nmodel = \"res.partner\"\ntemplate = \"shop.jq\"\n";

#[test]
fn every_configuration_of_the_documents_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let (mut read, mut mistakes) = (0, Vec::new());
    for (block, within) in configurations() {
        fs::write(&file, complete(&block, within.as_deref()).to_string()).unwrap();
        read += 1;
        if let Err(error) = Config::load(&file) {
            mistakes.push(format!("{}: {error}\n{}", block.place, block.text));
        }
    }
    println!("documents: {read} configurations read");
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

fn configurations() -> Vec<(Block, Option<String>)> {
    let blocks = shown_pages().into_iter().flat_map(|page| known_blocks(&page));
    let configurations = blocks.filter_map(|block| match &block.kind {
        Kind::Configuration { within } => {
            let within = within.clone();
            Some((block, within))
        }
        _ => None,
    });
    configurations.collect()
}

/// The part that is shown, in its section, with what a configuration needs besides.
fn complete(block: &Block, within: Option<&str>) -> Table {
    // A hash that the page leaves out.
    let shown = Regex::new(r#"(\w+_sha256 *= *)"[^"]*…[^"]*""#).unwrap();
    let shown = shown.replace_all(&block.text, format!("$1\"{}\"", "0".repeat(64)));
    let table = |text: &str| text.parse::<Table>().unwrap_or_else(|error| panic!("{}: {error}", block.place));
    let mut part = table(&shown);
    for section in within.into_iter().flat_map(|path| path.split('.').rev()) {
        let value = match section {
            "client" | "hook" => Value::Array(vec![Value::Table(part)]),
            _ => Value::Table(part),
        };
        part = Table::from_iter([(section.to_owned(), value)]);
    }
    let needs = |part: &mut Table, section: &str, least: &str| {
        for entry in part.get_mut(section).and_then(Value::as_array_mut).into_iter().flatten() {
            let entry = entry.as_table_mut().unwrap();
            for (key, value) in table(least) {
                let is_other = key == "key_sha256" && entry.contains_key("signature")
                    || key == "odoo_key_env"
                        && entry.keys().any(|key| key.starts_with("odoo_key") || key.starts_with("odoo_password"));
                if !is_other {
                    entry.entry(key).or_insert(value);
                }
            }
        }
    };
    needs(&mut part, "hook", HOOK);
    if let Some(hooks) = part.get("hook").and_then(Value::as_array) {
        let clients: Vec<Value> = hooks.iter().map(|hook| hook["client"].clone()).collect();
        let known = part.entry("client").or_insert(Value::Array(Vec::new())).as_array_mut().unwrap();
        for name in clients {
            if !known.iter().any(|client| client.get("name") == Some(&name)) {
                known.push(Value::Table(Table::from_iter([("name".to_owned(), name)])));
            }
        }
    }
    needs(&mut part, "client", CLIENT);
    let upstream = part.entry("upstream").or_insert(Value::Table(Table::new())).as_table_mut().unwrap();
    for (key, value) in table(LEAST)["upstream"].as_table().unwrap() {
        upstream.entry(key).or_insert(value.clone());
    }
    part
}

#[test]
fn every_template_of_the_documents_compiles() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = LEAST.to_owned();
    let templates: Vec<Block> = shown_pages()
        .into_iter()
        .flat_map(|page| known_blocks(&page))
        .filter(|block| block.kind == Kind::Template)
        .collect();
    let client = CLIENT.replace("odoo_key_env = \"SHOP_ODOO_KEY\"", "odoo_key_file = \"key\"");
    fs::write(folder.path().join("key"), "a key").unwrap();
    write!(config, "[[client]]\n{client}").unwrap();
    for (number, block) in templates.iter().enumerate() {
        let hook = HOOK.replace("/hooks/shop", &format!("/hooks/{number}")).replace("shop.jq", &format!("{number}.jq"));
        write!(config, "[[hook]]\n{hook}").unwrap();
        fs::write(folder.path().join(format!("{number}.jq")), &block.text).unwrap();
    }
    fs::write(folder.path().join("gateway.toml"), config).unwrap();
    let body = folder.path().join("body.json");
    fs::write(&body, "{}").unwrap();
    assert!(!templates.is_empty());
    for (number, block) in templates.iter().enumerate() {
        // A template that does not compile is said before anything is shown of what it makes.
        let (_, out, said) =
            run_in(folder.path(), &["hook", "test", &number.to_string(), "--body", body.to_str().unwrap()]);
        assert!(out.contains(&format!("/hooks/{number}")), "{}: {out}{said}\n{}", block.place, block.text);
    }
    println!("documents: {} templates compiled", templates.len());
}
