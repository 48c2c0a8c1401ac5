//! A draft: the values of a record as Odoo will take them, with its lookups open.

mod command;
mod lines;

use serde_json::Value;

pub(in crate::plan) use self::{
    command::Command,
    lines::{Comparison, Line, Lines, LinesMode},
};
use super::{files::File, open::Open, translations::Languages};
use crate::plan::{attachment, lookup::QuestionId, old_lines::OldFields, steps::NestedLines};

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
    /// The lines of a one2many.
    Lines(Lines),
    /// Odoo's own commands. `inverse` is there where they create lines. With `join`, records that they create may
    /// delegate to existing ones.
    Commands { model: String, inverse: Option<String>, commands: Vec<Command>, join: bool },
    /// Files in a relation of the model itself. The files of a many2many are not deleted with their record.
    Files { files: Vec<File>, is_many2many: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Mode {
    Add,
    Remove,
    Replace,
}

/// A record that a many2many will link.
#[derive(Debug, PartialEq)]
pub(in crate::plan) enum Linked {
    Id(i64),
    Question(QuestionId),
}

impl Draft {
    /// Leaves the lookups that must find something, whatever becomes of the record: a draft with mistakes is looked through for
    /// those that do not.
    pub(in crate::plan) fn keep_lookups(&mut self) {
        self.computed.clear();
        self.files.clear();
        self.open.clear();
        self.fields.retain(|(_, slot)| match slot {
            Slot::Plain(_) | Slot::Files { .. } => false,
            Slot::One { .. } | Slot::Commands { .. } => true,
            Slot::Many { mode, .. } => *mode != Mode::Remove,
            Slot::Lines(lines) => lines.mode != LinesMode::Remove,
        });
        let within = self.fields.iter_mut().flat_map(|(_, slot)| slot.within_mut());
        within.for_each(Self::keep_lookups);
    }
}

impl Slot {
    /// The records that are written within the field, lines and those of Odoo's own commands, with their model and the field that
    /// leads back.
    pub(in crate::plan) fn within(&self) -> Option<(&str, Option<&str>, Vec<&Draft>)> {
        match self {
            Self::Lines(Lines { model, inverse, lines, .. }) => {
                Some((model, inverse.as_deref(), lines.iter().map(|line| &line.draft).collect()))
            }
            Self::Commands { model, inverse, commands, .. } => {
                Some((model, inverse.as_deref(), commands.iter().filter_map(Command::draft).collect()))
            }
            Self::Plain(_) | Self::One { .. } | Self::Many { .. } | Self::Files { .. } => None,
        }
    }

    /// The same records, to complete them.
    pub(in crate::plan) fn within_mut(&mut self) -> Vec<&mut Draft> {
        match self {
            Self::Lines(Lines { lines, .. }) => lines.iter_mut().map(|line| &mut line.draft).collect(),
            Self::Commands { commands, .. } => commands.iter_mut().filter_map(Command::draft_mut).collect(),
            Self::Plain(_) | Self::One { .. } | Self::Many { .. } | Self::Files { .. } => Vec::new(),
        }
    }
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
                Slot::Lines(Lines { lines, .. }) => {
                    questions.extend(lines.iter().flat_map(|line| line.draft.questions()));
                }
            }
        }
        questions
    }

    /// Whether one of the fields holds lines.
    pub(in crate::plan) fn has_lines(&self) -> bool {
        self.lines().next().is_some()
    }

    /// The fields that hold lines.
    fn lines(&self) -> impl Iterator<Item = (&str, &Lines)> {
        self.fields.iter().filter_map(|(name, slot)| match slot {
            Slot::Lines(lines) => Some((name.as_str(), lines)),
            _ => None,
        })
    }

    /// The fields whose lines an update removes, edits or creates, with the models of the lines.
    pub(in crate::plan) fn replaced(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines().map(|(name, lines)| (name, lines.model.as_str()))
    }

    /// What has to be known of the lines that are there, to compare those of the draft with them.
    pub(in crate::plan) fn old_fields(&self) -> OldFields {
        let mut fields = OldFields::default();
        self.add_old_lines(&mut fields);
        fields
    }

    fn add_old_lines(&self, fields: &mut OldFields) {
        for (name, lines) in self.lines().filter(|(_, lines)| lines.mode != LinesMode::Add) {
            let within = fields.lines_of(name, &lines.model);
            lines.lines.iter().for_each(|line| line.add_old_fields(&lines.mode, within));
            if let LinesMode::Merge { key } = &lines.mode {
                key.iter().for_each(|name| within.add(name));
            }
        }
    }

    /// The fields that hold lines, at every level.
    pub(in crate::plan) fn nested_lines(&self) -> Vec<NestedLines> {
        let mut all = Vec::new();
        for (field, slot) in &self.fields {
            let (model, inverse, within) = match slot {
                Slot::Lines(Lines { model, inverse, lines, .. }) if !lines.is_empty() => {
                    (model, inverse, lines.iter().map(|line| &line.draft).collect())
                }
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
                Slot::Lines(Lines { lines, .. }) => {
                    unidentified.extend(lines.iter().flat_map(|line| line.draft.unidentified()));
                }
                _ => {}
            }
        }
        unidentified.sort_unstable();
        unidentified.dedup();
        unidentified
    }

    /// The one2many fields of the record whose lines have files: name, model and inverse.
    pub(in crate::plan) fn fields_with_files(&self) -> Vec<(&str, &str, Option<&str>)> {
        let with_files = self.lines().filter(|(_, lines)| lines.have_standalone_files());
        let with_files = with_files.map(|(name, lines)| (name, lines.model.as_str(), lines.inverse.as_deref()));
        with_files.collect()
    }

    /// Whether the record or one of its lines has files that none of its own fields takes.
    pub(in crate::plan) fn has_standalone_files(&self) -> bool {
        !self.files.is_empty() || self.lines().any(|(_, lines)| lines.have_standalone_files())
    }
}
