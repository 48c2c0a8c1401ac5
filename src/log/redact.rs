//! What must not be read in the log: values that stand under certain keys, wherever they come up again.
//!
//! A pattern names the end of a path of keys, such as `password` or `*.vat`: a `*` stands for any run of characters in one
//! key. Positions in lists are not part of a path; a key with dots in it is as many keys.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;

use crate::odoo::SHOWN;

const HIDDEN: &str = "***";
/// A shorter text may stand anywhere for other reasons.
const MASKED_FROM: usize = 4;
/// A key is compared and told up to so many characters, and so many paths are told: both are a caller's.
const KEY: usize = 64;
const PATHS: usize = 100;
/// What stands in the middle of a condition (Odoo 14-19).
const OPERATORS: [&str; 19] = [
    "=",
    "!=",
    "<>",
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
    "in",
    "not in",
    "child_of",
    "parent_of",
    "any",
];

/// The paths whose values are secret, in lower case.
#[derive(Debug)]
pub(super) struct Redaction {
    patterns: Vec<Vec<String>>,
    /// What a key has in it, if it is the last of a secret path. None where that can be any key.
    hints: Option<AhoCorasick>,
}

/// What was hidden in a record, to be hidden elsewhere in it: in the sentence of an error, for example.
#[derive(Debug, Default, Clone)]
pub(super) struct Secrets {
    texts: BTreeSet<String>,
    /// The paths at which something was hidden.
    pub(super) paths: BTreeSet<String>,
}

impl Redaction {
    pub(super) fn new(patterns: &[String]) -> Self {
        let keys = |pattern: &String| pattern.to_lowercase().split('.').map(str::to_owned).collect();
        let patterns: Vec<Vec<String>> = patterns.iter().filter(|pattern| !pattern.is_empty()).map(keys).collect();
        let hints: Vec<&str> = patterns.iter().filter_map(|pattern| pattern.last().map(|key| hint(key))).collect();
        let is_any = hints.iter().any(|hint| hint.is_empty());
        let hints = AhoCorasick::builder().ascii_case_insensitive(true).build(hints).ok().filter(|_| !is_any);
        Self { patterns, hints }
    }

    /// Hides every secret at any depth: the value behind a secret path, that of a condition `[key, operator, value]`, and a
    /// domain in a text that names a secret key. An empty value (false, null) stays: that it is empty is no secret.
    pub(super) fn hide(&self, value: &mut Value, secrets: &mut Secrets) {
        self.hide_below(value, &mut Vec::new(), secrets);
    }

    fn hide_below<'v>(&self, value: &'v mut Value, path: &mut Vec<&'v str>, secrets: &mut Secrets) {
        match value {
            Value::Array(items) => {
                if let [Value::String(key), Value::String(operator), compared] = &mut items[..]
                    && OPERATORS.iter().any(|known| known.eq_ignore_ascii_case(operator))
                    && let Some(path) = self.secret_path(path, key)
                {
                    secrets.take(compared, &path);
                    return;
                }
                items.iter_mut().for_each(|item| self.hide_below(item, path, secrets));
            }
            Value::Object(entries) => {
                // What was looked up, as a plan shows it.
                let looked_up = entries.get("field").and_then(Value::as_str);
                if let Some(path) = looked_up.and_then(|field| self.secret_path(path, field))
                    && let Some(value) = entries.get_mut("value")
                {
                    secrets.take(value, &path);
                }
                for (key, inner) in entries.iter_mut() {
                    let names_a_secret =
                        || key == "search_domain" && inner.as_str().is_some_and(|text| self.is_named_in(text));
                    let secret = self.secret_path(path, key).or_else(|| names_a_secret().then(|| whole(path, key)));
                    if let Some(path) = secret {
                        secrets.take(inner, &path);
                    } else {
                        path.push(key);
                        self.hide_below(inner, path, secrets);
                        path.pop();
                    }
                }
            }
            _ => {}
        }
    }

    /// The whole path to a key, if its value is secret. Most keys are none by the first look at them.
    fn secret_path(&self, path: &[&str], key: &str) -> Option<Vec<String>> {
        if key.is_ascii() && self.hints.as_ref().is_some_and(|hints| !hints.is_match(key)) {
            return None;
        }
        let path = whole(path, key);
        let is_secret = self.patterns.iter().any(|pattern| {
            let end = path.len().checked_sub(pattern.len()).map(|start| &path[start..]);
            end.is_some_and(|end| end.iter().zip(pattern).all(|(key, pattern)| is_match(key, pattern)))
        });
        is_secret.then_some(path)
    }

    /// A text that may be a condition on a secret key.
    fn is_named_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let last = self.patterns.iter().filter_map(|pattern| pattern.last());
        last.map(|key| key.replace('*', "")).any(|word| !word.is_empty() && text.contains(&word))
    }
}

