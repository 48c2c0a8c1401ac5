//! The values of relational fields: ids, lookups, lines, and Odoo's own commands.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{
    Reader,
    draft::{Linked, Mode, Slot},
    form::are_commands,
};
use crate::{
    config::LookupKeys,
    odoo::Kind,
    plan::{
        Error, WarningCode,
        dialect::{self, OldLinks},
        error::Mistakes,
        hints::{Meant, Unknown, meant},
        lookup::{ARCHIVED, Lookup, LookupError, QuestionId, XML_ID, no_id},
        name_limits,
        policy_check::denied,
        schema_view::ModelView,
        value::{self, Use, is_empty_key, lacks_name},
        wording::wrong,
    },
    policy::Touch,
};

/// A relational field in a payload: its name, the model that it leads to, its place, and the company that its lookups
/// search in.
#[derive(Clone, Copy)]
pub(super) struct Relation<'p> {
    pub(super) field: &'p str,
    pub(super) model: &'p str,
    pub(super) inverse: Option<&'p str>,
    pub(super) path: &'p str,
    pub(super) company: Option<i64>,
}

impl Reader<'_> {
    pub(super) fn many2one(&mut self, view: ModelView<'_>, to: Relation<'_>, value: &Value) -> Result<Slot, Error> {
        if let Some(name) = dialect::name(self.filter.dialect, value) {
            return self.by_name(to, name);
        }
        match (value, value::id(value)) {
            (_, Some(id)) => {
                self.schemas.link(view, to.field).map_err(denied(to.path))?;
                match self.schemas.policy().domain(to.model) {
                    None => {
                        self.questions.name_id(to.model, id, to.path);
                        Ok(Slot::Plain(json!(id)))
                    }
                    Some(_) => {
                        Ok(Slot::One { question: self.lookup(to, &by_id(id), false)?, path: to.path.to_owned() })
                    }
                }
            }
            (Value::Object(lookup), None) => {
                Ok(Slot::One { question: self.lookup(to, lookup, false)?, path: to.path.to_owned() })
            }
            _ if is_none(value) => Ok(Slot::Plain(Value::Bool(false))),
            _ => Err(wrong(to.path, "an id, a lookup such as {\"name\": \"…\"}, or false", value)),
        }
    }

    /// A record by its name.
    fn by_name(&mut self, to: Relation<'_>, name: &str) -> Result<Slot, Error> {
        let of = (to.field, to.model, to.company);
        let question = self.questions.add_name(self.schemas, self.filter, of, name).map_err(denied(to.path))?;
        Ok(Slot::One { question, path: to.path.to_owned() })
    }

    /// The records of a many2many in the form of an older version of the addon.
    fn linked_by_old_form(&mut self, to: Relation<'_>, links: &OldLinks<'_>) -> Result<Slot, Error> {
        for ignored in &links.ignored {
            let path = format!("{}.{ignored}", to.path);
            let message = format!("`{}` is looked up by `{}` alone; `{ignored}` was ignored", to.path, links.key);
            self.warn(WarningCode::LookupKeyIgnored, path, message);
        }
        let mode = if links.replaces { Mode::Replace } else { Mode::Add };
        self.linked(to, mode, &links.records(), &format!("{}.{}", to.path, links.key))
    }

    pub(super) fn many2many(&mut self, to: Relation<'_>, value: &Value) -> Result<Slot, Error> {
        const DUE: &str = "{\"mode\": \"add\", \"remove\" or \"replace\", \"records\": [{…}]}, a list of ids, or false";
        let path = to.path;
        let lookups = match value {
            Value::Object(lookups) => lookups,
            Value::Array(items) if items.iter().all(|item| value::id(item).is_some()) => {
                self.schemas.policy().decide(Touch::Model(to.model)).map_err(denied(path))?;
                return match self.schemas.policy().domain(to.model) {
                    None => {
                        let ids: Vec<i64> = items.iter().filter_map(value::id).collect();
                        for (index, id) in ids.iter().enumerate() {
                            self.questions.name_id(to.model, *id, &format!("{path}[{index}]"));
                        }
                        Ok(Slot::Plain(json!([[6, 0, ids]])))
                    }
                    Some(_) => self.linked(to, Mode::Replace, items, path),
                };
            }
            // Odoo's own commands, for callers that write them.
            Value::Array(_) if are_commands(value) => return self.commands(to, value),
            _ => return Err(wrong(path, DUE, value)),
        };
        if let Some(links) = dialect::links(self.filter.dialect, lookups) {
            return self.linked_by_old_form(to, &links);
        }
        let mode = match lookups.get("mode") {
            None | Some(Value::Null) => Ok(Mode::Replace),
            Some(Value::String(mode)) if mode == "replace" => Ok(Mode::Replace),
            Some(Value::String(mode)) if mode == "add" => Ok(Mode::Add),
            Some(Value::String(mode)) if mode == "remove" => Ok(Mode::Remove),
            Some(_) => Err(Error::BadMode { path: path.to_owned(), field: to.field.to_owned() }),
        };
        let mode = self.mistakes.take(mode).unwrap_or(Mode::Replace);
        if let Some(stray) = lookups.keys().find(|key| !matches!(key.as_str(), "mode" | "records")) {
            let message = format!("`{path}.{stray}` was ignored: a many2many takes `mode` and `records`");
            self.warn(WarningCode::UnknownParameter, format!("{path}.{stray}"), message);
        }
        let records = match lookups.get("records") {
            Some(Value::Array(records)) => records,
            None => {
                let problem = "must have `records`, a list of lookups; an empty one links nothing".to_owned();
                return Err(Error::WrongKind { path: path.to_owned(), problem });
            }
            Some(other) => return Err(wrong(format!("{path}.records"), "a list", other)),
        };
        // A record that is not there is not linked: none is made to be unlinked.
        self.questions.create_nothing(mode == Mode::Remove);
        let slot = self.linked(to, mode, records, &format!("{path}.records"));
        self.questions.create_nothing(false);
        slot
    }

    /// Reads the records of a many2many. An id is looked up where the caller may not reach all records of the model.
    fn linked(&mut self, to: Relation<'_>, mode: Mode, records: &[Value], at: &str) -> Result<Slot, Error> {
        self.schemas.policy().decide(Touch::Model(to.model)).map_err(denied(to.path))?;
        let is_narrowed = self.schemas.policy().domain(to.model).is_some();
        let mut linked = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            let path = format!("{at}[{index}]");
            let of_record = Relation { path: &path, ..to };
            let one = match (record, value::id(record)) {
                (_, Some(id)) if !is_narrowed => {
                    self.questions.name_id(to.model, id, &path);
                    Ok(Linked::Id(id))
                }
                (_, Some(id)) => self.lookup(of_record, &by_id(id), true).map(Linked::Question),
                (Value::Object(lookup), None) => self.lookup(of_record, lookup, true).map(Linked::Question),
                (other, None) => Err(wrong(path.clone(), "a lookup such as {\"name\": \"…\"}, or an id", other)),
            };
            // What is wrong keeps its place, by which the others are named.
            linked.push(self.mistakes.take(one).unwrap_or(Linked::Id(0)));
        }
        Ok(Slot::Many { mode, records: linked, path: to.path.to_owned() })
    }

    /// Adds the question that a lookup asks. All keys must match; with `lookup_keys = "first"` the others are ignored
    /// with a warning.
    fn lookup(
        &mut self,
        to: Relation<'_>,
        lookup: &Map<String, Value>,
        is_for_many: bool,
    ) -> Result<QuestionId, Error> {
        let Relation { field, model, path, company, .. } = to;
        name_limits::check_keys(lookup, path)?;
        let mut keys = Vec::new();
        flatten("", lookup, path, &mut keys)?;
        if self.filter.keys == LookupKeys::First {
            let first = keys.iter().position(|(key, _)| key != ARCHIVED).unwrap_or(0);
            let used = keys.get(first).map(|(key, _)| key.clone()).unwrap_or_default();
            let (kept, ignored): (Vec<(String, &Value)>, Vec<_>) =
                keys.into_iter().partition(|(key, _)| *key == used || key == ARCHIVED);
            keys = kept;
            for (ignored, _) in ignored {
                let message = format!("`{path}` is looked up by `{used}` alone; `{ignored}` was ignored");
                self.warn(WarningCode::LookupKeyIgnored, format!("{path}.{ignored}"), message);
            }
        }
        let (mut typed, mut wrong) = (Vec::with_capacity(keys.len()), Mistakes::default());
        for (key, value) in &keys {
            let value = self.key_value(model, key, value, path);
            typed.extend(wrong.take(value).map(|value| (key.as_str(), value)));
        }
        wrong.and(Ok(()))?;
        let keys = typed.iter().map(|(key, value)| (*key, value.as_ref())).collect();
        let lookup = Lookup { field, is_for_many, model, keys, company };
        self.questions.add(self.schemas, self.filter, lookup).map_err(|problem| match problem {
            LookupError::Denied(source) => denied(path)(source),
            LookupError::BadKey(key, problem) => Error::WrongKind { path: format!("{path}.{key}"), problem },
            LookupError::NoKey => no_key(path),
            LookupError::NoField(lookup) => Error::UnknownLookupField {
                path: path.to_owned(),
                field: field.to_owned(),
                model: model.to_owned(),
                lookup: Box::new(Unknown { meant: self.meant(model, &lookup), name: lookup }),
            },
        })
    }

    pub(super) fn meant(&self, model: &str, name: &str) -> Meant {
        self.schemas.model(model).ok().flatten().map(|view| meant(view, name)).unwrap_or_default()
    }

    /// The value of one key of a lookup, as Odoo compares it, after the checks of what the comparison reads.
    fn key_value<'v>(&self, model: &str, key: &str, value: &'v Value, at: &str) -> Result<Cow<'v, Value>, Error> {
        if lacks_name(key) {
            let problem = format!("has {key:?} for a field to look up by; name the field");
            return Err(Error::WrongKind { path: at.to_owned(), problem });
        }
        let path = format!("{at}.{key}");
        if value.is_array() || value.is_object() || value.is_null() {
            return Err(wrong(path, "a single value to look up by", value));
        }
        if is_empty_key(value) {
            let problem =
                "is empty and would stand for any record without a value; send a value, or false where none is meant";
            return Err(Error::WrongKind { path, problem: problem.to_owned() });
        }
        if let ("id", Some(text), None) = (key, value.as_str(), value::id(value)) {
            return Err(Error::WrongKind { path, problem: no_id(text) });
        }
        let view = self.schemas.model(model).map_err(denied(at))?;
        if let Some((first, rest)) = key.split_once('.') {
            // A part of a date or of properties follows a point, too.
            let leads_on =
                |kind: &Kind| kind.relation().is_some() || matches!(kind, Kind::Date | Kind::Datetime | Kind::Free);
            if view.and_then(|view| view.kind(first)).is_some_and(|kind| !leads_on(kind)) {
                let problem =
                    format!("must be a single value to look up by: the field leads to no record that has `{rest}`");
                return Err(Error::WrongKind { path: format!("{at}.{first}"), problem });
            }
        }
        let view = view.filter(|_| !key.contains('.'));
        let field = match view {
            Some(view) => view.read(key).map_err(denied(at))?,
            None => None,
        };
        let value = match field {
            Some(field) => value::converted(field, value, Use::Compare, &path)?,
            None => Cow::Borrowed(value),
        };
        self.schemas.condition(model, key, "=", &value, at)?;
        Ok(value)
    }
}

