//! A draft: the values of a record as Odoo will take them, with its lookups open.

use serde_json::Value;

use super::{commands::Command, files::File, open::Open, translations::Languages};
use crate::plan::{attachment, lookup::QuestionId, steps::NestedLines};

/// One record that is to be written, with its lookups open.
#[derive(Debug, Default, PartialEq)]
pub(in crate::plan) struct Draft {
    pub(in crate::plan) fields: Vec<(String, Slot)>,
    /// Values that are still open; `null` stands in their place.
    pub(in crate::plan) open: Vec<Open>,
    /// The languages that the record is written in.
    pub(in crate::plan) languages: Languages,
    /// The place of a text of a translated field, in the language of the call.
    pub(in crate::plan) plain_text: Option<String>,
    /// Files of a record whose model has no field that takes them.
    pub(in crate::plan) files: Vec<File>,
    /// The fields by which the record delegates to another one (`_inherits`).
    pub(in crate::plan) parts: Vec<String>,
    /// Fields that Odoo computes in a new record, regardless of what is sent, each with its place.
    pub(in crate::plan) computed: Vec<(String, String)>,
}

#[derive(Debug, PartialEq)]
pub(in crate::plan) enum Slot {
    /// A value in the form in which it goes to Odoo.
    Plain(Value),
    /// A many2one given by a lookup.
    One { question: QuestionId, path: String },
    /// A many2many given by lookups.
    Many { mode: Mode, records: Vec<Linked>, path: String },
    /// The lines of a one2many, and their model.
    Lines { model: String, inverse: Option<String>, lines: Vec<Draft> },
    /// Odoo's own commands. `inverse` is there where they create lines. With `join`, records that they create may
    /// delegate to existing ones.
    Commands { model: String, inverse: Option<String>, commands: Vec<Command>, join: bool },
    /// Files in a relation of the model itself. The files of a many2many are not deleted with their record.
    Files { files: Vec<File>, is_many2many: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Mode {
    Add,
    Replace,
}

/// A record that a many2many will link.
#[derive(Debug, PartialEq)]
pub(in crate::plan) enum Linked {
    Id(i64),
    Question(QuestionId),
}

impl Draft {
    /// The questions of the record and of its lines, repeated as often as they are asked.
    pub(in crate::plan) fn questions(&self) -> Vec<QuestionId> {
        let mut questions = Vec::new();
        for (_, slot) in &self.fields {
            match slot {
                Slot::Plain(_) | Slot::Files { .. } => {}
                Slot::Commands { commands, .. } => {
                    questions.extend(commands.iter().filter_map(Command::draft).flat_map(Self::questions));
                }
                Slot::One { question, .. } => questions.push(*question),
                Slot::Many { records, .. } => questions.extend(records.iter().filter_map(|record| match record {
                    Linked::Question(question) => Some(*question),
                    Linked::Id(_) => None,
                })),
                Slot::Lines { lines, .. } => questions.extend(lines.iter().flat_map(Self::questions)),
            }
        }
        questions
    }

    /// The fields whose lines an update replaces.
    pub(in crate::plan) fn line_fields(&self) -> Vec<&str> {
        let lines = self.fields.iter().filter(|(_, slot)| matches!(slot, Slot::Lines { .. }));
        lines.map(|(name, _)| name.as_str()).collect()
    }

    /// The fields whose lines an update removes or creates, with the models of the lines.
    pub(in crate::plan) fn replaced(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().filter_map(|(name, slot)| match slot {
            Slot::Lines { model, .. } => Some((name.as_str(), model.as_str())),
            _ => None,
        })
    }

    /// The fields that hold lines, at every level.
    pub(in crate::plan) fn nested_lines(&self) -> Vec<NestedLines> {
        let mut all = Vec::new();
        for (field, slot) in &self.fields {
            let (model, inverse, within) = match slot {
                Slot::Lines { model, inverse, lines } if !lines.is_empty() => (model, inverse, lines.iter().collect()),
                Slot::Commands { model, inverse: inverse @ Some(_), commands, .. } => {
                    (model, inverse, commands.iter().filter_map(Command::draft).collect::<Vec<_>>())
                }
                _ => continue,
            };
            let mut inner = Vec::new();
            within.into_iter().for_each(|line| NestedLines::merge(&mut inner, line.nested_lines()));
            all.push(NestedLines {
                field: field.clone(),
                model: model.clone(),
                inverse: inverse.clone(),
                within: inner,
            });
        }
        all
    }

    /// The models of which commands may create records that cannot be told from those they link, at every level.
    pub(in crate::plan) fn unidentified(&self) -> Vec<String> {
        let mut unidentified = Vec::new();
        for (_, slot) in &self.fields {
            match slot {
                Slot::Commands { model, inverse, commands, .. } => {
                    unidentified.extend(inverse.is_none().then(|| model.clone()));
                    unidentified.extend(commands.iter().filter_map(Command::draft).flat_map(Self::unidentified));
                }
                Slot::Files { is_many2many: true, .. } => unidentified.push(attachment::MODEL.to_owned()),
                Slot::Lines { lines, .. } => unidentified.extend(lines.iter().flat_map(Self::unidentified)),
                _ => {}
            }
        }
        unidentified.sort_unstable();
        unidentified.dedup();
        unidentified
    }

    /// The one2many fields of the record whose lines have files: name, model and inverse.
    pub(in crate::plan) fn fields_with_files(&self) -> Vec<(&str, &str, Option<&str>)> {
        let with_files = self.fields.iter().filter_map(|(name, slot)| match slot {
            Slot::Lines { model, inverse, lines } if lines.iter().any(Self::has_standalone_files) => {
                Some((name.as_str(), model.as_str(), inverse.as_deref()))
            }
            _ => None,
        });
        with_files.collect()
    }

    /// Whether the record or one of its lines has files that none of its own fields takes.
    pub(in crate::plan) fn has_standalone_files(&self) -> bool {
        let in_lines =
            |slot: &Slot| matches!(slot, Slot::Lines { lines, .. } if lines.iter().any(Self::has_standalone_files));
        !self.files.is_empty() || self.fields.iter().any(|(_, slot)| in_lines(slot))
    }
}
