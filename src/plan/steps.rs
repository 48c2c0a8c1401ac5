//! A planned write: the Odoo calls it takes, in order, and what ties them together.
//!
//! What can be refused comes before the main call, so that a refusal leaves nothing but what can be deleted again: records
//! made on the fly and files. After it, only files are tied to the records it made. An id that an earlier call will give
//! is a [`Hole`] in a later one.

use std::collections::HashSet;

use serde_json::Value;

use super::{joins::Joins, selection::Selection};
use crate::odoo::Rpc;

/// The calls of one create or update, and how their results are answered.
#[derive(Debug)]
pub struct Write {
    pub steps: Vec<Step>,
    /// Lines that the records had before, archived ones too, where files have to be told theirs from new ones.
    pub lines_before: HashSet<(String, i64)>,
    pub answer: Answer,
    /// The main call answers the wanted fields itself.
    pub reads_back: bool,
}

/// One call.
#[derive(Debug)]
pub struct Step {
    pub rpc: Rpc,
    pub holes: Vec<Hole>,
    pub purpose: Purpose,
}

impl Step {
    /// The models of what it writes beside its record.
    pub fn beside(&self) -> Vec<String> {
        match &self.purpose {
            Purpose::Make { beside, .. } | Purpose::Main { beside } => beside.models.clone(),
            Purpose::Files | Purpose::Check { .. } | Purpose::Tie { .. } => Vec::new(),
        }
    }
}

/// What a call is for, which decides what is done when it or a later one fails.
#[derive(Debug)]
pub enum Purpose {
    /// Makes a record that a lookup did not find. `probe` is the lookup: it tells whether the record is there after an
    /// answer was lost. Where `must_match`, it is asked in any case, since the values do not show that it will match.
    /// `lookup` is its field and value, for a sentence.
    Make { probe: Box<Rpc>, lookup: (String, String), must_match: bool, beside: Beside },
    /// Makes the files of all records, those of records that are not there yet without a record.
    Files,
    /// The record itself.
    Main { beside: Beside },
    /// Looks whether what an earlier step made is within the domains that the models have for the caller: its record, which
    /// this call searches for, and the lines below it.
    Check { step: usize, below: Vec<Below> },
    /// Ties files to a record that an earlier step made.
    Tie { place: Place },
}

/// A place for an id that is known once an earlier step has been done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    pub at: At,
    pub step: usize,
    /// Which of the ids that the step made.
    pub index: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// Behind the ids that the call is made on.
    Ids,
    /// In the arguments: a JSON pointer (RFC 6901) whose first name is the argument's.
    Argument(String),
}

/// A record that files belong to: one that a step makes or writes, or a line below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub root: Root,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// The record that this step makes.
    Step(usize),
    /// A record that is there already.
    Record { model: String, id: i64 },
}

/// A line among those of a one2many: the `index`-th of `of`, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub field: String,
    pub model: String,
    pub inverse: Option<String>,
    pub index: usize,
    pub of: usize,
}

/// What a call makes beside its record.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    pub below: Vec<Below>,
    /// Models of which Odoo's own commands may make records that cannot be told from those they link.
    pub unseen: Vec<String>,
    /// The models of all of it.
    pub models: Vec<String>,
    pub joins: Joins,
}

/// Lines that a record is made with. Odoo does not always delete them with it (a contact's contacts stay, 14-19), so
/// whoever takes the record back has to look for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    pub field: String,
    pub model: String,
    /// The lines' many2one that leads back to the record, where there is one.
    pub inverse: Option<String>,
    pub within: Vec<Below>,
}

impl Below {
    /// Whether one of the lines is of such a model.
    pub(super) fn has(below: &[Self], is_such: &impl Fn(&str) -> bool) -> bool {
        below.iter().any(|below| is_such(&below.model) || Self::has(&below.within, is_such))
    }

    /// The models of lines at every level.
    pub(super) fn models(below: &[Self]) -> Vec<String> {
        below.iter().flat_map(|below| [vec![below.model.clone()], Self::models(&below.within)].concat()).collect()
    }
}

impl Beside {
    /// `in_place` are the models of records that are made by a command where they are needed.
    pub(super) fn new(
        below: Vec<Below>,
        unseen: Vec<String>,
        in_place: impl Iterator<Item = String>,
        joins: Joins,
    ) -> Self {
        let mut models: Vec<String> = Below::models(&below).into_iter().chain(unseen.clone()).chain(in_place).collect();
        models.sort_unstable();
        models.dedup();
        Self { below, unseen, models, joins }
    }
}

/// What a write answers.
#[derive(Debug)]
pub enum Answer {
    Created {
        wanted: Selection,
    },
    /// `echo` is the search key, which the answer repeats.
    Updated {
        ids: Vec<i64>,
        echo: serde_json::Map<String, Value>,
        wanted: Selection,
    },
}

impl Answer {
    pub fn wanted(&self) -> &Selection {
        match self {
            Self::Created { wanted } | Self::Updated { wanted, .. } => wanted,
        }
    }
}

/// What a lookup found, for whoever wants to look at a plan.
#[derive(Debug, Clone)]
pub struct Looked {
    pub model: String,
    pub field: String,
    pub value: Value,
    /// What else had to match.
    pub beside: Vec<(String, Value)>,
    pub ids: Vec<i64>,
}