/// The keys of a lookup, each with its value. A lookup within it is a path: `{"country_id": {"code": "US"}}` is the same
/// as `{"country_id.code": "US"}`.
fn flatten<'l>(
    within: &str,
    lookup: &'l Map<String, Value>,
    path: &str,
    keys: &mut Vec<(String, &'l Value)>,
) -> Result<(), Error> {
    for (key, value) in lookup {
        let key = format!("{within}{key}");
        match value {
            Value::Object(inner) if !inner.is_empty() && key.matches('.').count() < MAX_WITHIN => {
                name_limits::check_keys(inner, path)?;
                if let Some(pseudo) = [XML_ID, ARCHIVED].into_iter().find(|pseudo| inner.contains_key(*pseudo)) {
                    let problem = "can stand beside the keys of the whole lookup alone".to_owned();
                    return Err(Error::WrongKind { path: format!("{path}.{key}.{pseudo}"), problem });
                }
                flatten(&format!("{key}."), inner, path, keys)?;
            }
            Value::Object(_) => return Err(wrong(format!("{path}.{key}"), "a value or a lookup", value)),
            _ => keys.push((key, value)),
        }
    }
    Ok(())
}

/// The maximum number of lookups within one another.
const MAX_WITHIN: usize = 4;

fn no_key(path: &str) -> Error {
    let problem = "must name a field to look up by, such as {\"name\": \"…\"}".to_owned();
    Error::WrongKind { path: path.to_owned(), problem }
}

fn by_id(id: i64) -> Map<String, Value> {
    Map::from_iter([("id".to_owned(), json!(id))])
}

/// Whether the value of a many2one says that there is none: Python takes 0 and an empty text for that.
fn is_none(value: &Value) -> bool {
    *value == Value::Bool(false)
        || value.as_f64() == Some(0.0)
        || value.as_str().is_some_and(|text| matches!(text.trim(), "" | "0"))
}
