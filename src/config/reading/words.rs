//! Mistakes in words: what is wrong, and what to do.

use toml::de::DeValue;

use super::{
    form::{Form, FormKind},
    known::{by_likeness, nearest, sections_with},
};
use crate::config::{path::Step, problem::is_secret};

/// What is wrong, and what to do.
type Said = (String, Vec<String>);

/// The number of known keys that are named.
const NAMED: usize = 6;

/// What keys are that must be there.
const REQUIRED: [(&str, &str); 11] = [
    ("url", "the address of Odoo, such as url = \"http://127.0.0.1:8069\""),
    ("database", "the name of Odoo's database, such as database = \"odoo\""),
    ("name", "a name of your choice, such as name = \"shop\""),
    ("odoo_login", "the login of the Odoo user that it acts as, such as odoo_login = \"webhooks@example.com\""),
    ("path", "where the sender sends to, such as path = \"/hooks/shop\""),
    ("client", "the name of the [[client]] that the sender is"),
    ("route", "the route of its calls, such as route = \"create_update_data\""),
    ("model", "the Odoo model of its calls, such as model = \"res.partner\""),
    ("template", "the file with the jq filter, such as template = \"shop.jq\""),
    ("scheme", "the way of signing, such as scheme = \"hmac\""),
    ("allow", "the URLs that may be fetched, such as allow = [\"https://api.shop.example/*\"]"),
];

