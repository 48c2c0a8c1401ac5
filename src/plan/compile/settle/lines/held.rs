//! Whether lines that are there have what is sent.
//!
//! A value is compared in one canonical form. What is not known yet, such as the id of a record that is still to be created, is equal to
//! nothing that is there.

use std::collections::HashSet;

use serde_json::json;

use super::{
    super::{
        Settler,
        values::{canonical, canonical_ids, ids_of},
    },
    free::{Free, form_of, key_of},
};
use crate::plan::{
    old_lines::OldRecord,
    read::{Comparison, Line, Lines, LinesMode, Linked, Mode, Slot},
};

impl Settler<'_> {
    /// Takes the first free line that has all values of this one; false where there is none.
    pub(super) fn take_equal<'o>(&self, free: &mut Free<'o>, line: &Line) -> bool {
        let mut compared: Vec<&str> = Vec::new();
        let mut forms = Vec::new();
        let mut others = Vec::new();
        for (name, slot, comparison) in line.fields() {
            match comparison {
                Comparison::Never => return false,
                Comparison::InEdits => {}
                Comparison::ByValue => match (slot, self.form(slot)) {
                    (_, Some(form)) => {
                        compared.push(name);
                        forms.push(form);
                    }
                    (Slot::Lines(_) | Slot::Many { .. }, None) => others.push((name, slot)),
                    (_, None) => return false,
                },
            }
        }
        if !line.draft.files.is_empty() || compared.is_empty() && others.is_empty() {
            return false;
        }
        let is_equal = |old: &OldRecord| others.iter().all(|(name, slot)| self.is_held(name, slot, old));
        free.take_first(&compared, &key_of(forms.into_iter()), is_equal)
    }

    /// Whether a record has what a slot would give it.
    pub(super) fn is_held(&self, name: &str, slot: &Slot, old: &OldRecord) -> bool {
        match slot {
            Slot::Plain(_) | Slot::One { .. } | Slot::Many { mode: Mode::Replace, .. } => {
                old.values.contains_key(name) && self.form(slot).is_some_and(|form| form == form_of(old, name))
            }
            Slot::Many { mode: mode @ (Mode::Add | Mode::Remove), records, .. } => {
                let held: HashSet<i64> = ids_of(old.values.get(name)).into_iter().collect();
                old.values.contains_key(name)
                    && self.linked(records).is_some_and(|ids| match mode {
                        Mode::Remove => ids.iter().all(|id| !held.contains(id)),
                        Mode::Add | Mode::Replace => ids.iter().all(|id| held.contains(id)),
                    })
            }
            Slot::Lines(Lines { mode: LinesMode::Replace, lines, is_ordered, .. }) => {
                let mut free = Free::of(lines_of(old, name), *is_ordered);
                lines.iter().all(|line| line.id.is_none() && self.take_equal(&mut free, line)) && free.is_empty()
            }
            Slot::Lines(_) | Slot::Commands { .. } | Slot::Files { .. } => false,
        }
    }

    /// The canonical form of the value that a slot gives; none where that is not known, or depends on what is there.
    pub(super) fn form(&self, slot: &Slot) -> Option<String> {
        match slot {
            Slot::Plain(value) => Some(canonical(value)),
            Slot::One { question, .. } if self.is_created(*question) => {
                Some(format!("new {:?}", self.alias(*question)))
            }
            Slot::One { question, .. } => match self.matches[*question] {
                [id] => Some(canonical(&json!(id))),
                _ => None,
            },
            Slot::Many { mode: Mode::Replace, records, .. } => self.linked(records).map(canonical_ids),
            Slot::Many { .. } | Slot::Lines(_) | Slot::Commands { .. } | Slot::Files { .. } => None,
        }
    }

    /// The records that a many2many links; none where one is still to be created, or was not found.
    pub(super) fn linked(&self, records: &[Linked]) -> Option<Vec<i64>> {
        let mut ids = Vec::new();
        for record in records {
            match record {
                Linked::Id(id) => ids.push(*id),
                Linked::Question(question) if self.is_created(*question) => return None,
                Linked::Question(question) => match &self.matches[*question] {
                    [] => return None,
                    found => ids.extend_from_slice(found),
                },
            }
        }
        Some(ids)
    }
}

pub(super) fn lines_of<'o>(record: &'o OldRecord, field: &str) -> &'o [OldRecord] {
    record.lines.get(field).map_or(&[], Vec::as_slice)
}
