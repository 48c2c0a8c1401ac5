//! The texts that were redacted in a call, and the masking of sentences that repeat them.
//!
//! Redacted texts are searched for in sentences only: messages and tracebacks. Structured values are redacted by their own
//! path and nothing else ([`super::redact`]). Otherwise a caller could choose what is redacted in its record, by sending a
//! text a second time under a key that looks secret. For the same reason the search is limited to credentials and to texts
//! under a field of a model that the call touched, and names and ids in a sentence stay.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    sync::Arc,
};

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    key_texts::mask_keys,
    odoo::{SHOWN, Schema},
};

pub(in crate::log) const HIDDEN: &str = "***";
/// A shorter text may occur in a sentence for other reasons.
const MASKED_FROM: usize = 4;
/// So few texts are looked for one after another, which costs less than to prepare a search for all. Most calls have one, their
/// credential, and no sentence has it.
const FEW: usize = 8;
/// The number of paths that are recorded, since callers choose them.
const PATHS: usize = 100;

/// The texts that were redacted in a call so far.
#[derive(Default, Clone)]
pub(in crate::log) struct Secrets {
    /// By the key of their value, as it was sent.
    texts: BTreeMap<String, BTreeSet<String>>,
    /// The paths of redacted values.
    pub(in crate::log) paths: BTreeSet<String>,
    credential: Option<SecretString>,
    /// The models whose fields are known.
    schemas: Vec<Arc<Schema>>,
    /// Models, methods and ids.
    names: HashSet<String>,
    /// Every key counts as a field: the sentence is about what a sender sent in its own format.
    is_of_sender: bool,
}

impl Secrets {
    /// Registers the secret of the caller's credential.
    pub(in crate::log) fn note_credential(&mut self, secret: SecretString) {
        self.credential = Some(secret);
    }

    /// Registers the models that the call touched.
    pub(in crate::log) fn note_fields(&mut self, schemas: Vec<Arc<Schema>>) {
        self.schemas = schemas;
    }

    /// Registers a model, a method or an id, which is not masked.
    pub(in crate::log) fn note_name(&mut self, name: &str) {
        if !self.names.contains(name) {
            self.names.insert(name.to_owned());
        }
    }

    pub(in crate::log) fn note_sender(&mut self) {
        self.is_of_sender = true;
    }

    /// Whether texts were redacted that a sentence could repeat.
    pub(in crate::log) fn has_texts(&self) -> bool {
        !self.texts.is_empty()
    }

    /// Redacts a value under a secret path, unless it reveals nothing: an empty value, or ids under a key of ids.
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
                // In full, and truncated as an Odoo call shows it.
                texts.extend(text.char_indices().nth(SHOWN).map(|(end, _)| text[..end].to_owned()));
                texts.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| self.note(item, key)),
            Value::Object(entries) => entries.values().for_each(|inner| self.note(inner, key)),
            _ => {}
        }
    }

    /// Redacts texts that were redacted before under the same key: lookups and Odoo calls have them at another path.
    pub(in crate::log) fn take_known(&self, value: &mut Value, key: &str) {
        let Some(texts) = self.texts.get(key) else { return };
        hide_texts(value, texts);
    }

    /// The masking of sentences.
    pub(in crate::log) fn sentences(&self) -> Sentences<'_> {
        let is_known = |key: &str| self.is_of_sender || self.schemas.iter().any(|schema| schema.field(key).is_some());
        let hidden = self.texts.iter().filter(|(key, _)| is_known(key)).flat_map(|(_, texts)| texts);
        let credential = self.credential.as_ref().map(ExposeSecret::expose_secret);
        let credential = credential.filter(|secret| secret.len() >= MASKED_FROM);
        let hidden = hidden.map(String::as_str).chain(credential).collect();
        Sentences { hidden, searcher: OnceCell::new(), secrets: self }
    }

    fn is_name(&self, word: &str) -> bool {
        self.names.contains(word) || self.schemas.iter().any(|schema| schema.field(word).is_some())
    }
}

/// Without the texts, which are in clear.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("paths", &self.paths).finish_non_exhaustive()
    }
}

fn hide_texts(value: &mut Value, texts: &BTreeSet<String>) {
    match value {
        // Long texts are truncated where a call is shown.
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
    hidden: Vec<&'s str>,
    /// Searches for all of them in one pass; made where a sentence may have one of them.
    searcher: OnceCell<Option<AhoCorasick>>,
    secrets: &'s Secrets,
}

impl Sentences<'_> {
    /// Masks redacted texts and texts in the form of a key in a sentence. Other values stay as they are.
    pub(in crate::log) fn mask(&self, sentence: &mut Value) {
        let Value::String(text) = sentence else { return };
        if let Some(searcher) = self.searcher(text).filter(|searcher| searcher.is_match(text.as_str())) {
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

    /// The search for all texts, where this one may have one of them.
    fn searcher(&self, text: &str) -> Option<&AhoCorasick> {
        let has_one = || self.hidden.iter().any(|hidden| memmem::find(text.as_bytes(), hidden.as_bytes()).is_some());
        if self.hidden.len() <= FEW && !has_one() {
            return None;
        }
        let searcher = self.searcher.get_or_init(|| {
            // The longest match first, so that no text leaves its end behind. A set that is too large to search for is not
            // masked.
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&self.hidden).ok()
        });
        searcher.as_ref()
    }

    /// Whether the match is, or lies within, an id or the name of a model, method or field.
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
