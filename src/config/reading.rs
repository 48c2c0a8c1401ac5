//! Reading the file so that all its mistakes are found at once.
//!
//! The types of the configuration stop at the first mistake. It is recorded, what is mistaken is taken out of the table or replaced
//! by its default, and the table is read again, until it can be read or [`MOST`] mistakes have been found. What a mistake of the
//! file would bring along is no mistake of its own: a key that was taken out does not lack, and a value that stands in for another
//! is not checked.

mod form;
mod known;
mod value;
mod words;

use std::{collections::HashSet, ops::Range};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeArray, DeString, DeTable, DeValue},
};

pub(in crate::config) use self::known::nearest;
use self::value::{Kind, Mistake, Root};
use super::{
    Config,
    faults::Faults,
    path::{Path, Step},
    problem::{Place, Problem, is_secret},
};

/// The number of mistakes after which the search ends.
const MOST: usize = 50;

/// The mistakes of a file.
#[derive(Debug)]
pub(super) struct Mistaken {
    /// In the order of the file.
    pub(super) problems: Vec<Problem>,
    /// Whether the search ended before all was read.
    pub(super) has_more: bool,
}

/// Reads the text and adds the defaults.
///
/// # Errors
/// There are mistakes in it.
pub(super) fn read(text: &str, defaults: &'static str) -> Result<Config, Mistaken> {
    let (table, wrong) = DeTable::parse_recoverable(text);
    let (defaults, _) = DeTable::parse_recoverable(defaults);
    let mut reading = Reading {
        text,
        hidden: hidden(table.get_ref()),
        table: table.into_inner(),
        defaults: defaults.into_inner(),
        problems: Vec::new(),
        taken: HashSet::new(),
        spoiled: HashSet::new(),
    };
    for error in wrong.into_iter().take(MOST) {
        // The parser ends its messages with a line break.
        let message = error.message().trim().replace('\n', "; ");
        reading.record(error.span(), message, Vec::new());
    }
    if !reading.problems.is_empty() {
        return Err(reading.mistaken(false));
    }
    let defaults = reading.defaults.clone();
    reading.bare_numbers(&defaults, &Path::new());
    complete(&mut reading.table, defaults);
    // Each mistake takes something out of the table, or ends the reading.
    for _ in 0..4 * MOST {
        match Config::deserialize(Root(&reading.table)) {
            Ok(config) => {
                let mut faults = Faults::default();
                config.check(&mut faults);
                reading.faults(faults);
                return if reading.problems.is_empty() { Ok(config) } else { Err(reading.mistaken(false)) };
            }
            Err(mistake) => {
                let is_mended = reading.mistake(mistake);
                if !is_mended || reading.problems.len() >= MOST {
                    break;
                }
            }
        }
    }
    if reading.problems.is_empty() {
        reading.record(None, "the configuration cannot be read".to_owned(), Vec::new());
    }
    Err(reading.mistaken(true))
}

struct Reading<'i> {
    text: &'i str,
    /// The values of keys that may be secrets.
    hidden: Vec<Range<usize>>,
    /// What the file says, completed and mended.
    table: DeTable<'i>,
    defaults: DeTable<'static>,
    problems: Vec<Problem>,
    /// What was taken out or stands in for something.
    taken: HashSet<Path>,
    /// The tables that something was taken out of: what they lack now is no mistake.
    spoiled: HashSet<Path>,
}

impl<'i> Reading<'i> {
    fn mistaken(mut self, has_more: bool) -> Mistaken {
        self.problems.sort_by_key(Problem::position);
        Mistaken { problems: self.problems, has_more }
    }

    fn record(&mut self, span: Option<Range<usize>>, message: String, help: Vec<String>) {
        let place = span.filter(|span| *span != NOWHERE).map(|span| Place::of(self.text, &span, &self.hidden));
        self.problems.push(Problem { place, message, help });
    }

