//! The texts of a translated field by language: `{"en_US": "Chair", "fr_FR": "Chaise"}`.
//!
//! Odoo takes one text for a field, in the language of the call, and stores an object as the text of itself (14-19).

use serde_json::{Map, Value};

use super::Draft;
use crate::{
    odoo::{Field, Kind},
    plan::{Error, wording::kind_of},
};

/// The texts of one field, by language, in the order in which they were sent.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plan) struct Texts(Map<String, Value>);

/// In which languages the texts of a record are written.
#[derive(Debug, Default, PartialEq)]
pub(in crate::plan) enum Languages {
    /// That of the call.
    #[default]
    Calls,
    /// The whole write is made in this one.
    One(String),
    /// Those of a new record besides that of the call, each with its values by field.
    Besides(Vec<(String, Map<String, Value>)>),
    /// All of this one field of an existing record, in one call of Odoo's.
    OfField { field: String, texts: Map<String, Value> },
}

impl Texts {
    /// Reads the value of a translated field; `None` where it is no object.
    ///
    /// # Errors
    /// The object holds no texts, or the field is HTML, whose languages share one structure in Odoo.
    pub(super) fn read(field: &Field, value: &Value, path: &str) -> Result<Option<Self>, Error> {
        let Some(texts) = value.as_object().filter(|_| field.is_translated) else { return Ok(None) };
        let refused = |path: &str, problem: String| Err(Error::WrongKind { path: path.to_owned(), problem });
        if field.kind == Kind::Html {
            let problem = "has texts by language, and Odoo translates HTML term by term: give one text, in the language \
                           of the call";
            return refused(path, problem.to_owned());
        }
        if texts.is_empty() {
            return refused(path, "must have a text for a language, such as {\"en_US\": \"Chair\"}".to_owned());
        }
        for (language, text) in texts {
            if text.as_str().is_none_or(|text| text.trim().is_empty()) {
                let is = if text.is_string() { "an empty one" } else { kind_of(text) };
                return refused(&format!("{path}.{language}"), format!("must be a text, not {is}"));
            }
        }
        Ok(Some(Self(texts.clone())))
    }

    pub(in crate::plan) fn languages(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(in crate::plan) fn get(&self, language: &str) -> Option<&Value> {
        self.0.get(language)
    }

    /// The text that stands in the main call: that of its language, where there is one.
    pub(in crate::plan) fn main(&self, language: &str) -> Value {
        let text = self.get(language).or_else(|| self.0.values().next());
        text.cloned().unwrap_or_default()
    }

    pub(in crate::plan) fn all(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl Draft {
    /// The place of a text, in the record or in its lines, that is in the language of the call.
    pub(in crate::plan) fn text_of_the_call(&self) -> Option<&str> {
        self.plain_text.as_deref().or_else(|| {
            let within = self.fields.iter().filter_map(|(_, slot)| slot.within());
            within.flat_map(|(_, _, records)| records).find_map(Self::text_of_the_call)
        })
    }
}
