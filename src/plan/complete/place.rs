//! Where an open value stands: the record that it will be written to, as far as the call and its lookups tell.

use serde_json::{Map, Value};

use crate::plan::{
    lookup::{Matches, QuestionId},
    read::{Draft, Slot},
};

/// Longer texts are not among the scalars: no default depends on them.
const SHORT: usize = 200;

/// A record of a draft with open values.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) model: String,
    pub(super) record: Record,
    /// It is the record that the call is about.
    pub(super) is_main: bool,
    /// The record's values that are known, as far as they are short.
    pub(super) scalars: Map<String, Value>,
    /// The records that its many2ones lead to; none for one that is still to be created.
    links: Map<String, Value>,
}

/// The record that a draft is written to.
#[derive(Debug, Clone)]
pub(super) enum Record {
    New,
    Existing(Vec<i64>),
    /// A line, of the record that the field leads to where that is known.
    Line {
        inverse: Option<String>,
        of: Option<i64>,
    },
}

/// The record that a many2one leads to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Container {
    Record(i64),
    /// The payload names none.
    Unnamed,
    /// There is none, or it is still to be created.
    Nothing,
}

impl Place {
    pub(super) fn of(model: &str, record: Record, is_main: bool, draft: &Draft, matches: &Matches) -> Self {
        let (mut scalars, mut links) = (Map::new(), Map::new());
        for (name, slot) in &draft.fields {
            if draft.open.iter().any(|open| open.field == *name) {
                continue;
            }
            match slot {
                Slot::Plain(value @ (Value::Bool(_) | Value::Number(_))) => {
                    scalars.insert(name.clone(), value.clone());
                    links.insert(name.clone(), value.clone());
                }
                Slot::Plain(Value::String(text)) if text.len() <= SHORT => {
                    scalars.insert(name.clone(), text.as_str().into());
                }
                Slot::One { question, .. } => {
                    let id = found(matches, *question);
                    if let Some(id) = id {
                        scalars.insert(name.clone(), id.into());
                    }
                    links.insert(name.clone(), id.map_or(Value::Bool(false), Value::from));
                }
                _ => {}
            }
        }
        Self { model: model.to_owned(), record, is_main, scalars, links }
    }

    pub(super) fn container(&self, link: &str) -> Container {
        match (self.links.get(link), &self.record) {
            (Some(id), _) => id.as_i64().map_or(Container::Nothing, Container::Record),
            (None, Record::Line { inverse: Some(inverse), of }) if inverse == link => {
                of.map_or(Container::Nothing, Container::Record)
            }
            _ => Container::Unnamed,
        }
    }
}

/// The only record that a lookup found.
fn found(matches: &Matches, question: QuestionId) -> Option<i64> {
    match matches[question] {
        [id] => Some(id),
        _ => None,
    }
}