    /// Records a mistake and takes it out of the table; tells whether it could.
    fn mistake(&mut self, Mistake { path, kind }: Mistake) -> bool {
        match kind {
            Kind::UnknownKey { key, known } => self.unknown_key(&path, &key, known),
            Kind::MissingKey(key) => self.missing_key(path, key),
            Kind::Refused(why) => self.refused(path, &why),
            Kind::UnknownVariant { given, known } => {
                let (message, help) = words::unknown_variant(&path, &given, known);
                self.record(self.span(&path), message, help);
                self.take_out(path)
            }
            Kind::WrongType { given, expected } => self.wrong_kind(path, &given, &expected),
            Kind::WrongValue { given, expected } => {
                let form = form::at(&self.defaults, &path);
                let (message, help) = words::wrong_value(&path, &given, &expected, form.as_ref());
                self.record(self.span(&path), message, help);
                self.take_out(path)
            }
        }
    }

    /// A key that is almost a known one is read as that one, so that its value is looked at as well.
    fn unknown_key(&mut self, path: &Path, key: &str, known: &[&'static str]) -> bool {
        let Some(table) = table_at(&mut self.table, path) else { return false };
        let Some((written, value)) = table.remove_entry(key) else { return false };
        let nearest = nearest(key, known).filter(|_| !is_secret(key));
        let is_free = |near: &&str| table.get(*near).is_none_or(|present| present.span() == NOWHERE);
        let (message, help) = words::unknown_key(path, key, value.get_ref(), known, nearest);
        let span = written.span();
        if let Some(near) = nearest.filter(is_free) {
            let default = table.remove(near);
            let mut value = value;
            if let (DeValue::Table(own), Some(DeValue::Table(default))) =
                (value.get_mut(), default.map(Spanned::into_inner))
            {
                complete(own, default);
            }
            table.insert(Spanned::new(span.clone(), DeString::Borrowed(near)), value);
        } else if let Some(place) = secret_place(key, known)
            && let Ok(stand_in) = DeValue::parse("'STAND_IN'")
        {
            table
                .insert(Spanned::new(NOWHERE, DeString::Borrowed(place)), Spanned::new(NOWHERE, stand_in.into_inner()));
        } else {
            self.spoiled.insert(path.clone());
        }
        self.record(Some(span), message, help);
        true
    }

    fn missing_key(&mut self, path: Path, key: &'static str) -> bool {
        let own: Path = path.iter().cloned().chain([Step::Key(key.to_owned())]).collect();
        if !self.taken.contains(&own) {
            let span = self.span(&path);
            let (message, help) = words::missing_key(&path, key, span.is_some());
            self.record(span, message, help);
        }
        self.taken.insert(own);
        let Some(stand_in) = form::stand_in(&path, key) else { return self.take_out(path) };
        let Ok(value) = DeValue::parse(stand_in) else { return false };
        let Some(table) = table_at(&mut self.table, &path) else { return false };
        table.insert(Spanned::new(NOWHERE, DeString::Borrowed(key)), Spanned::new(NOWHERE, value.into_inner()));
        true
    }

    fn wrong_kind(&mut self, path: Path, given: &str, expected: &str) -> bool {
        let form = form::at(&self.defaults, &path);
        let Some(value) = value_at(&mut self.table, &path) else { return false };
        let span = value.span();
        let is_several = form::is_list_of_sections(&path);
        match value.get_mut() {
            // `[client]` for `[[client]]`.
            DeValue::Table(_) if is_several => {
                let table = std::mem::replace(value, Spanned::new(NOWHERE, DeValue::Boolean(false)));
                let mut list = DeArray::new();
                list.push(table);
                *value = Spanned::new(span.clone(), DeValue::Array(list));
            }
            // `[[upstream]]` for `[upstream]`.
            DeValue::Array(list)
                if path.len() == 1 && matches!(list.first().map(Spanned::get_ref), Some(DeValue::Table(_))) =>
            {
                let first = std::mem::replace(list, DeArray::new()).into_iter().next();
                let Some(mut first) = first else { return false };
                let default = value_at(&mut self.defaults, &path).map(|default| default.get_ref().clone());
                if let (DeValue::Table(own), Some(DeValue::Table(default))) = (first.get_mut(), default) {
                    complete(own, default);
                }
                let Some(value) = value_at(&mut self.table, &path) else { return false };
                let span = first.span();
                *value = first;
                let (message, help) = words::brackets(&path, false);
                self.record(Some(span), message, help);
                return true;
            }
            _ => {
                let (message, help) = words::wrong_kind(&path, given, expected, form.as_ref());
                self.record(self.span(&path), message, help);
                return self.take_out(path);
            }
        }
        let (message, help) = words::brackets(&path, true);
        self.record(Some(span), message, help);
        true
    }

    fn refused(&mut self, path: Path, why: &str) -> bool {
        let is_table = value_at(&mut self.table, &path).is_some_and(|value| value.get_ref().is_table());
        // What a whole section is refused for may be what was taken out of it.
        if !(is_table && self.spoiled.contains(&path)) {
            let form = form::at(&self.defaults, &path);
            let (message, help) = words::refused(&path, why, form.as_ref());
            let span = self.named_key(&path, why).or_else(|| self.span(&path));
            self.record(span, message, help);
        }
        self.take_out(path)
    }

    /// The place of the key of the section that the words name first. It is for the eye alone.
    fn named_key(&mut self, path: &Path, words: &str) -> Option<Range<usize>> {
        let table = table_at(&mut self.table, path)?;
        let mut named = words.split('`').skip(1).step_by(2);
        named.find_map(|key| table.get_key_value(key)).map(|(key, _)| key.span()).filter(|span| *span != NOWHERE)
    }

    /// Puts the default into the place of a value, or nothing. Of an entry of a list that lacks something now, nothing is left.
    fn take_out(&mut self, path: Path) -> bool {
        (1..path.len()).for_each(|most| {
            self.spoiled.insert(path.iter().take(most).cloned().collect());
        });
        if let Some(default) = value_at(&mut self.defaults, &path).map(|default| unplaced(default.get_ref().clone()))
            && let Some(value) = value_at(&mut self.table, &path)
        {
            self.taken.insert(path);
            *value = Spanned::new(NOWHERE, default);
            return true;
        }
        let Some((last, parent)) = path.split_last() else { return false };
        let parent = parent.to_vec();
        let is_out = match last {
            Step::Key(key) => {
                table_at(&mut self.table, &parent).is_some_and(|table| table.remove(key.as_str()).is_some())
            }
            Step::Index(place) => match value_at(&mut self.table, &parent).map(Spanned::get_mut) {
                Some(DeValue::Array(list)) => {
                    let all = std::mem::replace(list, DeArray::new()).into_iter().enumerate();
                    all.filter(|(at, _)| at != place).for_each(|(_, value)| list.push(value));
                    for known in [&mut self.taken, &mut self.spoiled] {
                        *known = known.drain().filter_map(|path| moved_up(path, &parent, *place)).collect();
                    }
                    self.taken.insert(parent);
                    return true;
                }
                _ => false,
            },
        };
        self.taken.insert(path);
        is_out
    }

    /// Numbers without a unit where the default has one.
    fn bare_numbers(&mut self, defaults: &DeTable<'static>, within: &Path) {
        for (key, default) in defaults {
            let path: Path = within.iter().cloned().chain([Step::Key(key.get_ref().to_string())]).collect();
            match default.get_ref() {
                DeValue::Table(section) => self.bare_numbers(section, &path),
                _ => {
                    let form = form::at(&self.defaults, &path).filter(form::Form::has_unit);
                    let number = value_at(&mut self.table, &path).map(|value| value.get_ref().clone());
                    if let (Some(form), Some(DeValue::Integer(number))) = (form, number)
                        && number.as_str() != "0"
                    {
                        let (message, help) = words::no_unit(&path, &number.to_string(), &form);
                        self.record(self.span(&path), message, help);
                        self.take_out(path);
                    }
                }
            }
        }
    }

    fn faults(&mut self, faults: Faults) {
        for fault in faults.into_iter() {
            if fault.paths.iter().any(|path| self.taken.contains(path)) {
                continue;
            }
            let span = fault.paths.iter().find_map(|path| self.own_span(path));
            let span = span.or_else(|| fault.paths.first().and_then(|path| self.span(path)));
            self.record(span, fault.message, Vec::new());
        }
    }

    /// Where a value is in the file, or else the section that it would be in.
    fn span(&self, path: &[Step]) -> Option<Range<usize>> {
        (1..=path.len()).rev().find_map(|most| self.own_span(path.get(..most)?))
    }

    fn own_span(&self, path: &[Step]) -> Option<Range<usize>> {
        let (first, rest) = path.split_first()?;
        let Step::Key(first) = first else { return None };
        let mut value = self.table.get(first.as_str())?;
        for step in rest {
            value = match (step, value.get_ref()) {
                (Step::Key(key), DeValue::Table(table)) => table.get(key.as_str())?,
                (Step::Index(place), DeValue::Array(list)) => list.get(*place)?,
                _ => return None,
            };
        }
        Some(value.span()).filter(|span| *span != NOWHERE)
    }
}

/// A path when an element before it has been taken out of its list; none where it is in that element.
fn moved_up(mut path: Path, list: &[Step], taken: usize) -> Option<Path> {
    if path.starts_with(list)
        && let Some(Step::Index(place)) = path.get_mut(list.len())
    {
        match (*place).cmp(&taken) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => *place -= 1,
        }
    }
    Some(path)
}

