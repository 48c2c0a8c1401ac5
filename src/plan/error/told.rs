//! What a program is told of a mistake: its code, its place, what to do, and what may have been meant.
//!
//! What must stay true: nothing is told that the caller may not read, since hints are looked for among what it may; and no text has
//! the form of a key.

use serde_json::{Map, Value, json};

use super::Error;
use crate::key_texts::mask_keys;

impl Error {
    /// All mistakes, each as [`Self::told`].
    pub fn each_told(&self) -> Vec<Value> {
        self.each().iter().map(|mistake| Value::Object(mistake.told())).collect()
    }

    /// One mistake: `{"code", "message", "hint", "path"?, "field"?, …}`.
    fn told(&self) -> Map<String, Value> {
        let mut told = Map::from_iter([("code".to_owned(), json!(self.code()))]);
        told.extend(self.details());
        told.insert("message".to_owned(), json!(mask_keys(&self.to_string())));
        told
    }

    /// What there is to say besides the code and the sentence. Of several mistakes, of the first one.
    pub fn details(&self) -> Map<String, Value> {
        let mut details = Map::new();
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                details.insert(name.to_owned(), value);
            }
        };
        add("rule", self.rule().map(Value::from));
        add("field", self.field().map(Value::from));
        add("path", self.path().map(Value::from));
        match self.first() {
            Self::NoMatch(no_match) => {
                add("model", Some(json!(no_match.model)));
                add("key", Some(Value::Object(no_match.key.clone())));
                add("value", Some(json!(mask_keys(&no_match.value))));
            }
            Self::Ambiguous(ambiguous) => {
                let candidates = ambiguous.candidates.iter().map(|(id, name)| json!({"id": id, "name": name}));
                add("candidates", Some(candidates.collect()));
            }
            Self::NotLoaded { messages } => add("rows", Some(json!(messages))),
            _ => {}
        }
        let meant = self.meant();
        add("did_you_mean", (!meant.is_empty()).then(|| json!(meant)));
        add("hint", Some(Value::from(self.hint())));
        details
    }

    /// What to do.
    fn hint(&self) -> String {
        match self.first() {
            Self::NoMatch(no_match) => no_match.hint(),
            Self::Overtaken(_) => "send the call again".to_owned(),
            error => error.code().row().remedy.to_owned(),
        }
    }

    /// The mistake that is told: of several, the first one.
    pub fn first(&self) -> &Self {
        if let Self::Several(refusal) = self { refusal.first() } else { self }
    }

    /// What may have been meant, in the place of what was sent.
    fn meant(&self) -> Vec<&str> {
        match self.first() {
            Self::UnknownField { meant, .. } => meant.name().into_iter().collect(),
            Self::UnknownLookupField { lookup, .. } => lookup.meant.name().into_iter().collect(),
            Self::NoChoice { meant, .. } => meant.name().into_iter().collect(),
            Self::Strict(warning) => warning.meant.name().into_iter().collect(),
            Self::NoMatch(no_match) => no_match.nearby.values().collect(),
            _ => Vec::new(),
        }
    }
}
