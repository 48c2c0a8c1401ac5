//! Redaction: the values under secret paths are replaced.
//!
//! A pattern matches the end of a path of keys, such as `password` or `*.vat`. A `*` matches any run of characters within a
//! key. Positions in lists are not part of a path; a key with dots counts as several keys. A model before a colon limits the
//! pattern to it: `ir.config_parameter:value`.
//!
//! A value is redacted because of its path, never because it equals another value. Sentences are masked by
//! [`super::secrets`].

use aho_corasick::AhoCorasick;
use serde_json::{Map, Value};

use super::secrets::{HIDDEN, Secrets};
use crate::literal;

/// Keys are compared and recorded up to this many characters, since callers choose them.
const KEY: usize = 64;
/// The parameters that contain all values; they are never redacted as a whole.
const PARAMETERS: [&str; 2] = ["payload", "search_key"];
/// The operators of a condition in a domain (Odoo 14-19).
const OPERATORS: [&str; 25] = [
    "=",
    "!=",
    "<>",
    "==",
    "<",
    ">",
    "<=",
    ">=",
    "=?",
    "like",
    "ilike",
    "not like",
    "not ilike",
    "=like",
    "=ilike",
    "not =like",
    "not =ilike",
    "in",
    "not in",
    "child_of",
    "parent_of",
    "any",
    "not any",
    "any!",
    "not any!",
];

/// The paths whose values are secret, in lower case.
#[derive(Debug)]
pub(in crate::log) struct Redaction {
    patterns: Vec<Pattern>,
    /// A part of the last key of every secret path, to reject most keys in one pass. `None` where any key may match.
    hints: Option<AhoCorasick>,
}

#[derive(Debug)]
struct Pattern {
    /// `None` for any model.
    model: Option<String>,
    keys: Vec<String>,
}

impl Redaction {
    pub(in crate::log) fn new(patterns: &[String]) -> Self {
        let patterns: Vec<Pattern> =
            patterns.iter().filter(|pattern| !pattern.is_empty()).map(|text| Pattern::of(text)).collect();
        let hints: Vec<&str> = patterns.iter().filter_map(|pattern| pattern.keys.last().map(|key| hint(key))).collect();
        let is_any = hints.iter().any(|hint| hint.is_empty());
        let hints = AhoCorasick::builder().ascii_case_insensitive(true).build(hints).ok().filter(|_| !is_any);
        Self { patterns, hints }
    }

    /// The `vals` of a call on this model.
    pub(in crate::log) fn hide_vals(&self, model: &str, vals: &mut Value, secrets: &mut Secrets) {
        let mut walk = Walk { redaction: self, model, secrets, through: Through::Sent };
        let Some(entries) = vals.as_object_mut() else { return };
        for (key, value) in entries.iter_mut() {
            if PARAMETERS.contains(&key.as_str()) {
                walk.below(value, &mut vec![key]);
            } else {
                walk.entry(key, value, &mut Vec::new());
            }
        }
    }

    /// Whether surely nothing would be hidden in the `vals` of a call on any model: a look at the keys, which says no where it is
    /// not sure. So a line may hold them as they are.
    pub(in crate::log) fn shows_all_of(&self, vals: &Map<String, Value>) -> bool {
        vals.iter().all(|(key, value)| {
            let is_text_of_domain = key == "search_domain" && value.is_string();
            !is_text_of_domain && self.surely_shows(key) && self.shows_all_within(value)
        })
    }

    fn shows_all_within(&self, value: &Value) -> bool {
        match value {
            Value::Array(items) => {
                let is_shown_condition = match &items[..] {
                    [Value::String(key), Value::String(_), _] => self.surely_shows(key),
                    _ => true,
                };
                is_shown_condition && items.iter().all(|item| self.shows_all_within(item))
            }
            Value::Object(entries) => self.shows_all_of(entries),
            _ => true,
        }
    }

    /// Whether no pattern can match a path that ends with this key.
    fn surely_shows(&self, key: &str) -> bool {
        key.is_ascii() && self.hints.as_ref().is_some_and(|hints| !hints.is_match(key))
    }

    /// What a sender sent in its own format.
    pub(in crate::log) fn hide_sent(&self, sent: &mut Value, secrets: &mut Secrets) {
        Walk { redaction: self, model: "", secrets, through: Through::Sent }.below(sent, &mut Vec::new());
    }

