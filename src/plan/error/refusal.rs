//! All mistakes of one call.
//!
//! What must stay true: the mistake that is told first is the one that was met first, as if it were the only one; none is
//! listed twice; and the number of those that are kept is bounded.

use serde_json::{Map, Value};

use super::Error;
use crate::plan::positions::position;

/// The most mistakes of a call that are listed; those above it are counted.
pub(in crate::plan) const LISTED: usize = 50;

/// The mistakes that have been met in a call, or in a record of several.
#[derive(Debug, Default, Clone)]
pub(in crate::plan) struct Mistakes {
    met: Vec<Error>,
    more: usize,
}

/// Several mistakes of one call.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// As they were met, or in the order of their places in what was sent.
    mistakes: Vec<Error>,
    /// The position of the one that was met first.
    first: usize,
    /// The number of those that are not listed.
    more: usize,
}

impl Mistakes {
    /// Notes a mistake, unless it has been noted before.
    pub(in crate::plan) fn note(&mut self, error: Error) {
        match error {
            Error::Several(refusal) => {
                let Refusal { mistakes, more, first } = *refusal;
                let mut rest: Vec<Option<Error>> = mistakes.into_iter().map(Some).collect();
                if let Some(first) = rest.get_mut(first).and_then(Option::take) {
                    self.note_one(first);
                }
                rest.into_iter().flatten().for_each(|error| self.note_one(error));
                self.more += more;
            }
            error => self.note_one(error),
        }
    }

    fn note_one(&mut self, error: Error) {
        let is_same = |other: &Error| other.path() == error.path() && other.to_string() == error.to_string();
        // What Odoo does not answer while further mistakes are looked for is none of them.
        let is_about_search = !self.met.is_empty() && matches!(error, Error::Odoo(_));
        if is_about_search || self.met.iter().any(is_same) {
            return;
        }
        if self.met.len() < LISTED {
            self.met.push(error);
        } else {
            self.more += 1;
        }
    }

    /// The value of a result; a mistake is noted.
    pub(in crate::plan) fn take<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.note(error)).ok()
    }

    pub(in crate::plan) fn is_empty(&self) -> bool {
        self.met.is_empty()
    }

    /// Whether the policy denies something: then nothing more is asked of Odoo.
    pub(in crate::plan) fn have_denial(&self) -> bool {
        self.met.iter().any(|error| matches!(error, Error::Denied { .. }))
    }

    /// The first mistake, where that is a denial.
    pub(in crate::plan) fn first_denial(&self) -> Option<&Error> {
        self.met.first().filter(|error| matches!(error, Error::Denied { .. }))
    }

    /// The result, if there is no mistake.
    ///
    /// # Errors
    /// All mistakes, with that of the result as the last one.
    pub(in crate::plan) fn and<T>(mut self, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Ok(value) => self.into_error().map_or(Ok(value), Err),
            Err(error) => {
                self.note(error.clone());
                Err(self.into_error().unwrap_or(error))
            }
        }
    }

    /// All mistakes as one error; none where there is no mistake.
    pub(in crate::plan) fn into_error(self) -> Option<Error> {
        let Self { mut met, more } = self;
        match met.len() {
            0 => None,
            1 if more == 0 => met.pop(),
            _ => Some(Error::Several(Box::new(Refusal { mistakes: met, first: 0, more }))),
        }
    }
}

impl Refusal {
    /// The mistake that was met first: the call's code, sentence and place are its own.
    pub fn first(&self) -> &Error {
        &self.mistakes[self.first]
    }

    /// All mistakes that are listed.
    pub fn listed(&self) -> &[Error] {
        &self.mistakes
    }

    /// The number of those that are not listed.
    pub fn more(&self) -> usize {
        self.more
    }

    /// Puts the mistakes into the order of their places in `vals`. Those without a place, and those with equal ones, keep theirs.
    pub(super) fn put_in_order(&mut self, vals: &Map<String, Value>) {
        let place = |(met, error): (usize, Error)| (position(error.path().unwrap_or_default(), vals), met, error);
        let mut placed: Vec<_> = std::mem::take(&mut self.mistakes).into_iter().enumerate().map(place).collect();
        placed.sort_by(|(one, first, _), (other, second, _)| (one, first).cmp(&(other, second)));
        self.first = placed.iter().position(|(_, met, _)| *met == self.first).unwrap_or_default();
        self.mistakes = placed.into_iter().map(|(_, _, error)| error).collect();
    }

    pub(super) fn listed_mut(&mut self) -> &mut [Error] {
        &mut self.mistakes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(path: &str) -> Error {
        Error::WrongKind { path: path.to_owned(), problem: "is wrong".to_owned() }
    }

    fn paths(error: &Error) -> Vec<&str> {
        error.each().iter().filter_map(Error::path).collect()
    }

    #[test]
    fn mistakes_are_listed_once_in_the_order_of_what_was_sent_and_the_first_one_met_is_told() {
        let mut mistakes = Mistakes::default();
        for path in ["payload.b", "payload.lines[1].a", "payload.a", "payload.b", "search_key.x"] {
            mistakes.note(wrong(path));
        }
        let vals = json!({"search_key": {"x": 1}, "payload": {"a": 1, "lines": [{}, {"a": 2}], "b": 3}});
        let error = mistakes.into_error().unwrap().in_order(vals.as_object().unwrap());
        assert_eq!(paths(&error), ["search_key.x", "payload.a", "payload.lines[1].a", "payload.b"]);
        assert_eq!((error.path(), error.to_string()), (Some("payload.b"), "`payload.b` is wrong".to_owned()));
    }

    #[test]
    fn a_single_mistake_is_that_one_and_many_are_counted() {
        let mut mistakes = Mistakes::default();
        assert!(mistakes.clone().into_error().is_none());
        mistakes.note(wrong("payload.a"));
        assert!(matches!(mistakes.clone().into_error().unwrap(), Error::WrongKind { .. }));
        (0..LISTED + 9).for_each(|n| mistakes.note(wrong(&format!("payload.x{n}"))));
        let Some(Error::Several(refusal)) = mistakes.into_error() else { unreachable!() };
        assert_eq!((refusal.listed().len(), refusal.more()), (LISTED, 10));
    }
}
