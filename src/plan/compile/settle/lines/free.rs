//! Lines that are there, and that no sent line has taken yet.
//!
//! New lines stand behind those that stay. So where the order of the lines is the order of the list, a line can stay only if no new one
//! comes before it in the list, and if it stands behind the line that stays before it.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value, json};

use super::super::values::canonical;
use crate::plan::{Error, Nearby, NoMatch, old_lines::OldRecord, read::Line};

/// The lines that are free.
pub(super) struct Free<'o> {
    old: &'o [OldRecord],
    taken: Vec<bool>,
    by_id: HashMap<i64, usize>,
    /// By the fields that are compared, and by the values in these: the lines, in order.
    by_form: HashMap<Vec<String>, HashMap<String, VecDeque<usize>>>,
    /// Whether lines are taken in order, and the first that may be.
    is_ordered: bool,
    next: usize,
}

impl<'o> Free<'o> {
    /// With `is_ordered`, lines are taken in the order of the list.
    pub(super) fn of(old: &'o [OldRecord], is_ordered: bool) -> Self {
        let by_id = old.iter().enumerate().map(|(place, old)| (old.id, place)).collect();
        let taken = vec![false; old.len()];
        Self { old, taken, by_id, by_form: HashMap::new(), is_ordered, next: 0 }
    }

    /// Takes the line that is named.
    ///
    /// # Errors
    /// There is no such line, or it is given twice.
    pub(super) fn take(&mut self, model: &str, field: &str, id: i64, line: &Line) -> Result<&'o OldRecord, Error> {
        let path = if line.id.is_some() { format!("{}.id", line.path) } else { line.path.clone() };
        let Some(&place) = self.by_id.get(&id) else {
            let (field, value) = (field.to_owned(), format!("id = {id}"));
            let key = Map::from_iter([("id".to_owned(), json!(id))]);
            let (model, nearby) = (model.to_owned(), Nearby::default());
            return Err(Error::NoMatch(Box::new(NoMatch { path, field, value, model, key, nearby })));
        };
        if std::mem::replace(&mut self.taken[place], true) {
            let problem = format!("is the line {id}, which is given twice");
            return Err(Error::WrongKind { path, problem });
        }
        Ok(&self.old[place])
    }

    /// Takes the first line with these values that `is_equal` otherwise.
    pub(super) fn take_first(&mut self, fields: &[&str], form: &str, is_equal: impl Fn(&OldRecord) -> bool) -> bool {
        let Self { old, taken, by_form, next, .. } = self;
        let names: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        let by_form = by_form.entry(names).or_insert_with(|| {
            let mut by_form: HashMap<String, VecDeque<usize>> = HashMap::new();
            for (place, old) in old.iter().enumerate() {
                by_form.entry(key_of(fields.iter().map(|name| form_of(old, name)))).or_default().push_back(place);
            }
            by_form
        });
        let Some(places) = by_form.get_mut(form) else { return false };
        while places.front().is_some_and(|place| taken[*place] || *place < *next) {
            places.pop_front();
        }
        match places.iter().find(|place| !taken[**place] && is_equal(&old[**place])) {
            Some(&place) => {
                taken[place] = true;
                if self.is_ordered {
                    self.next = place + 1;
                }
                true
            }
            None => false,
        }
    }

    /// A new line comes: what follows it in the list cannot stay.
    pub(super) fn end(&mut self) {
        if self.is_ordered {
            self.next = self.old.len();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken.iter().all(|taken| *taken)
    }

    pub(super) fn rest(&self) -> Vec<i64> {
        let free = self.old.iter().zip(&self.taken).filter(|(_, taken)| !**taken);
        free.map(|(old, _)| old.id).collect()
    }
}

/// The form of a value that a record has.
pub(super) fn form_of(old: &OldRecord, name: &str) -> String {
    match name {
        "id" => canonical(&json!(old.id)),
        name => canonical(old.values.get(name).unwrap_or(&Value::Null)),
    }
}

/// One form of several values.
pub(super) fn key_of(forms: impl Iterator<Item = String>) -> String {
    forms.map(|form| format!("{}:{form} ", form.len())).collect()
}