pub(super) fn unknown_key(
    path: &[Step],
    key: &str,
    value: &DeValue<'_>,
    known: &[&'static str],
    nearest: Option<&'static str>,
) -> Said {
    let what = match value {
        DeValue::Table(_) if path.is_empty() => format!("unknown section [{key}]"),
        DeValue::Array(list) if path.is_empty() && list.iter().any(|value| value.get_ref().is_table()) => {
            format!("unknown section [[{key}]]")
        }
        _ if path.is_empty() => format!("unknown key `{key}` before the first section"),
        _ => format!("unknown key `{key}` in {}", section(path)),
    };
    let mut help = Vec::new();
    let places: Vec<&str> = ["_env", "_file"]
        .iter()
        .filter_map(|end| known.iter().find(|known| known.strip_suffix(end) == Some(key)))
        .copied()
        .collect();
    if is_secret(key) && !places.is_empty() {
        help.push(format!("secrets do not stand in this file: give {}", ticked(&places, " or ")));
        return (what, help);
    }
    if let Some(near) = nearest {
        let near = match value {
            DeValue::Table(_) if path.is_empty() => format!("[{near}]"),
            _ => format!("`{near}`"),
        };
        help.push(format!("did you mean {near}?"));
    }
    let elsewhere: Vec<&str> = sections_with(key).into_iter().take(NAMED).collect();
    if !elsewhere.is_empty() && !value.is_table() {
        help.push(format!("`{key}` belongs to {}", elsewhere.join(", ")));
    }
    if help.is_empty() && !known.is_empty() {
        help.push(format!("known here: {}", some(&by_likeness(key, known))));
    }
    (what, help)
}

pub(super) fn missing_key(path: &[Step], key: &str, has_section: bool) -> Said {
    let mut help = Vec::new();
    if let Some((_, what)) = REQUIRED.iter().find(|(known, _)| *known == key) {
        let what = if path.iter().any(|step| *step == Step::Key("fetch".to_owned())) && key == "url" {
            "a jq expression that gives the URL"
        } else {
            what
        };
        help.push(match has_section {
            true => format!("it is {what}"),
            false => format!("it is {what}, in a section {}", section(path)),
        });
    }
    (format!("{} {key} is missing", section(path)), help)
}

pub(super) fn unknown_variant(path: &[Step], given: &str, known: &[&'static str]) -> Said {
    let mut help = Vec::new();
    if let Some(near) = nearest(given, known) {
        help.push(format!("did you mean \"{near}\"?"));
    }
    let all: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
    help.push(format!("there are {}", all.join(", ")));
    (format!("{}: {} is not known", place(path), quoted(path, given)), help)
}

pub(super) fn wrong_kind(path: &[Step], given: &str, expected: &str, form: Option<&Form>) -> Said {
    let given = kind_of(given);
    match form {
        Some(form) if form.has_unit() => {
            (format!("{} must be {}, not {given}", place(path), kind(form.kind)), unit(form))
        }
        Some(form) => {
            let message = format!("{} must be {}, not {given}", place(path), kind(form.kind));
            (message, example(path, form).into_iter().collect())
        }
        None => (format!("{} must be {}, not {given}", place(path), readable(expected)), Vec::new()),
    }
}

pub(super) fn wrong_value(path: &[Step], given: &str, expected: &str, form: Option<&Form>) -> Said {
    let given = quoted(path, given.trim_matches('`'));
    match form {
        Some(form) if form.has_unit() => (format!("{}: {given} is not {}", place(path), kind(form.kind)), unit(form)),
        _ => {
            let help = form.and_then(|form| example(path, form)).into_iter().collect();
            (format!("{}: {given} is not {}", place(path), readable(expected)), help)
        }
    }
}

/// What a type refuses in its own words.
pub(super) fn refused(path: &[Step], why: &str, form: Option<&Form>) -> Said {
    // Some name their place themselves.
    let own = path.get(..1).map(section).unwrap_or_default();
    let why = [place(path), own].iter().find_map(|place| why.strip_prefix(&**place)?.strip_prefix(": ")).unwrap_or(why);
    match form {
        Some(form) if form.has_unit() => (format!("{}: this is not {}", place(path), kind(form.kind)), unit(form)),
        Some(form) if form.kind != FormKind::Section => {
            (format!("{}: {why}", place(path)), example(path, form).into_iter().collect())
        }
        _ => (format!("{}: {why}", place(path)), Vec::new()),
    }
}

pub(super) fn no_unit(path: &[Step], number: &str, form: &Form) -> Said {
    (format!("{}: {number} has no unit", place(path)), unit(form))
}

/// One pair of brackets where two belong, or the other way round.
pub(super) fn brackets(path: &[Step], is_several: bool) -> Said {
    let name = path.iter().filter_map(key).collect::<Vec<_>>().join(".");
    match is_several {
        true => (format!("[{name}] may be there several times"), vec![format!("write it as [[{name}]]")]),
        false => (format!("[[{name}]] may be there once alone"), vec![format!("write it as [{name}]")]),
    }
}

fn unit(form: &Form) -> Vec<String> {
    let units = match form.kind {
        FormKind::Size => "B, KiB, MiB, GiB",
        FormKind::Days => "m, h, d, w",
        _ => "ms, s, m, h",
    };
    vec![format!("write {} (a number and its unit in quotes; units: {units})", form.example)]
}

fn example(path: &[Step], form: &Form) -> Option<String> {
    let key = path.iter().rev().find_map(key)?;
    (!form.example.is_empty() && form.example != "[]").then(|| format!("such as {key} = {}", form.example))
}

fn kind(kind: FormKind) -> &'static str {
    match kind {
        FormKind::Duration | FormKind::Days => "a duration",
        FormKind::Size => "a size",
        FormKind::Text => "a text in quotes",
        FormKind::Integer => "a whole number",
        FormKind::Number => "a number",
        FormKind::Switch => "true or false",
        FormKind::List => "a list",
        FormKind::Section => "a section",
    }
}

/// What serde calls what it got.
fn kind_of(given: &str) -> String {
    let words = [
        ("integer", "a number"),
        ("float", "a number with a point"),
        ("floating point", "a number with a point"),
        ("string", "a text"),
        ("bool", "true or false"),
        ("seq", "a list"),
        ("array", "a list"),
        ("map", "a section"),
        ("table", "a section"),
    ];
    let known = words.iter().find(|(begin, _)| given.starts_with(begin));
    known.map_or_else(|| given.to_owned(), |(_, words)| (*words).to_owned())
}

/// What serde calls what it expects.
fn readable(expected: &str) -> String {
    let words = [
        ("a string", "a text in quotes"),
        ("a boolean", "true or false"),
        ("a sequence", "a list"),
        ("a map", "a section"),
        ("u8", "a whole number from 0 to 255"),
        ("u16", "a whole number from 0 to 65535"),
        ("a nonzero u16", "a whole number from 1 to 65535"),
        ("u32", "a whole number from 0"),
        ("a nonzero u32", "a whole number from 1"),
        ("u64", "a whole number from 0"),
        ("a nonzero u64", "a whole number from 1"),
        ("usize", "a whole number from 0"),
        ("a nonzero usize", "a whole number from 1"),
        ("f32", "a number"),
        ("path string", "a text in quotes"),
        ("socket address", "an address with its port"),
        ("IP network", "a range of addresses"),
    ];
    match words.iter().find(|(begin, _)| *begin == expected) {
        Some((_, words)) => (*words).to_owned(),
        None if expected.starts_with("struct ") => "a section".to_owned(),
        None => expected.to_owned(),
    }
}

/// A key with its section.
fn place(path: &[Step]) -> String {
    match path.split_last() {
        Some((Step::Key(key), [])) => format!("[{key}]"),
        Some((Step::Key(key), sections)) => format!("{} {key}", section(sections)),
        Some((Step::Index(_), list)) if list.len() > 1 => format!("an element of {}", place(list)),
        _ => section(path),
    }
}

/// `[a.b]`, or `[[a]]` of an entry of a list.
fn section(path: &[Step]) -> String {
    let name = path.iter().filter_map(key).collect::<Vec<_>>().join(".");
    match path.last() {
        None => "the file".to_owned(),
        Some(Step::Index(_)) => format!("[[{name}]]"),
        Some(Step::Key(_)) => format!("[{name}]"),
    }
}

fn key(step: &Step) -> Option<&str> {
    match step {
        Step::Key(key) => Some(key),
        Step::Index(_) => None,
    }
}

/// A value, unless it may be a secret.
fn quoted(path: &[Step], given: &str) -> String {
    match path.iter().rev().find_map(key) {
        Some(key) if is_secret(key) => "what stands there".to_owned(),
        _ => format!("`{given}`"),
    }
}

fn ticked(names: &[&str], between: &str) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
}

fn some(names: &[&str]) -> String {
    let shown = ticked(names.get(..NAMED).unwrap_or(names), ", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
