//! The lines of a one2many in a draft, and what each of them is compared by.

use super::{Draft, Slot};
use crate::plan::old_lines::OldFields;

/// The lines that a payload gives for a one2many.
#[derive(Debug, PartialEq)]
pub(in crate::plan) struct Lines {
    pub(in crate::plan) model: String,
    pub(in crate::plan) inverse: Option<String>,
    pub(in crate::plan) mode: LinesMode,
    pub(in crate::plan) lines: Vec<Line>,
    /// The order of the list is that of the lines: their model has a `sequence`, which not all of them give.
    pub(in crate::plan) is_ordered: bool,
    /// The place of the field, for warnings and errors.
    pub(in crate::plan) path: String,
}

/// What becomes of the lines that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) enum LinesMode {
    /// Lines that are not given are removed. A plain list means this.
    Replace,
    /// A line with the same values in the fields of the key is edited, the others stay.
    Merge { key: Vec<String> },
    /// All stay.
    Add,
    /// Those that are named are removed. The lines hold the values by which they are named.
    Remove,
}

/// One line of a payload.
#[derive(Debug, PartialEq)]
pub(in crate::plan) struct Line {
    /// The line that it edits, or that is removed.
    pub(in crate::plan) id: Option<i64>,
    pub(in crate::plan) draft: Draft,
    /// How each field of the draft is compared with a line that is there, in the order of the fields.
    pub(in crate::plan) comparisons: Vec<Comparison>,
    pub(in crate::plan) path: String,
}

/// How a value that is sent is compared with the one that a line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Comparison {
    ByValue,
    /// Odoo computes the field in a new line, whatever is sent. It makes no difference between lines, and is compared only where
    /// a line is edited.
    InEdits,
    /// The value cannot be compared: it may not be read, or comparing would need the whole content of a file.
    Never,
}

impl Line {
    /// The fields with their slots and comparisons.
    pub(in crate::plan) fn fields(&self) -> impl Iterator<Item = (&str, &Slot, Comparison)> {
        let fields = self.draft.fields.iter().zip(&self.comparisons);
        fields.map(|((name, slot), comparison)| (name.as_str(), slot, *comparison))
    }

    /// Leaves fields out of what is written.
    pub(in crate::plan) fn leave_out(&mut self, names: &[String]) {
        let is_kept: Vec<bool> = self.draft.fields.iter().map(|(name, _)| !names.contains(name)).collect();
        let (mut fields, mut comparisons) = (is_kept.iter(), is_kept.iter());
        self.draft.fields.retain(|_| fields.next().is_some_and(|is_kept| *is_kept));
        self.comparisons.retain(|_| comparisons.next().is_some_and(|is_kept| *is_kept));
    }

    /// The slot of a field.
    pub(in crate::plan) fn slot(&self, name: &str) -> Option<&Slot> {
        self.draft.fields.iter().find(|(field, _)| field == name).map(|(_, slot)| slot)
    }
}

impl Lines {
    pub(super) fn have_standalone_files(&self) -> bool {
        self.lines.iter().any(|line| line.draft.has_standalone_files())
    }
}

impl Line {
    /// Whether no line that is there can be seen to be this one, since a value of it cannot be compared.
    pub(in crate::plan) fn is_never_equal(&self) -> bool {
        self.comparisons.contains(&Comparison::Never)
    }

    /// Adds what has to be known of lines that are there, to compare this one with them.
    pub(super) fn add_old_fields(&self, mode: &LinesMode, fields: &mut OldFields) {
        if *mode == LinesMode::Replace && self.id.is_none() && self.is_never_equal() {
            return;
        }
        for (name, slot, comparison) in self.fields() {
            if comparison != Comparison::Never && !matches!(slot, Slot::Lines(_)) {
                fields.add(name);
            }
        }
        self.draft.add_old_lines(fields);
    }
}