/// The keys on the way to a value, as they are compared.
fn whole(path: &[&str], key: &str) -> Vec<String> {
    let keys = path.iter().copied().chain([key]).flat_map(|key| {
        let end = key.char_indices().nth(KEY).map_or(key.len(), |(end, _)| end);
        key[..end].to_lowercase().split('.').map(str::to_owned).collect::<Vec<_>>()
    });
    keys.collect()
}

/// The longest text that every key of this pattern has in it.
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

impl Secrets {
    /// Tells that something was hidden in a value which has it from elsewhere, and under a key that is no secret.
    pub(super) fn note_masked(&mut self, value: &Value, is_from_elsewhere: bool) {
        if is_from_elsewhere && self.paths.is_empty() && has_hidden(value) {
            self.paths.insert("…".to_owned());
        }
    }

    fn take(&mut self, value: &mut Value, path: &[String]) {
        if matches!(value, Value::Null | Value::Bool(_)) {
            return;
        }
        if self.paths.len() < PATHS {
            self.paths.insert(path.join("."));
        } else {
            self.paths.insert("…".to_owned());
        }
        self.note(&std::mem::replace(value, Value::from(HIDDEN)));
    }

    fn note(&mut self, value: &Value) {
        match value {
            Value::String(text) if text.len() >= MASKED_FROM && text != HIDDEN => {
                // As a whole, and as an argument of an Odoo call shows it.
                self.texts.insert(text.clone());
                self.texts.extend(text.char_indices().nth(SHOWN).map(|(end, _)| text[..end].to_owned()));
            }
            Value::Array(items) => items.iter().for_each(|item| self.note(item)),
            Value::Object(entries) => entries.values().for_each(|inner| self.note(inner)),
            _ => {}
        }
    }

    /// Hides the secrets inside other texts, in one pass however many there are.
    pub(super) fn mask<'v>(&self, values: impl IntoIterator<Item = &'v mut Value>) {
        if self.texts.is_empty() {
            return;
        }
        // The longest first, so that none is left with its end. What is too large to be looked for is no secret.
        let searcher = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&self.texts);
        if let Ok(searcher) = searcher {
            values.into_iter().for_each(|value| mask(value, &searcher));
        }
    }
}

fn has_hidden(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(HIDDEN),
        Value::Array(items) => items.iter().any(has_hidden),
        Value::Object(entries) => entries.values().any(has_hidden),
        _ => false,
    }
}