/// The key that names the variable of a secret which stands in the file itself.
fn secret_place(key: &str, known: &[&'static str]) -> Option<&'static str> {
    known.iter().find(|known| known.strip_suffix("_env") == Some(key)).copied()
}

/// The place of what is not in the file: the defaults, and what stands in.
const NOWHERE: Range<usize> = 0..0;

/// Adds the defaults that `table` lacks. The table keeps its spans, so that mistakes still name the user's lines.
fn complete<'t>(table: &mut DeTable<'t>, defaults: DeTable<'t>) {
    for (key, default) in defaults {
        match (table.get_mut(&key).map(Spanned::get_mut), default.get_ref()) {
            (Some(DeValue::Table(section)), DeValue::Table(_)) => {
                if let DeValue::Table(default) = default.into_inner() {
                    complete(section, default);
                }
            }
            (Some(_), _) => {}
            (None, _) => {
                let default = unplaced(default.into_inner());
                table.insert(Spanned::new(NOWHERE, key.into_inner()), Spanned::new(NOWHERE, default));
            }
        }
    }
}

/// A default without its place in a file that the user does not see.
fn unplaced(default: DeValue<'_>) -> DeValue<'_> {
    match default {
        DeValue::Table(inner) => {
            let mut section = DeTable::new();
            complete(&mut section, inner);
            DeValue::Table(section)
        }
        other => other,
    }
}

fn value_at<'a, 'i>(root: &'a mut DeTable<'i>, path: &[Step]) -> Option<&'a mut Spanned<DeValue<'i>>> {
    let (first, rest) = path.split_first()?;
    let Step::Key(first) = first else { return None };
    let mut value = root.get_mut(first.as_str())?;
    for step in rest {
        value = match (step, value.get_mut()) {
            (Step::Key(key), DeValue::Table(table)) => table.get_mut(key.as_str())?,
            (Step::Index(place), DeValue::Array(list)) => list.get_mut(*place)?,
            _ => return None,
        };
    }
    Some(value)
}

fn table_at<'a, 'i>(root: &'a mut DeTable<'i>, path: &[Step]) -> Option<&'a mut DeTable<'i>> {
    if path.is_empty() {
        return Some(root);
    }
    match value_at(root, path)?.get_mut() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// The spans of values that may be secrets.
fn hidden(table: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Table(inner) => spans.extend(hidden(inner)),
            DeValue::Array(list) => {
                spans.extend(list.iter().filter_map(|value| value.get_ref().as_table()).flat_map(hidden));
            }
            _ if is_secret(key.get_ref()) => spans.push(value.span()),
            _ => {}
        }
    }
    spans
}
