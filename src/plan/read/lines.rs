//! The lines of a one2many in a payload: a list, or `{"mode", "key", "records"}`.
//!
//! A line is read like any record. Beside its values stands what lines that are there already are compared by: the policy must
//! let a field be read for that, so a field that may be written alone never makes two lines equal.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    Reader,
    draft::{Comparison, Draft, Line, Lines, LinesMode, Slot},
    form::are_commands,
    relations::Relation,
};
use crate::{
    odoo::{Field, Kept, Kind},
    plan::{
        Error, WarningCode,
        hints::Unknown,
        name_limits,
        policy_check::denied,
        schema_view::ModelView,
        value,
        wording::{kind_of, wrong},
    },
    policy::Touch,
};

/// The modes, for a sentence.
const MODES: &str = "\"merge\", \"add\", \"remove\" or \"replace\"";

/// The field by which a line says its place among the lines.
const SEQUENCE: &str = "sequence";

impl Reader<'_> {
    /// Reads the value of a one2many.
    ///
    /// # Errors
    /// The value has another form, or a line cannot be read.
    pub(super) fn one2many(&mut self, to: Relation<'_>, value: &Value) -> Result<Slot, Error> {
        if are_commands(value) {
            return self.commands(to, value);
        }
        // An empty list removes the existing lines.
        self.schemas.policy().decide(Touch::Model(to.model)).map_err(denied(to.path))?;
        match value {
            Value::Array(items) => Ok(self.lines(to, LinesMode::Replace, items, to.path)),
            Value::Object(object) => self.lines_by_mode(to, object),
            _ => Err(wrong(to.path, "a list of lines", value)),
        }
    }

    /// Reads `{"mode": …, "key": …, "records": […]}`.
    fn lines_by_mode(&mut self, to: Relation<'_>, object: &Map<String, Value>) -> Result<Slot, Error> {
        let path = to.path;
        let records = match object.get("records") {
            Some(Value::Array(records)) => records,
            None => {
                let problem = "must be a list of lines, or have them in `records`".to_owned();
                return Err(Error::WrongKind { path: path.to_owned(), problem });
            }
            Some(other) => return Err(wrong(format!("{path}.records"), "a list of lines", other)),
        };
        // Where the mode is wrong, the lines are read nevertheless, for what is wrong with them.
        let mode = self.mode(to, object);
        let mode = self.mistakes.take(mode);
        let is_read = |name: &str| match name {
            "mode" | "records" => true,
            "key" => matches!(mode, None | Some(LinesMode::Merge { .. })),
            _ => false,
        };
        for stray in object.keys().filter(|name| !is_read(name)) {
            let message =
                format!("`{path}.{stray}` was ignored: lines take `mode` and `records`, and `key` with \"merge\"");
            self.warn(WarningCode::UnknownParameter, format!("{path}.{stray}"), message);
        }
        Ok(self.lines(to, mode.unwrap_or(LinesMode::Replace), records, &format!("{path}.records")))
    }

    fn mode(&self, to: Relation<'_>, object: &Map<String, Value>) -> Result<LinesMode, Error> {
        let path = format!("{}.mode", to.path);
        match object.get("mode") {
            None | Some(Value::Null) => Ok(LinesMode::Replace),
            Some(Value::String(mode)) => match mode.as_str() {
                "replace" => Ok(LinesMode::Replace),
                "add" => Ok(LinesMode::Add),
                "remove" => Ok(LinesMode::Remove),
                "merge" => Ok(LinesMode::Merge { key: self.merge_key(to, object.get("key"))? }),
                other => Err(Error::WrongKind { path, problem: format!("must be {MODES}, not \"{other}\"") }),
            },
            Some(other) => Err(wrong(path, MODES, other)),
        }
    }

    /// Reads the names of the fields that lines are merged by.
    fn merge_key(&self, to: Relation<'_>, key: Option<&Value>) -> Result<Vec<String>, Error> {
        let path = format!("{}.key", to.path);
        let due = "the field that lines are merged by, or a list of several";
        let names: Vec<&str> = match key {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names
                .iter()
                .map(|name| name.as_str().ok_or_else(|| wrong(&path, "a list of field names", name)))
                .collect::<Result<_, _>>()?,
            None => return Err(Error::WrongKind { path, problem: format!("is missing: {due}") }),
            Some(other) => return Err(wrong(path, due, other)),
        };
        if names.is_empty() {
            return Err(Error::WrongKind { path, problem: format!("is empty: it must be {due}") });
        }
        for name in &names {
            name_limits::check(name, &path)?;
            self.names_lines(to, name, &path)?;
        }
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        if distinct.len() != names.len() {
            return Err(Error::WrongKind { path, problem: "names a field twice".to_owned() });
        }
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    /// Checks a field by whose value lines are found: it is read, and its value can be compared.
    fn names_lines(&self, to: Relation<'_>, name: &str, path: &str) -> Result<(), Error> {
        let Some(view) = self.schemas.model(to.model).map_err(denied(path))? else { return Ok(()) };
        let Some(field) = view.read(name).map_err(denied(path))? else {
            return Err(Error::UnknownLookupField {
                path: path.to_owned(),
                field: to.field.to_owned(),
                model: to.model.to_owned(),
                lookup: Box::new(Unknown { meant: self.meant(to.model, name), name: name.to_owned() }),
            });
        };
        self.schemas.policy().decide(Touch::Unchecked(to.model)).map_err(denied(path))?;
        let is_single = !matches!(field.kind, Kind::One2many(_) | Kind::Many2many(_) | Kind::Binary);
        if is_single && field.properties.is_none() {
            return Ok(());
        }
        let problem = format!("names `{name}`, which has no single value to find a line by");
        Err(Error::WrongKind { path: path.to_owned(), problem })
    }

    fn lines(&mut self, to: Relation<'_>, mode: LinesMode, items: &[Value], at: &str) -> Slot {
        let mut lines = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = format!("{at}[{index}]");
            let line = match (&mode, item) {
                (LinesMode::Remove, item) => self.removed_line(to, item, path),
                (_, Value::Object(values)) => self.line(to, &mode, values, path),
                (_, other) => Err(wrong(path, "an object: one line", other)),
            };
            lines.extend(self.mistakes.take(line));
        }
        let (model, inverse) = (to.model.to_owned(), to.inverse.map(str::to_owned));
        let has_sequence = self.schemas.schema(to.model).is_some_and(|schema| schema.field(SEQUENCE).is_some());
        let is_ordered = has_sequence && !lines.iter().all(|line| line.slot(SEQUENCE).is_some());
        Slot::Lines(Lines { model, inverse, mode, lines, is_ordered, path: to.path.to_owned() })
    }

    fn line(
        &mut self,
        to: Relation<'_>,
        mode: &LinesMode,
        values: &Map<String, Value>,
        path: String,
    ) -> Result<Line, Error> {
        let id = self.checked_id(to, mode, values, &path);
        let id = self.mistakes.take(id).flatten();
        let draft = if values.contains_key("id") {
            let mut values = values.clone();
            values.shift_remove("id");
            self.read(to.model, &values, &path, to.company)
        } else {
            self.read(to.model, values, &path, to.company)
        };
        let comparisons = match self.schemas.model(to.model).map_err(denied(&path))? {
            // The lines that are there may be outside of what the caller may reach.
            Some(view) if self.schemas.policy().domain(to.model).is_none() => {
                draft.fields.iter().map(|(name, slot)| comparison(view, name, slot)).collect()
            }
            _ => vec![Comparison::Never; draft.fields.len()],
        };
        Ok(Line { id, draft, comparisons, path })
    }

    /// The id of the line that is meant, where the mode lets a line be named like this.
    fn checked_id(
        &self,
        to: Relation<'_>,
        mode: &LinesMode,
        values: &Map<String, Value>,
        path: &str,
    ) -> Result<Option<i64>, Error> {
        let id = line_id(values, path)?;
        if id.is_some() {
            // Before the line is looked at: it may be outside of what the caller may reach.
            let at = format!("{path}.id");
            self.schemas.policy().decide(Touch::Unchecked(to.model)).map_err(denied(&at))?;
        }
        let refused = |path: &str, problem: String| Err(Error::WrongKind { path: path.to_owned(), problem });
        match (mode, id) {
            (LinesMode::Add, Some(_)) => {
                let problem = "names a line that is there, and \"add\" makes new ones".to_owned();
                refused(&format!("{path}.id"), problem)
            }
            (LinesMode::Merge { key }, None) => {
                match key.iter().find(|name| matches!(values.get(*name), Some(Value::Null) | None)) {
                    Some(name) => refused(path, format!("must have `{name}`, which the lines are merged by")),
                    None => Ok(id),
                }
            }
            _ => Ok(id),
        }
    }

    /// Reads what names a line to remove: an id, or values that it has.
    fn removed_line(&mut self, to: Relation<'_>, named: &Value, path: String) -> Result<Line, Error> {
        let named = match (named, value::id(named)) {
            (_, Some(id)) => return Ok(Line { id: Some(id), draft: Draft::default(), comparisons: Vec::new(), path }),
            (Value::Object(named), None) => named,
            (other, None) => return Err(wrong(path, "an id, or values of a line such as {\"name\": \"…\"}", other)),
        };
        name_limits::check_keys(named, &path)?;
        let id = line_id(named, &path)?;
        let mut draft = Draft::default();
        // A record that is not there is on no line: none is made to name one.
        self.questions.create_nothing(true);
        for (name, value) in named.iter().filter(|(name, _)| *name != "id") {
            let slot = self.named_value(to, name, value, format!("{path}.{name}"));
            draft.fields.extend(self.mistakes.take(slot).flatten().map(|slot| (name.clone(), slot)));
        }
        self.questions.create_nothing(false);
        if id.is_none() && named.is_empty() {
            let problem = "must name a line, by `id` or by values that it has".to_owned();
            return Err(Error::WrongKind { path, problem });
        }
        let comparisons = vec![Comparison::ByValue; draft.fields.len()];
        Ok(Line { id, draft, comparisons, path })
    }

    /// Reads a value by which a line to remove is found.
    fn named_value(
        &mut self,
        to: Relation<'_>,
        name: &str,
        value: &Value,
        path: String,
    ) -> Result<Option<Slot>, Error> {
        self.names_lines(to, name, &path)?;
        if value.is_null() {
            return Err(wrong(path, "a value (false where none is meant)", value));
        }
        let schemas = self.schemas;
        let Some(view) = schemas.model(to.model).map_err(denied(&path))? else { return Ok(None) };
        self.slot(view, name, view.read(name).map_err(denied(&path))?, value, path, to.company)
    }
}

/// The id of the line that is meant; none where there is no `id`, or an empty one.
fn line_id(values: &Map<String, Value>, path: &str) -> Result<Option<i64>, Error> {
    match values.get("id") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(None),
        Some(id) => match value::id(id) {
            Some(id) => Ok(Some(id)),
            None => {
                let problem = format!("must be the id of a line in Odoo, not {}", kind_of(id));
                Err(Error::WrongKind { path: format!("{path}.id"), problem })
            }
        },
    }
}

fn comparison(view: ModelView<'_>, name: &str, slot: &Slot) -> Comparison {
    let may_be_read =
        |field: &Field| view.read(name).is_ok() && field.kind != Kind::Binary && field.properties.is_none();
    let Some(Some(_)) = view.write(name).ok().map(|field| field.filter(|field| may_be_read(field))) else {
        return Comparison::Never;
    };
    match (slot, view.kept(name)) {
        (Slot::Files { .. } | Slot::Commands { .. }, _) => Comparison::Never,
        (Slot::Lines(lines), _) if lines.lines.iter().any(Line::is_never_equal) => Comparison::Never,
        (_, Kept::Yes) => Comparison::ByValue,
        (_, Kept::UntilComputed | Kept::No) => Comparison::InEdits,
    }
}
