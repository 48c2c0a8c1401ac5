//! From a draft and the answers to its questions to the values that Odoo takes.
//!
//! Settling is pure. What is wrong with a draft is noted, and the rest of it is settled for what else is wrong; its values are given
//! only where nothing is. The id of a record that is still to be created is left as a placeholder in the values, and files that
//! belong to records which do not exist yet are given back with the lines that lead to those.

mod lines;
mod values;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::LazyLock,
};

use serde_json::{Map, Value, json};

use self::lines::nothing_to_remove;
use crate::plan::{
    Ambiguous, Error, Nearby, NoMatch, WarningCode, Warnings,
    error::Mistakes,
    lookup::{MAX_MATCHES, Matches, Question, QuestionId, Questions},
    old_lines::OldRecord,
    read::{Command, Draft, File, Linked, Mode, Slot},
    steps::{At, FutureId, Line, Placeholder, StepId, Trail},
    wording::short,
};

/// Settles the drafts of one call, one after another.
pub(in crate::plan) struct Settler<'a> {
    pub(in crate::plan) questions: &'a Questions,
    pub(in crate::plan) matches: &'a Matches,
    /// Questions that one record answers together: each with the one that it is created for.
    pub(in crate::plan) same: &'a HashMap<QuestionId, QuestionId>,
    /// Questions whose record an earlier step creates.
    pub(in crate::plan) created: HashMap<QuestionId, StepId>,
    /// Questions whose record is created in the place where it is needed.
    pub(in crate::plan) inline: BTreeMap<QuestionId, Draft>,
    /// Questions whose record cannot be created, which is told where it is.
    pub(in crate::plan) refused: HashSet<QuestionId>,
    pub(in crate::plan) warnings: &'a mut Warnings,
    /// What is wrong with the draft that is being settled.
    pub(in crate::plan) mistakes: Mistakes,
}

/// The values of a draft.
#[derive(Debug, Default)]
pub(in crate::plan) struct Settled {
    pub(in crate::plan) values: Map<String, Value>,
    pub(in crate::plan) placeholders: Vec<Placeholder>,
    /// Files, with the place of their record.
    pub(in crate::plan) files: Vec<(Place, Vec<File>)>,
}

/// The place of a record within the one that is written: the lines that lead to it.
#[derive(Debug, Clone, Default)]
pub(in crate::plan) struct Place {
    pub(in crate::plan) owner: Owner,
    pub(in crate::plan) lines: Vec<Line>,
}

/// The record at which the lines of a [`Place`] begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::plan) enum Owner {
    /// The record that the call writes.
    #[default]
    Main,
    /// A line that is edited in place.
    Line { model: String, id: i64 },
}

impl<'a> Settler<'a> {
    /// A settler of drafts for which nothing is created.
    pub(in crate::plan) fn of_found(
        questions: &'a Questions,
        matches: &'a Matches,
        warnings: &'a mut Warnings,
    ) -> Self {
        static NONE: LazyLock<HashMap<QuestionId, QuestionId>> = LazyLock::new(HashMap::new);
        Self {
            questions,
            matches,
            same: &NONE,
            created: HashMap::new(),
            inline: BTreeMap::new(),
            refused: HashSet::new(),
            warnings,
            mistakes: Mistakes::default(),
        }
    }

    /// Settles the draft of one record, whose values will stand at `at` in the arguments of their call. `old` are the records
    /// that get the values; none where it is new.
    ///
    /// # Errors
    /// Lookups found nothing, or too much; or the call is strict, and a value would not be kept. All that is wrong is told.
    pub(in crate::plan) fn settle(
        &mut self,
        model: &str,
        draft: Draft,
        old: Option<&[OldRecord]>,
        at: &Trail<'_>,
    ) -> Result<Settled, Error> {
        let mut settled = Settled::default();
        settled.values = self.record(model, draft, old, at, &mut Place::default(), &mut settled);
        std::mem::take(&mut self.mistakes).and(Ok(settled))
    }