    /// A plan, as [`crate::plan::Plan::render`] shows it.
    pub(in crate::log) fn hide_plan(&self, plan: &mut Value, secrets: &mut Secrets) {
        for lookup in plan["lookups"].as_array_mut().into_iter().flatten() {
            let model = model_of(lookup);
            Walk { redaction: self, model: &model, secrets, through: Through::Shown }
                .below(lookup, &mut vec!["lookups"]);
        }
        for call in plan["calls"].as_array_mut().into_iter().flatten() {
            self.hide_call(call, secrets);
        }
    }

    /// The arguments and the context of an Odoo call. Model, method and ids are not secret.
    pub(in crate::log) fn hide_call(&self, call: &mut Value, secrets: &mut Secrets) {
        let model = model_of(call);
        for part in ["args", "context"] {
            if let Some(value) = call.get_mut(part) {
                Walk { redaction: self, model: &model, secrets, through: Through::Arguments }
                    .below(value, &mut vec![part]);
            }
        }
    }

    /// The answer to a caller: Odoo's result, or the plan of a dry run, and the candidates of an ambiguous lookup.
    pub(in crate::log) fn hide_answer(&self, model: &str, answer: &mut Value, secrets: &mut Secrets) {
        let mut walk = Walk { redaction: self, model, secrets, through: Through::Shown };
        for (pointer, part) in
            [("/result", "result"), ("/error/candidates", "candidates"), ("/data/candidates", "candidates")]
        {
            if let Some(value) = answer.pointer_mut(pointer) {
                walk.below(value, &mut vec![part]);
            }
        }
        for member in ["error", "data"] {
            answer.get_mut(member).into_iter().for_each(|error| self.hide_mistakes(error, secrets));
        }
        // The answer of each record of a list, and what a dry run of one says.
        for record in answer.get_mut("result").and_then(Value::as_array_mut).into_iter().flatten() {
            record.get_mut("error").into_iter().for_each(|error| self.hide_mistakes(error, secrets));
        }
        let refused = answer.pointer_mut("/result/refused").and_then(Value::as_array_mut).into_iter().flatten();
        refused.for_each(|record| self.hide_mistakes(record, secrets));
    }

    /// An error, and all mistakes that it lists.
    fn hide_mistakes(&self, error: &mut Value, secrets: &mut Secrets) {
        self.hide_mistake(error, secrets);
        let listed = error.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten();
        listed.for_each(|mistake| self.hide_mistake(mistake, secrets));
    }

    /// A lookup that found nothing: its keys are fields of its own model.
    fn hide_mistake(&self, mistake: &mut Value, secrets: &mut Secrets) {
        let model = model_of(mistake);
        let Some(key) = mistake.get_mut("key") else { return };
        Walk { redaction: self, model: &model, secrets, through: Through::Shown }.below(key, &mut vec!["key"]);
        let is_hidden = key.as_object().is_some_and(|key| key.values().any(|value| *value == HIDDEN));
        if is_hidden && let Some(value) = mistake.get_mut("value") {
            *value = Value::from(HIDDEN);
        }
    }

    /// The whole path of a key, if its value is secret.
    fn secret_path(&self, model: &str, path: &[&str], key: &str) -> Option<Vec<String>> {
        if self.surely_shows(key) {
            return None;
        }
        let path = whole(path, key);
        self.patterns.iter().any(|pattern| pattern.is_match(model, &path)).then_some(path)
    }

    /// Whether a text may contain a condition on a secret key.
    fn is_named_in(&self, model: &str, text: &str) -> bool {
        let text = text.to_lowercase();
        let patterns = self.patterns.iter().filter(|pattern| pattern.is_for(model));
        let last = patterns.filter_map(|pattern| pattern.keys.last());
        last.map(|key| key.replace('*', "")).any(|word| !word.is_empty() && text.contains(&word))
    }
}

impl Pattern {
    fn of(text: &str) -> Self {
        let (model, path) = match text.split_once(':') {
            Some((model, path)) => (Some(model.to_owned()), path),
            None => (None, text),
        };
        Self { model, keys: path.to_lowercase().split('.').map(str::to_owned).collect() }
    }

    fn is_for(&self, model: &str) -> bool {
        self.model.as_ref().is_none_or(|named| named == model)
    }