fn mask(value: &mut Value, searcher: &AhoCorasick) {
    match value {
        Value::String(text) if searcher.is_match(text.as_str()) => {
            let mut masked = String::new();
            searcher.replace_all_with(text, &mut masked, |_, _, masked| {
                masked.push_str(HIDDEN);
                true
            });
            *text = masked;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, searcher)),
        Value::Object(entries) => entries.values_mut().for_each(|inner| mask(inner, searcher)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(mut value: Value, expected: Value) {
        let patterns = ["*passw*", "*token*", "*.vat", "bank_ids.acc_*", "pin"];
        let redaction = Redaction::new(&patterns.map(str::to_owned));
        let mut secrets = Secrets::default();
        redaction.hide(&mut value, &mut secrets);
        secrets.mask([&mut value]);
        assert_eq!(value, expected);
    }

    #[test]
    fn secrets_are_hidden_at_any_depth_by_their_key_in_any_case() {
        check(
            json!({"name": "a", "New_Password": "x", "lines": [{"access_token": {"deep": 1}, "ref": "r"}], "password": false}),
            json!({"name": "a", "New_Password": "***", "lines": [{"access_token": "***", "ref": "r"}], "password": false}),
        );
    }

    #[test]
    fn secrets_are_hidden_by_the_path_that_leads_to_them() {
        check(
            json!({"vat": "top", "payload": {"vat": "BE1", "pin": 1234, "pinned": 1, "bank_ids": [[0, 0, {"acc_number": "BE2"}]], "acc_number": "x"}}),
            json!({"vat": "top", "payload": {"vat": "***", "pin": "***", "pinned": 1, "bank_ids": [[0, 0, {"acc_number": "***"}]], "acc_number": "x"}}),
        );
        check(json!({"domain": [["parent_id.vat", "=", "BE1"]]}), json!({"domain": [["parent_id.vat", "=", "***"]]}));
        check(json!({"search_key": {"parent_id.vat": "BE1"}}), json!({"search_key": {"parent_id.vat": "***"}}));
    }

    #[test]
    fn secrets_are_hidden_in_domains_and_in_sentences() {
        check(
            json!({"domain": [["access_token", "=", "S3cret"], ["name", "=", "n"]], "message": "'token_id': 'S3cret' found no match."}),
            json!({"domain": [["access_token", "=", "***"], ["name", "=", "n"]], "message": "'token_id': '***' found no match."}),
        );
        check(json!({"search_domain": "[('access_token', '=', 'S')]"}), json!({"search_domain": "***"}));
    }

    #[test]
    fn a_list_of_texts_is_no_condition_and_a_secret_is_hidden_to_its_end() {
        check(
            json!({"fields": ["access_token", "name", "email"]}),
            json!({"fields": ["access_token", "name", "email"]}),
        );
        check(
            json!({"a_token": "abcd", "b_token": "abcdef", "text": "abcdef abcd abc"}),
            json!({"a_token": "***", "b_token": "***", "text": "*** *** abc"}),
        );
    }

    #[test]
    fn a_great_many_secrets_are_hidden_in_a_moment_and_told_in_short() {
        let rows: Vec<Value> = (0..50_000)
            .map(|n| json!({"access_token": format!("token-{n}"), "name": "x", "note": format!("see token-{n}.")}))
            .collect();
        let mut value = json!(rows);
        let mut secrets = Secrets::default();
        Redaction::new(&["*token*".to_owned()]).hide(&mut value, &mut secrets);
        secrets.mask([&mut value]);
        assert_eq!(value[49_999], json!({"access_token": "***", "name": "x", "note": "see ***."}));
        let mut wide =
            json!({"k".repeat(100_000): (0..1_000).map(|n| json!({format!("token{n}"): 1})).collect::<Vec<_>>()});
        Redaction::new(&["*token*".to_owned()]).hide(&mut wide, &mut secrets);
        assert!(secrets.paths.len() <= 101 && secrets.paths.iter().all(|path| path.len() < 200));
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters_in_one_key() {
        for (key, pattern, expected) in [
            ("vat", "vat", true),
            ("my_vat", "*vat", true),
            ("vats", "*vat", false),
            ("a", "*", true),
            ("é_x", "*_*", true),
            ("", "*", true),
        ] {
            assert_eq!(is_match(key, pattern), expected, "{key} {pattern}");
        }
    }
}