    pub(super) fn record(
        &mut self,
        model: &str,
        draft: Draft,
        old: Option<&[OldRecord]>,
        at: &Trail<'_>,
        place: &mut Place,
        settled: &mut Settled,
    ) -> Map<String, Value> {
        // In existing records, a value stays until Odoo computes it anew.
        for (field, path) in draft.computed.iter().filter(|_| old.is_none()) {
            self.mistakes.take(self.warnings.note_unwritten(model, field, path));
        }
        if !draft.files.is_empty() {
            self.mistakes.take(place.refuse_unknown());
            settled.files.push((place.clone(), draft.files));
        }
        let mut values = Map::with_capacity(draft.fields.len());
        for (name, slot) in draft.fields {
            let at = at.key(&name);
            let value = match slot {
                Slot::Plain(value) => Ok(value),
                Slot::Commands { model, commands, .. } => Ok(self.commands(&model, commands, &at, settled)),
                Slot::One { question, path } => self.one(&name, question, path, &at, settled),
                Slot::Many { mode: Mode::Remove, path, .. } if old.is_none() => Err(nothing_to_remove(&path)),
                Slot::Many { mode, records, path } => Ok(self.many(&name, mode, records, &path, &at, settled)),
                Slot::Files { files, .. } => {
                    Ok(files.into_iter().map(|file| new_record(of_model(file.values(), model))).collect())
                }
                Slot::Lines(lines) => match self.lines(&name, lines, old, &at, place, settled) {
                    // Lines that are as they are sent stay untouched.
                    Ok(commands) if commands.is_empty() && old.is_some() => continue,
                    commands => commands.map(Value::Array),
                },
            };
            if let Some(value) = self.mistakes.take(value) {
                values.insert(name, value);
            }
        }
        values
    }

    /// Odoo's own commands, with the values within them settled.
    fn commands(&mut self, model: &str, commands: Vec<Command>, at: &Trail<'_>, settled: &mut Settled) -> Value {
        let mut sent = Vec::with_capacity(commands.len());
        for (place, command) in commands.into_iter().enumerate() {
            let command_at = at.position(place);
            let at = command_at.position(VALUES);
            let mut values = |draft| self.record(model, draft, None, &at, &mut Place::default(), settled);
            sent.push(match command {
                Command::Create(draft) => new_record(values(draft)),
                Command::Update(id, draft) => Value::Array(vec![json!(1), json!(id), Value::Object(values(draft))]),
                Command::Plain(command) => command,
            });
        }
        Value::Array(sent)
    }

    fn one(
        &self,
        field: &str,
        question: QuestionId,
        path: String,
        at: &Trail<'_>,
        settled: &mut Settled,
    ) -> Result<Value, Error> {
        if let Some(&step) = self.created.get(&self.alias(question)) {
            return Ok(settled.placeholder(at, step));
        }
        match self.matches[question] {
            [id] => Ok(json!(id)),
            [] if self.refused.contains(&self.alias(question)) => Ok(Value::Null),
            [] => Err(no_match(field, path, self.questions.get(question))),
            _ => Err(self.ambiguous(field, question, path)),
        }
    }

    /// Follows the addon: lookups by the same fields are judged together, and it is an error only where all of them
    /// find nothing. One that finds nothing beside others is left out with a warning.
    fn many(
        &mut self,
        field: &str,
        mode: Mode,
        records: Vec<Linked>,
        path: &str,
        at: &Trail<'_>,
        settled: &mut Settled,
    ) -> Value {
        let mut found_by: HashMap<String, bool> = HashMap::new();
        for record in &records {
            if let Linked::Question(id) = record {
                let is_refused = self.refused.contains(&self.alias(*id));
                let is_there = !self.matches[*id].is_empty() || self.is_created(*id) || is_refused;
                *found_by.entry(self.questions.get(*id).fields()).or_default() |= is_there;
            }
        }
        let mut linked: Vec<Record> = Vec::with_capacity(records.len());
        let mut created_here = Vec::new();
        for (index, record) in records.into_iter().enumerate() {
            let id = match record {
                Linked::Id(record) => {
                    linked.push(Record::SchemaView(record));
                    continue;
                }
                Linked::Question(id) => id,
            };
            let question = self.questions.get(id);
            let path = || format!("{path}.records[{index}]");
            if let Some(&step) = self.created.get(&self.alias(id)) {
                linked.push(Record::Created(step));
            } else if let Some(draft) = self.inline.remove(&id) {
                created_here.push((question.model.clone(), draft));
            } else if self.matches[id].len() > MAX_MATCHES {
                self.mistakes.note(self.ambiguous(field, id, path()));
            } else if self.refused.contains(&self.alias(id)) {
                // It is told where the record would be created.
            } else if self.matches[id].is_empty() && !self.is_created(id) {
                // What is not there is linked to nothing.
                if mode != Mode::Remove && found_by.get(&question.fields()) != Some(&true) {
                    self.mistakes.note(no_match(field, path(), question));
                } else {
                    let message = format!("'{field}': '{}' found no match and was left out", question.shown());
                    self.mistakes.take(self.warnings.note(WarningCode::NoMatch, path(), message));
                }
            } else {
                linked.extend(self.matches[id].iter().copied().map(Record::SchemaView));
            }
        }
        let mut seen = HashSet::new();
        linked.retain(|record| seen.insert(*record));
        let mut commands: Vec<Value> = match mode {
            Mode::Replace => {
                let (command, ids) = (at.position(0), 2);
                let ids = command.position(ids);
                let ids: Vec<Value> =
                    linked.iter().enumerate().map(|(n, record)| settled.id(&ids.position(n), *record)).collect();
                vec![json!([6, 0, ids])]
            }
            Mode::Add => linked
                .iter()
                .enumerate()
                .map(|(n, record)| json!([4, settled.id(&at.position(n).position(1), *record)]))
                .collect(),
            Mode::Remove => linked.iter().filter_map(|record| record.known()).map(|id| json!([3, id])).collect(),
        };
        for (model, draft) in created_here {
            let command = at.position(commands.len());
            let at = command.position(VALUES);
            let values = self.record(&model, draft, None, &at, &mut Place::default(), settled);
            commands.push(new_record(values));
        }
        Value::Array(commands)
    }

