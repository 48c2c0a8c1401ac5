//! A planned write: the Odoo calls it takes, in order, and what ties them together.
//!
//! Calls that Odoo may refuse come before the main call, so that a refusal leaves nothing but what can be deleted again:
//! records created on the fly, and files. After the main call, files are only attached to the records that it created.
//!
//! These are the types that planning gives and `crate::execute` takes. They import nothing of planning but the selection of
//! the answer. A [`StepId`] exists only for a step that stands before the one that names it, and every path of a
//! [`Placeholder`] resolves: [`Steps::push`] is the only way to add a step, and checks it.

mod many;
mod placeholder;
mod side_effects;

use std::collections::HashSet;

use serde_json::Value;

pub(super) use self::placeholder::Trail;
pub use self::{
    many::{Many, Missing, Record, Together},
    placeholder::{At, FutureId, Line, Placeholder, RecordIndex, RecordPath, Root},
    side_effects::{Delegation, NestedLines, SideEffects},
};
use super::answer::Selection;
use crate::odoo::Rpc;

/// The calls of one create or update, and how their results are answered.
#[derive(Debug)]
pub struct Write {
    pub steps: Steps,
    /// Lines that the records had before, archived ones too, where files have to be told theirs from new ones.
    pub lines_before: HashSet<(String, i64)>,
    pub answer: Answer,
    /// The main call answers the wanted fields itself.
    pub reads_back: bool,
}

/// Identifies a step that was added to [`Steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StepId(usize);

impl StepId {
    /// The position among the calls as people count, from 1.
    pub(super) fn position(self) -> usize {
        self.0 + 1
    }
}

/// The calls of a write, in order. They may follow those that several writes share, which count first.
#[derive(Debug, Default)]
pub struct Steps {
    before: usize,
    steps: Vec<Step>,
}

impl Steps {
    /// Adds a step. Its placeholders are resolved once here, so that a wrong path shows before anything is sent.
    pub(super) fn push(&mut self, mut step: Step) -> StepId {
        for placeholder in &step.placeholders {
            if let At::Argument(path) = &placeholder.at {
                path.resolve(&mut step.rpc);
            }
        }
        self.steps.push(step);
        StepId(self.before + self.steps.len() - 1)
    }

    /// Steps that follow these, and may use what these create.
    pub(super) fn following(&self) -> Self {
        Self { before: self.before + self.steps.len(), steps: Vec::new() }
    }

    /// Drops all but the first `len` steps.
    pub(super) fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub fn len(&self) -> usize {
        self.steps.len()
    }
}

impl IntoIterator for Steps {
    type Item = Step;
    type IntoIter = std::vec::IntoIter<Step>;

    fn into_iter(self) -> Self::IntoIter {
        self.steps.into_iter()
    }
}

/// A value for each step that has been carried out, in order.
#[derive(Debug, Clone)]
pub struct StepMap<T>(Vec<T>);

impl<T> Default for StepMap<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> StepMap<T> {
    /// Adds the value of the next step.
    pub fn push(&mut self, value: T) {
        self.0.push(value);
    }

    /// The value of a step; `None` where that step has not been carried out yet.
    pub fn get(&self, id: StepId) -> Option<&T> {
        self.0.get(id.0)
    }
}

/// One call.
#[derive(Debug)]
pub struct Step {
    pub rpc: Rpc,
    pub placeholders: Vec<Placeholder>,
    pub purpose: Purpose,
}

impl Step {
    /// What it writes beside its record; `None` where it writes nothing else.
    pub fn side_effects(&self) -> Option<&SideEffects> {
        match &self.purpose {
            Purpose::CreateMissing { side_effects, .. } | Purpose::Main { side_effects, .. } => Some(side_effects),
            Purpose::CreateFiles
            | Purpose::CheckDomain { .. }
            | Purpose::Name
            | Purpose::AttachFiles
            | Purpose::Translate => None,
        }
    }
}

/// What a call is for, which decides what is done when it or a later one fails.
#[derive(Debug)]
pub enum Purpose {
    /// Creates a record that a lookup did not find. `probe` is the lookup: it tells whether the record exists after an answer
    /// was lost. Where `must_match`, it is asked in any case, since the values do not show that it will match. `lookup` is its
    /// field and value, for a sentence.
    CreateMissing { probe: Box<Rpc>, lookup: (String, String), must_match: bool, side_effects: SideEffects },
    /// Creates the files of all records; those of records that do not exist yet are not attached to anything.
    CreateFiles,
    /// Creates or updates the record itself. `probe` finds a new record by its search key, where it has one.
    Main { side_effects: SideEffects, probe: Option<Box<Rpc>> },
    /// Checks that what an earlier step created is within the domains that the models have for the caller: its record, which
    /// this call searches for, and the lines below it.
    CheckDomain { step: StepId, lines: Vec<NestedLines> },
    /// Gives an external id to the record that an earlier step created. Odoo deletes it with its record.
    Name,
    /// Attaches files to a record that an earlier step created.
    AttachFiles,
    /// Writes the texts of a record that an earlier step created, in a further language.
    Translate,
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
    Deleted {
        ids: Vec<i64>,
        echo: serde_json::Map<String, Value>,
    },
}

impl Answer {
    /// The fields that are answered; `None` where the records are gone.
    pub fn wanted(&self) -> Option<&Selection> {
        match self {
            Self::Created { wanted } | Self::Updated { wanted, .. } => Some(wanted),
            Self::Deleted { .. } => None,
        }
    }
}
