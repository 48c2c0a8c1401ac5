//! Lines of a one2many as Odoo's commands: those that are there are edited in place, others are created or removed.
//!
//! Old lines are removed in the same call that creates new ones, each by its id: Odoo's command to clear a one2many would leave lines
//! behind that belong to no record (Odoo 14-19). One write gives all its records the same commands, so with several records
//! a line can only be named where all of them agree on the rest.

mod free;
mod held;

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value, json};

use self::{
    free::{Free, form_of, key_of},
    held::lines_of,
};
use super::{Owner, Place, Settled, Settler, VALUES, new_record};
use crate::plan::{
    Ambiguous, Error, WarningCode,
    old_lines::OldRecord,
    read::{Comparison, Line, Lines, LinesMode, Slot},
    steps::{self, Trail},
    wording::shown,
};

/// What is done with the lines of one field.
#[derive(Debug, Default)]
struct Changes<'o> {
    removed: Vec<i64>,
    edited: Vec<(&'o OldRecord, Line)>,
    created: Vec<Line>,
}

impl Settler<'_> {
    /// The commands for the lines of one field. `old` are the records that are updated; none where the record is new.
    pub(super) fn lines(
        &mut self,
        field: &str,
        lines: Lines,
        old: Option<&[OldRecord]>,
        at: &Trail<'_>,
        place: &mut Place,
        settled: &mut Settled,
    ) -> Result<Vec<Value>, Error> {
        let (model, inverse) = (lines.model.clone(), lines.inverse.clone());
        let Changes { removed, edited, created } = self.changes(field, lines, old)?;
        let mut commands: Vec<Value> = removed.into_iter().map(|id| json!([2, id, 0])).collect();
        for (old, line) in edited {
            let command = at.position(commands.len());
            let values = self.edits(&model, line, old, &command.position(VALUES), settled);
            if !values.is_empty() {
                commands.push(Value::Array(vec![json!(1), json!(old.id), Value::Object(values)]));
            }
        }
        let of = created.len();
        for (index, line) in created.into_iter().enumerate() {
            let command = at.position(commands.len());
            let (field, model, inverse) = (field.to_owned(), model.clone(), inverse.clone());
            place.lines.push(steps::Line { field, model: model.clone(), inverse, index, of });
            let values = self.record(&model, line.draft, None, &command.position(VALUES), place, settled);
            commands.push(new_record(values));
            place.lines.pop();
        }
        Ok(commands)
    }

    /// The values for a line that is there; none where it has all of them. If one of them differs, all are sent: Odoo may compute a
    /// value anew that is not (the price of an order's line when its quantity changes, 19).
    fn edits(
        &mut self,
        model: &str,
        line: Line,
        old: &OldRecord,
        at: &Trail<'_>,
        settled: &mut Settled,
    ) -> Map<String, Value> {
        let is_held = |(name, slot, comparison): (&str, &Slot, Comparison)| {
            matches!(slot, Slot::Lines(_)) || comparison != Comparison::Never && self.is_held(name, slot, old)
        };
        let is_unchanged = line.fields().all(is_held);
        let mut draft = line.draft;
        if is_unchanged {
            draft.fields.retain(|(_, slot)| matches!(slot, Slot::Lines(_)));
        }
        let mut place = Place::of_line(model, old.id);
        self.record(model, draft, Some(std::slice::from_ref(old)), at, &mut place, settled)
    }

    fn changes<'o>(&mut self, field: &str, lines: Lines, old: Option<&'o [OldRecord]>) -> Result<Changes<'o>, Error> {
        let Lines { model, mode, lines, is_ordered, path, .. } = lines;
        match old {
            None => self.new_lines(&model, &mode, lines, &path),
            // Nothing is written where no record is.
            Some([]) => Ok(Changes { created: lines, ..Changes::default() }),
            Some([record]) => match mode {
                LinesMode::Replace => self.replace(field, &model, lines, is_ordered, lines_of(record, field), &path),
                LinesMode::Merge { key } => self.merge(field, &model, &key, lines, lines_of(record, field)),
                LinesMode::Add => Ok(Changes { created: lines, ..Changes::default() }),
                LinesMode::Remove => self.remove(field, lines, lines_of(record, field).iter()),
            },
            Some(records) => match mode {
                LinesMode::Replace => self.replace_in_all(field, lines, is_ordered, records, &path),
                LinesMode::Merge { .. } => Err(several(format!("{path}.mode"), records.len())),
                LinesMode::Add => Ok(Changes { created: lines, ..Changes::default() }),
                LinesMode::Remove => {
                    self.remove(field, lines, records.iter().flat_map(|record| lines_of(record, field)))
                }
            },
        }
    }

    /// The lines of a record that is new itself.
    fn new_lines<'o>(
        &mut self,
        model: &str,
        mode: &LinesMode,
        lines: Vec<Line>,
        path: &str,
    ) -> Result<Changes<'o>, Error> {
        if *mode == LinesMode::Remove {
            return Err(nothing_to_remove(path));
        }
        for line in lines.iter().filter(|line| line.id.is_some()) {
            self.mistakes.take(self.warnings.note_unwritten(model, "id", &format!("{}.id", line.path)));
        }
        Ok(Changes { created: lines, ..Changes::default() })
    }

    fn replace<'o>(
        &mut self,
        field: &str,
        model: &str,
        lines: Vec<Line>,
        is_ordered: bool,
        old: &'o [OldRecord],
        path: &str,
    ) -> Result<Changes<'o>, Error> {
        let mut changes = Changes::default();
        let mut free = Free::of(old, is_ordered);
        // Lines that are named are not taken for others.
        let mut named = HashMap::new();
        for line in &lines {
            let Some(id) = line.id else { continue };
            if let Some(old) = self.mistakes.take(free.take(model, field, id, line)) {
                named.insert(id, old);
            }
        }
        for line in lines {
            match line.id {
                Some(id) => changes.edited.extend(named.remove(&id).map(|old| (old, line))),
                None if self.take_equal(&mut free, &line) => {}
                None => {
                    free.end();
                    changes.created.push(line);
                }
            }
        }
        changes.removed = free.rest();
        self.tell_removed(path, changes.removed.len());
        Ok(changes)
    }

    /// Replaces the lines of several records. Where they do not lack the same lines, all lines are removed and made anew.
    fn replace_in_all<'o>(
        &mut self,
        field: &str,
        lines: Vec<Line>,
        is_ordered: bool,
        records: &'o [OldRecord],
        path: &str,
    ) -> Result<Changes<'o>, Error> {
        if let Some(named) = lines.iter().find(|line| line.id.is_some()) {
            return Err(several(format!("{}.id", named.path), records.len()));
        }
        let mut removed = Vec::new();
        let mut lacking: HashSet<BTreeSet<usize>> = HashSet::new();
        for record in records {
            let mut free = Free::of(lines_of(record, field), is_ordered);
            let mut lacks = BTreeSet::new();
            for (index, line) in lines.iter().enumerate() {
                if !self.take_equal(&mut free, line) {
                    free.end();
                    lacks.insert(index);
                }
            }
            lacking.insert(lacks);
            removed.extend(free.rest());
        }
        let mut created = lines;
        if lacking.len() == 1 {
            let lacking = lacking.into_iter().next().unwrap_or_default();
            let mut index = 0..;
            created.retain(|_| index.next().is_some_and(|index| lacking.contains(&index)));
        } else {
            removed = records.iter().flat_map(|record| lines_of(record, field)).map(|line| line.id).collect();
        }
        self.tell_removed(path, removed.len());
        Ok(Changes { removed, created, ..Changes::default() })
    }

    fn merge<'o>(
        &mut self,
        field: &str,
        model: &str,
        key: &[String],
        lines: Vec<Line>,
        old: &'o [OldRecord],
    ) -> Result<Changes<'o>, Error> {
        let mut by_key: HashMap<String, Vec<&OldRecord>> = HashMap::new();
        for record in old {
            by_key.entry(key_of(key.iter().map(|name| form_of(record, name)))).or_default().push(record);
        }
        let mut changes = Changes::default();
        let mut free = Free::of(old, false);
        let mut seen: HashMap<String, String> = HashMap::new();
        for mut line in lines {
            if let Some(id) = line.id {
                let old = self.mistakes.take(free.take(model, field, id, &line));
                changes.edited.extend(old.map(|old| (old, line)));
                continue;
            }
            let forms: Option<Vec<String>> =
                key.iter().map(|name| line.slot(name).and_then(|slot| self.form(slot))).collect();
            // What is wrong with a lookup is said where its value is settled.
            let Some(forms) = forms else {
                changes.created.push(line);
                continue;
            };
            let form = key_of(forms.into_iter());
            if let Some(first) = seen.insert(form.clone(), line.path.clone()) {
                let problem = format!("has the same {} as `{first}`: a line is given once", names(key));
                self.mistakes.note(Error::WrongKind { path: line.path, problem });
                continue;
            }
            match by_key.get(&form).map(Vec::as_slice) {
                None => changes.created.push(line),
                Some([one]) => {
                    if self.mistakes.take(free.take(model, field, one.id, &line)).is_none() {
                        continue;
                    }
                    // It has these values. A model may refuse to write them, even unchanged.
                    line.leave_out(key);
                    changes.edited.push((one, line));
                }
                Some(several) => {
                    let value: Vec<String> = key.iter().map(|name| self.shown_value(&line, name)).collect();
                    self.mistakes.note(Error::Ambiguous(Box::new(Ambiguous {
                        path: line.path,
                        field: field.to_owned(),
                        value: value.join(", "),
                        model: model.to_owned(),
                        ids: several.iter().map(|line| line.id).collect(),
                        candidates: Vec::new(),
                    })));
                }
            }
        }
        Ok(changes)
    }

    fn remove<'o>(
        &mut self,
        field: &str,
        named: Vec<Line>,
        old: impl Iterator<Item = &'o OldRecord> + Clone,
    ) -> Result<Changes<'o>, Error> {
        let mut removed = BTreeSet::new();
        for line in named {
            for (name, slot) in &line.draft.fields {
                if let Slot::One { question, .. } = slot
                    && self.matches[*question].len() > 1
                {
                    self.mistakes.note(self.ambiguous(name, *question, format!("{}.{name}", line.path)));
                }
            }
            let is_meant = |old: &&OldRecord| {
                line.id.is_none_or(|id| id == old.id)
                    && line.draft.fields.iter().all(|(name, slot)| self.is_held(name, slot, old))
            };
            let ids: Vec<i64> = old.clone().filter(is_meant).map(|old| old.id).collect();
            if ids.is_empty() {
                let message = format!("`{}` names no line of `{field}`; nothing was removed for it", line.path);
                self.mistakes.take(self.warnings.note(WarningCode::NoMatch, line.path, message));
            }
            removed.extend(ids);
        }
        Ok(Changes { removed: removed.into_iter().collect(), ..Changes::default() })
    }

    fn tell_removed(&mut self, path: &str, lines: usize) {
        if lines > 0 {
            let lines = if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") };
            let message = format!("{lines} that `{path}` does not have: removed");
            self.warnings.tell(WarningCode::LinesRemoved, path, message);
        }
    }

    /// A value of a line, for a sentence.
    fn shown_value(&self, line: &Line, name: &str) -> String {
        let value = match line.slot(name) {
            Some(Slot::One { question, .. }) => self.questions.get(*question).shown(),
            Some(Slot::Plain(value)) => shown(value),
            _ => String::new(),
        };
        format!("{name} = {value}")
    }
}

fn names(key: &[String]) -> String {
    key.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

/// The refusal of an edit of lines in several records.
fn several(path: String, records: usize) -> Error {
    let problem = format!(
        "edits lines in place, and the search key matches {records} records; one write gives them all the same lines. Name one \
         record, or give a list of lines without `id`"
    );
    Error::WrongKind { path, problem }
}

/// The refusal to remove something from a record that is new.
pub(super) fn nothing_to_remove(path: &str) -> Error {
    let problem = "is \"remove\", and the record is new: there is nothing to remove from it".to_owned();
    Error::WrongKind { path: format!("{path}.mode"), problem }
}

impl Place {
    /// Below a line that is there.
    fn of_line(model: &str, id: i64) -> Self {
        Self { owner: Owner::Line { model: model.to_owned(), id }, lines: Vec::new() }
    }
}