    fn is_match(&self, model: &str, path: &[String]) -> bool {
        let end = path.len().checked_sub(self.keys.len()).map(|start| &path[start..]);
        self.is_for(model)
            && end.is_some_and(|end| end.iter().zip(&self.keys).all(|(key, pattern)| is_match(key, pattern)))
    }
}

/// A traversal of one value.
struct Walk<'w> {
    redaction: &'w Redaction,
    model: &'w str,
    secrets: &'w mut Secrets,
    through: Through,
}

/// The origin of the traversed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Through {
    /// The caller sent it: only its paths determine what is redacted.
    Sent,
    /// The arguments of an Odoo call: values that were redacted before stand at another path, under the same key.
    Arguments,
    /// The gateway produced it: besides, it shows lookups as `{"field", "value"}`.
    Shown,
}

impl Walk<'_> {
    /// Redacts at any depth: the value under a secret path, the value of a condition `[key, operator, value]` on a secret
    /// key, and a domain in a text that has such a condition.
    fn below<'v>(&mut self, value: &'v mut Value, path: &mut Vec<&'v str>) {
        match value {
            Value::Array(items) => {
                if let [Value::String(key), Value::String(operator), compared] = &mut items[..]
                    && OPERATORS.iter().any(|known| known.eq_ignore_ascii_case(operator))
                {
                    match self.redaction.secret_path(self.model, path, key) {
                        Some(path) => return self.secrets.take(compared, last(key), &path),
                        None => self.take_known(compared, key),
                    }
                }
                items.iter_mut().for_each(|item| self.below(item, path));
            }
            Value::Object(entries) => {
                let looked_up = entries.get("field").and_then(Value::as_str).filter(|_| self.through == Through::Shown);
                if let Some(field) = looked_up.map(str::to_owned)
                    && let Some(value) = entries.get_mut("value")
                {
                    match self.redaction.secret_path(self.model, path, &field) {
                        Some(path) => self.secrets.take(value, last(&field), &path),
                        None => self.take_known(value, &field),
                    }
                }
                for (key, inner) in entries.iter_mut() {
                    self.entry(key, inner, path);
                }
            }
            _ => {}
        }
    }

    fn entry<'v>(&mut self, key: &'v str, value: &'v mut Value, path: &mut Vec<&'v str>) {
        if let Some(path) = self.redaction.secret_path(self.model, path, key) {
            return self.secrets.take(value, last(key), &path);
        }
        self.take_known(value, key);
        if key == "search_domain"
            && let Value::String(text) = value
        {
            match literal::parse(text) {
                Ok(domain) => {
                    if self.is_hidden_in(domain, path, key) {
                        *value = Value::from(HIDDEN);
                    }
                }
                // A text that is no domain is secret if it contains the name of a secret key.
                Err(_) if self.redaction.is_named_in(self.model, text) => {
                    self.secrets.take(value, key, &whole(path, key))
                }
                Err(_) => {}
            }
            return;
        }
        path.push(key);
        self.below(value, path);
        path.pop();
    }

    /// Whether a domain that came as a text contains something secret.
    fn is_hidden_in(&mut self, domain: Value, path: &[&str], key: &str) -> bool {
        let mut hidden = domain.clone();
        self.below(&mut hidden, &mut path.iter().copied().chain([key]).collect());
        hidden != domain
    }

    fn take_known(&self, value: &mut Value, key: &str) {
        if self.through != Through::Sent {
            self.secrets.take_known(value, last(key));
        }
    }
}

fn model_of(shown: &Value) -> String {
    shown["model"].as_str().unwrap_or_default().to_owned()
}

/// The field at the end of a dotted path.
fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// The keys of a path, in the form in which they are compared.
fn whole(path: &[&str], key: &str) -> Vec<String> {
    let keys = path.iter().copied().chain([key]).flat_map(|key| {
        let end = key.char_indices().nth(KEY).map_or(key.len(), |(end, _)| end);
        key[..end].to_lowercase().split('.').map(str::to_owned).collect::<Vec<_>>()
    });
    keys.collect()
}

/// The longest text that every key of this pattern contains.
fn hint(pattern: &str) -> &str {
    pattern.split('*').max_by_key(|part| part.len()).unwrap_or_default()
}

fn is_match(key: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => key == pattern,
        Some((before, after)) => key.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| is_match(&rest[at..], after))
        }),
    }
}

#[cfg(test)]
mod odoos_secrets;
#[cfg(test)]
mod tests;
