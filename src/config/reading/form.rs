//! The right form of a value: what the default of its key looks like, or an example where the key has no default.

use bytesize::ByteSize;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::config::{days, path::Step};

/// The form of a value, with an example as it would stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) kind: FormKind,
    pub(super) example: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormKind {
    Duration,
    /// A duration that may have days in it.
    Days,
    Size,
    Text,
    Integer,
    Number,
    Switch,
    List,
    Section,
}

impl Form {
    /// Whether it is a number with a unit.
    pub(super) fn has_unit(&self) -> bool {
        matches!(self.kind, FormKind::Duration | FormKind::Days | FormKind::Size)
    }
}

/// Keys without a default, or with one that says too little.
const EXAMPLES: [(&str, FormKind, &str); 18] = [
    ("url", FormKind::Text, "\"http://127.0.0.1:8069\""),
    ("database", FormKind::Text, "\"odoo\""),
    ("public_url", FormKind::Text, "\"https://erp.example.com\""),
    ("listen", FormKind::Text, "\"127.0.0.1:8080\""),
    ("trusted_proxies", FormKind::List, "[\"10.0.0.0/8\"]"),
    ("addresses", FormKind::List, "[\"192.0.2.0/24\"]"),
    ("allow_private", FormKind::List, "[\"10.0.0.0/8\"]"),
    ("allow", FormKind::List, "[\"https://cdn.shop.example/*\"]"),
    ("hosts", FormKind::List, "[\"gateway.example.com\"]"),
    ("capture", FormKind::Duration, "\"1h\""),
    ("tolerance", FormKind::Duration, "\"5m\""),
    ("timeout", FormKind::Duration, "\"10s\""),
    ("max_size", FormKind::Size, "\"1 MiB\""),
    ("expires", FormKind::Text, "\"2027-12-31\""),
    ("routes", FormKind::List, "[\"create_data\", \"search_data\"]"),
    ("methods", FormKind::List, "[\"POST\"]"),
    ("path", FormKind::Text, "\"/hooks/shop\""),
    ("odoo_login", FormKind::Text, "\"webhooks@example.com\""),
];

/// What stands in for a key that lacks, so that what follows it can be looked at.
const STAND_INS: [(&str, &str); 10] = [
    ("url", "'http://odoo.invalid'"),
    ("database", "'odoo'"),
    ("name", "'stand-in'"),
    ("odoo_login", "'stand-in'"),
    ("client", "'stand-in'"),
    ("path", "'/hooks/stand-in'"),
    ("route", "'create_data'"),
    ("model", "'res.partner'"),
    ("template", "'stand-in.jq'"),
    ("signature", "'v1'"),
];

/// The form of the value at this path, where it is known.
pub(super) fn at(defaults: &DeTable<'_>, path: &[Step]) -> Option<Form> {
    let Some(Step::Key(key)) = path.last() else { return None };
    let default = default_at(defaults, path);
    let of_entry = || matches!(path.first(), Some(Step::Key(list)) if list == "client" || list == "hook");
    let example = || EXAMPLES.iter().find(|(known, ..)| known == key);
    match (default, example()) {
        (Some(default), Some((_, _, example))) if default.as_array().is_some_and(|list| list.is_empty()) => {
            Some(Form { kind: FormKind::List, example: (*example).to_owned() })
        }
        (Some(default), _) => of(default),
        (None, Some((_, kind, example))) if of_entry() || path.len() == 2 => {
            Some(Form { kind: *kind, example: (*example).to_owned() })
        }
        (None, _) => None,
    }
}

pub(super) fn stand_in(path: &[Step], key: &str) -> Option<&'static str> {
    // A `fields` of a signature has it; a section of that name does not.
    let is_known = key != "signature" || matches!(path.last(), Some(Step::Key(section)) if section == "fields");
    STAND_INS.iter().find(|(known, _)| *known == key && is_known).map(|(_, value)| *value)
}

/// Whether a path is that of sections of which there may be several.
pub(super) fn is_list_of_sections(path: &[Step]) -> bool {
    match path {
        [Step::Key(list)] => list == "client" || list == "hook",
        [Step::Key(section), Step::Key(list)] => section == "console" && list == "user",
        _ => false,
    }
}

fn default_at<'a>(defaults: &'a DeTable<'_>, path: &[Step]) -> Option<&'a DeValue<'a>> {
    let mut table = defaults;
    let (last, sections) = path.split_last()?;
    for section in sections {
        let Step::Key(section) = section else { return None };
        table = table.get(section.as_str()).map(Spanned::get_ref).and_then(DeValue::as_table)?;
    }
    let Step::Key(last) = last else { return None };
    table.get(last.as_str()).map(Spanned::get_ref)
}

fn of(default: &DeValue<'_>) -> Option<Form> {
    let (kind, example) = match default {
        DeValue::String(text) => (of_text(text), format!("\"{text}\"")),
        DeValue::Integer(number) => (FormKind::Integer, number.to_string()),
        DeValue::Float(number) => (FormKind::Number, number.to_string()),
        DeValue::Boolean(value) => (FormKind::Switch, value.to_string()),
        DeValue::Array(list) => {
            let texts: Vec<String> = list
                .iter()
                .filter_map(|value| value.get_ref().as_str())
                .take(2)
                .map(|text| format!("\"{text}\""))
                .collect();
            (FormKind::List, format!("[{}]", texts.join(", ")))
        }
        DeValue::Table(_) => (FormKind::Section, String::new()),
        DeValue::Datetime(_) => return None,
    };
    Some(Form { kind, example })
}

fn of_text(text: &str) -> FormKind {
    let has_number = text.starts_with(|first: char| first.is_ascii_digit());
    match (has_number, text.parse::<ByteSize>().is_ok(), days(text).is_ok()) {
        (true, true, _) => FormKind::Size,
        (true, false, true) if text.ends_with(['d', 'w']) => FormKind::Days,
        (true, false, true) => FormKind::Duration,
        _ => FormKind::Text,
    }
}