    pub(super) fn is_created(&self, question: QuestionId) -> bool {
        self.created.contains_key(&self.alias(question)) || self.inline.contains_key(&question)
    }

    pub(super) fn alias(&self, question: QuestionId) -> QuestionId {
        self.same.get(&question).copied().unwrap_or(question)
    }

    pub(super) fn ambiguous(&self, field: &str, question: QuestionId, path: String) -> Error {
        let asked = self.questions.get(question);
        Error::Ambiguous(Box::new(Ambiguous {
            path,
            field: field.to_owned(),
            value: asked.shown(),
            model: asked.model.clone(),
            ids: self.matches[question].to_vec(),
            candidates: Vec::new(),
        }))
    }
}

fn no_match(field: &str, path: String, question: &Question) -> Error {
    let key = question.keys().map(|(field, value)| (field.to_owned(), short(value))).collect();
    let (field, value, model, nearby) =
        (field.to_owned(), question.shown(), question.model.clone(), Nearby::of(question));
    Error::NoMatch(Box::new(NoMatch { path, field, value, model, key, nearby }))
}

/// The position of the values in Odoo's command to create a record.
pub(super) const VALUES: usize = 2;

/// A record that a many2many links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Record {
    SchemaView(i64),
    /// The step creates it.
    Created(StepId),
}

impl Record {
    /// The id, where the record is there already.
    fn known(self) -> Option<i64> {
        match self {
            Self::SchemaView(id) => Some(id),
            Self::Created(_) => None,
        }
    }
}

impl Place {
    /// Refuses files of a new line below one that is edited: it could not be told from the lines that are there.
    fn refuse_unknown(&self) -> Result<(), Error> {
        match (&self.owner, self.lines.last()) {
            (Owner::Line { model, id }, Some(line)) => {
                let problem = format!(
                    "has files of a new line in `{}` of `{model}` {id}: send them in a call of their own",
                    line.field
                );
                Err(Error::WrongKind { path: "payload".to_owned(), problem })
            }
            _ => Ok(()),
        }
    }
}

impl Settled {
    fn id(&mut self, at: &Trail<'_>, record: Record) -> Value {
        match record {
            Record::SchemaView(id) => json!(id),
            Record::Created(step) => self.placeholder(at, step),
        }
    }

    /// The value that stands in the place of an id until the step has given it.
    fn placeholder(&mut self, at: &Trail<'_>, step: StepId) -> Value {
        self.placeholders.push(Placeholder { at: At::Argument(at.to_path()), id: FutureId::first(step) });
        Value::Null
    }
}

/// Odoo's command to create a record. The macro `json!` would copy the values.
pub(super) fn new_record(values: Map<String, Value>) -> Value {
    Value::Array(vec![Value::from(0), Value::from(0), Value::Object(values)])
}

/// An attachment's values, with the model of the record it belongs to: a one2many to files sets the id alone.
fn of_model(mut values: Map<String, Value>, model: &str) -> Map<String, Value> {
    values.insert("res_model".to_owned(), json!(model));
    values
}

#[cfg(test)]
mod tests;
