//! What was hidden in the lines of a call, and sentences without it.
//!
//! A hidden text is looked for in sentences alone: messages and tracebacks. What has a structure is hidden by its own path and
//! nothing else ([`super::redact`]), or a caller could choose what is hidden of its record, by sending the same text once more
//! under a key that looks secret. For the same reason only texts are looked for that come from a credential, or from under a
//! field of a model that the call touched; and a name or an id is left in a sentence whatever else reads the same.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    sync::Arc,
};

use aho_corasick::{AhoCorasick, MatchKind};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    key_texts::mask_keys,
    odoo::{SHOWN, Schema},
};

pub(in crate::log) const HIDDEN: &str = "***";
/// A shorter text may stand anywhere for other reasons.
const MASKED_FROM: usize = 4;
/// So many paths are told: they are a caller's.
const PATHS: usize = 100;

/// What was hidden in a call so far.
#[derive(Default, Clone)]
pub(in crate::log) struct Secrets {
    /// By the key that they stood under, as it was sent.
    texts: BTreeMap<String, BTreeSet<String>>,
    /// The paths at which something was hidden.
    pub(in crate::log) paths: BTreeSet<String>,
    credential: Option<SecretString>,
    /// The models whose fields are known.
    schemas: Vec<Arc<Schema>>,
    /// Models, methods and ids.
    names: HashSet<String>,
    /// No model has a say in what is a field: the sentence is about what a sender sent in its own form.
    is_of_sender: bool,
}

impl Secrets {
    /// The caller's own secret, which no sentence may repeat.
    pub(in crate::log) fn note_credential(&mut self, secret: SecretString) {
        self.credential = Some(secret);
    }

    /// The fields of the models that were touched.
    pub(in crate::log) fn note_fields(&mut self, schemas: Vec<Arc<Schema>>) {
        self.schemas = schemas;
    }

    /// A model, a method or an id: it is not masked.
    pub(in crate::log) fn note_name(&mut self, name: impl Into<String>) {
        self.names.insert(name.into());
    }

    pub(in crate::log) fn note_sender(&mut self) {
        self.is_of_sender = true;
    }

    /// Something is hidden that could come up in a sentence.
    pub(in crate::log) fn has_texts(&self) -> bool {
        !self.texts.is_empty()
    }

    /// Hides a value behind a secret path, but for what is no secret: that it is empty, and the ids under a key of ids.
    pub(in crate::log) fn take(&mut self, value: &mut Value, key: &str, path: &[String]) {
        let is_of_ids = key.ends_with("_id") || key.ends_with("_ids");
        match value {
            Value::Null | Value::Bool(_) => return,
            Value::Number(_) if is_of_ids => return,
            Value::Array(items) if is_of_ids => return items.iter_mut().for_each(|item| self.take(item, key, path)),
            Value::Object(entries) if is_of_ids => {
                return entries.values_mut().for_each(|inner| self.take(inner, key, path));
            }
            _ => {}
        }
        self.note_path(path);
        let hidden = std::mem::replace(value, Value::from(HIDDEN));
        self.note(&hidden, key);
    }

    fn note_path(&mut self, path: &[String]) {
        if self.paths.len() < PATHS {
            self.paths.insert(path.join("."));
        } else {
            self.paths.insert("…".to_owned());
        }
    }

    fn note(&mut self, value: &Value, key: &str) {
        match value {
            Value::String(text) if text.len() >= MASKED_FROM && text != HIDDEN => {
                let texts = self.texts.entry(key.to_owned()).or_default();
                // As a whole, and as an argument of an Odoo call shows it.
                texts.extend(text.char_indices().nth(SHOWN).map(|(end, _)| text[..end].to_owned()));
                texts.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| self.note(item, key)),
            Value::Object(entries) => entries.values().for_each(|inner| self.note(inner, key)),
            _ => {}
        }
    }

    /// Hides what was hidden before under the same key: a lookup and the values of an Odoo call have it at another path.
    pub(in crate::log) fn take_known(&self, value: &mut Value, key: &str) {
        let Some(texts) = self.texts.get(key) else { return };
        hide_texts(value, texts);
    }

    /// Sentences are searched for these in one pass, however many there are.
    pub(in crate::log) fn sentences(&self) -> Sentences<'_> {
        let is_known = |key: &str| self.is_of_sender || self.schemas.iter().any(|schema| schema.field(key).is_some());
        let hidden = self.texts.iter().filter(|(key, _)| is_known(key)).flat_map(|(_, texts)| texts);
        let credential = self.credential.as_ref().map(ExposeSecret::expose_secret);
        let credential = credential.filter(|secret| secret.len() >= MASKED_FROM);
        let mut hidden = hidden.map(String::as_str).chain(credential).peekable();
        // The longest first, so that none is left with its end. What is too large to be looked for is no secret.
        let searcher = hidden.peek().is_some().then(|| {
            let kind = MatchKind::LeftmostLongest;
            AhoCorasick::builder().match_kind(kind).build(hidden).ok()
        });
        Sentences { searcher: searcher.flatten(), secrets: self }
    }

    fn is_name(&self, word: &str) -> bool {
        self.names.contains(word) || self.schemas.iter().any(|schema| schema.field(word).is_some())
    }
}

/// Texts are in it in clear.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("paths", &self.paths).finish_non_exhaustive()
    }
}

fn hide_texts(value: &mut Value, texts: &BTreeSet<String>) {
    match value {
        // Long texts are cut where a call is shown.
        Value::String(text) => {
            let is_cut =
                |hidden: &String| text.strip_prefix(hidden.as_str()).is_some_and(|rest| rest.starts_with("… ("));
            if texts.contains(text) || text.contains("… (") && texts.iter().any(is_cut) {
                *text = HIDDEN.to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_texts(item, texts)),
        Value::Object(entries) => entries.values_mut().for_each(|inner| hide_texts(inner, texts)),
        _ => {}
    }
}

/// Masks sentences.
pub(in crate::log) struct Sentences<'s> {
    searcher: Option<AhoCorasick>,
    secrets: &'s Secrets,
}

impl Sentences<'_> {
    /// A text for people, without hidden texts and without what has the form of a key. Anything else is left as it is.
    pub(in crate::log) fn mask(&self, sentence: &mut Value) {
        let Value::String(text) = sentence else { return };
        if let Some(searcher) = self.searcher.as_ref().filter(|searcher| searcher.is_match(text.as_str())) {
            let mut masked = String::new();
            searcher.replace_all_with(text, &mut masked, |found, said, masked| {
                let is_named = self.is_named(text, found.start(), found.end());
                masked.push_str(if is_named { said } else { HIDDEN });
                true
            });
            *text = masked;
        }
        if let std::borrow::Cow::Owned(masked) = mask_keys(text) {
            *text = masked;
        }
    }

    /// What was found is, or lies within, the name of a model, method or field, or an id.
    fn is_named(&self, text: &str, start: usize, end: usize) -> bool {
        let around = |is_part: fn(&u8) -> bool| {
            let bytes = text.as_bytes();
            let before = bytes[..start].iter().rev().take_while(|byte| is_part(byte)).count();
            let behind = bytes[end..].iter().take_while(|byte| is_part(byte)).count();
            text[start - before..end + behind].trim_matches('.')
        };
        let dotted = around(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
        let word = around(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        self.secrets.is_name(dotted) || self.secrets.is_name(word)
    }
}
