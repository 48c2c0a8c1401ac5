//! A payload, understood: every field's value as Odoo will take it, except for the lookups that are still open.
//!
//! Reading is pure: schemas in, a draft and its questions out. A value that is no use is refused here, with its path,
//! before anything is asked of Odoo.

use serde_json::{Map, Value, json};

use super::{
    Error, Warnings, commands, content,
    files::{self, File},
    joins::names_a_record,
    kind_of,
    known::{Known, Seen},
    lookup::{Filter, Lookup, Questions, Unasked},
    names,
    steps::Below,
    touched::denied,
};
use crate::{
    config::LookupKeys,
    errors::Code,
    odoo::{Bond, Field, Kept, Kind},
    policy::Touch,
};

/// One record to be, with its lookups open.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Draft {
    pub(super) fields: Vec<(String, Slot)>,
    /// Files of a record whose model has no field that takes them.
    pub(super) files: Vec<File>,
    /// The fields by which it joins a record that is a part of it (`_inherits`).
    pub(super) parts: Vec<String>,
    /// Fields that Odoo computes in a new record, whatever is sent: each with its place.
    pub(super) computed: Vec<(String, String)>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Slot {
    /// As it goes to Odoo.
    Plain(Value),
    /// A many2one, looked up.
    One { question: usize, path: String },
    /// A many2many, looked up.
    Many { mode: Mode, records: Vec<Linked>, path: String },
    /// A one2many: its lines, and the model they are of.
    Lines { model: String, inverse: Option<String>, lines: Vec<Draft> },
    /// Odoo's own commands, some of which make records: `inverse` is there where they are lines. What they make may join
    /// records that are there.
    Commands { model: String, inverse: Option<String>, commands: Value, join: bool },
    /// Files in a relation of the model itself; a many2many of files does not go with its record.
    Files { files: Vec<File>, is_many2many: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Add,
    Replace,
}

/// A record that a many2many is to lead to.
#[derive(Debug, PartialEq)]
pub(super) enum Linked {
    Id(i64),
    Question(usize),
}

impl Draft {
    /// The questions of the record and of its lines, as often as they are asked.
    pub(super) fn questions(&self) -> Vec<usize> {
        let mut questions = Vec::new();
        for (_, slot) in &self.fields {
            match slot {
                Slot::Plain(_) | Slot::Files { .. } | Slot::Commands { .. } => {}
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
    pub(super) fn line_fields(&self) -> Vec<&str> {
        let lines = self.fields.iter().filter(|(_, slot)| matches!(slot, Slot::Lines { .. }));
        lines.map(|(name, _)| name.as_str()).collect()
    }

    /// The fields whose lines an update takes away or makes, with the models of the lines.
    pub(super) fn replaced(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().filter_map(|(name, slot)| match slot {
            Slot::Lines { model, .. } => Some((name.as_str(), model.as_str())),
            _ => None,
        })
    }

    /// The fields that hold lines, at every level.
    pub(super) fn below(&self) -> Vec<Below> {
        let mut below = Vec::new();
        for (field, slot) in &self.fields {
            let (model, inverse, within) = match slot {
                Slot::Lines { model, inverse, lines } if !lines.is_empty() => (model, inverse, lines.as_slice()),
                Slot::Commands { model, inverse: inverse @ Some(_), .. } => (model, inverse, [].as_slice()),
                _ => continue,
            };
            let mut inner = Vec::new();
            within.iter().for_each(|line| merge(&mut inner, line.below()));
            below.push(Below { field: field.clone(), model: model.clone(), inverse: inverse.clone(), within: inner });
        }
        below
    }

    /// Models of which commands may make records that cannot be told from those they link, at every level.
    pub(super) fn unseen(&self) -> Vec<String> {
        let mut unseen = Vec::new();
        for (_, slot) in &self.fields {
            match slot {
                Slot::Commands { model, inverse: None, .. } => unseen.push(model.clone()),
                Slot::Files { is_many2many: true, .. } => unseen.push(files::MODEL.to_owned()),
                Slot::Lines { lines, .. } => unseen.extend(lines.iter().flat_map(Self::unseen)),
                _ => {}
            }
        }
        unseen.sort_unstable();
        unseen.dedup();
        unseen
    }

    /// The one2many fields of the record whose lines have files: name, model and inverse.
    pub(super) fn fields_with_files(&self) -> Vec<(&str, &str, Option<&str>)> {
        let with_files = self.fields.iter().filter_map(|(name, slot)| match slot {
            Slot::Lines { model, inverse, lines } if lines.iter().any(Self::has_loose_files) => {
                Some((name.as_str(), model.as_str(), inverse.as_deref()))
            }
            _ => None,
        });
        with_files.collect()
    }

    /// The record or one of its lines has files that no field of its own takes.
    pub(super) fn has_loose_files(&self) -> bool {
        let in_lines =
            |slot: &Slot| matches!(slot, Slot::Lines { lines, .. } if lines.iter().any(Self::has_loose_files));
        !self.files.is_empty() || self.fields.iter().any(|(_, slot)| in_lines(slot))
    }
}

/// Lines of one field differ in what they hold; what is looked for is all of it.
fn merge(into: &mut Vec<Below>, more: Vec<Below>) {
    for below in more {
        match into.iter_mut().find(|known| known.field == below.field) {
            Some(known) => merge(&mut known.within, below.within),
            None => into.push(below),
        }
    }
}

/// Reads payloads of one call.
pub(super) struct Reader<'a> {
    pub(super) known: &'a Known<'a>,
    pub(super) filter: Filter<'a>,
    pub(super) questions: Questions,
    pub(super) warnings: &'a mut Warnings,
}

/// A relational field in a payload: its name, where it leads, where it stands, and where its lookups look.
#[derive(Clone, Copy)]
struct Relation<'p> {
    field: &'p str,
    model: &'p str,
    inverse: Option<&'p str>,
    path: &'p str,
    company: Option<i64>,
}

impl Relation<'_> {
    fn commands(&self, known: &Known<'_>, commands: Value) -> Slot {
        let join = known.commands_join(self.model, &commands);
        Slot::Commands { model: self.model.to_owned(), inverse: self.inverse.map(str::to_owned), commands, join }
    }
}

impl Reader<'_> {
    /// Reads one record of `model` that stands at `path`; `company` is where its lookups look.
    pub(super) fn read(
        &mut self,
        model: &str,
        payload: &Map<String, Value>,
        path: &str,
        company: Option<i64>,
    ) -> Result<Draft, Error> {
        let mut draft = Draft::default();
        let Some(seen) = self.known.model(model).map_err(denied(path))? else { return Ok(draft) };
        names::check_keys(payload, path)?;
        self.known.attached(seen, payload, path)?;
        let company = payload.get("company_id").and_then(Value::as_i64).or(company);
        for (name, value) in payload {
            let path = format!("{path}.{name}");
            let own = content::name_in(seen, name);
            if own != name && payload.contains_key(own) {
                return Err(content::given_twice(&path));
            }
            let name = own;
            let field = seen.write(name).map_err(denied(&path))?;
            if name == files::FIELD && files::are_loose(field, value) {
                draft.files = self.files(value, &path)?;
                continue;
            }
            if let Some(slot) = self.slot(seen, name, field, value, path.clone(), company)? {
                if field.is_some_and(|field| field.bond == Bond::Part) && names_a_record(value) {
                    draft.parts.push(name.to_owned());
                }
                self.note_kept(seen, name, &slot, path, &mut draft)?;
                draft.fields.push((name.to_owned(), slot));
            }
        }
        Ok(draft)
    }

    /// Says what Odoo would drop in silence. It is sent all the same: a model's own `create` or `write` may look at it.
    fn note_kept(
        &mut self,
        seen: Seen<'_>,
        name: &str,
        slot: &Slot,
        path: String,
        draft: &mut Draft,
    ) -> Result<(), Error> {
        match seen.kept(name) {
            Kept::Yes => {}
            Kept::UntilComputed => draft.computed.push((name.to_owned(), path)),
            // Odoo changes records by such a field, though it links none.
            Kept::No if matches!(slot, Slot::Commands { commands, .. } if commands::change_records(commands)) => {}
            Kept::No => self.warnings.note_unwritten(seen.name(), name, &path)?,
        }
        Ok(())
    }

    /// Files become records of a model of their own.
    fn files(&mut self, value: &Value, path: &str) -> Result<Vec<File>, Error> {
        // They are made before the record that they belong to, so nothing shows what they will be.
        self.known.policy().decide(Touch::Unchecked(files::MODEL)).map_err(denied(path))?;
        let Some(attachments) = self.known.model(files::MODEL).map_err(denied(path))? else { return Ok(Vec::new()) };
        let content = content::name_in(attachments, content::DATAS);
        for field in ["name", content, "res_model", "res_id"] {
            attachments.write(field).map_err(denied(path))?;
        }
        files::read(value, path, content, self.warnings)
    }

    fn slot(
        &mut self,
        seen: Seen<'_>,
        name: &str,
        field: Option<&Field>,
        value: &Value,
        path: String,
        company: Option<i64>,
    ) -> Result<Option<Slot>, Error> {
        let Some(field) = field else {
            let message = format!("the model `{}` has no field `{name}`; `{path}` was left out", seen.name());
            self.warnings.note(Code::UnknownField, path, message)?;
            return Ok(None);
        };
        let inverse = field.inverse.as_deref();
        let to = |model| Relation { field: name, model, inverse, path: &path, company };
        let leads_to_files = name == files::FIELD && field.kind.relation() == Some(files::MODEL);
        let slot = match (&field.kind, value) {
            // Files are added to those that are there, and never replace them.
            (Kind::One2many(_), value) if leads_to_files && !commands::are_commands(value) => {
                Slot::Files { files: self.files(value, &path)?, is_many2many: false }
            }
            (Kind::Many2many(_), value) if leads_to_files && files::are_files(value) => {
                Slot::Files { files: self.files(value, &path)?, is_many2many: true }
            }
            // Lines are not removed by a value that a sender may have meant for "unknown".
            (Kind::One2many(_), Value::Null | Value::Bool(false)) => {
                return Err(wrong(path, "must be a list of lines; an empty one removes those that are there", value));
            }
            // Odoo's own word for nothing is false. Nothing in a relation of many is an empty list of links.
            (Kind::Many2many(model), Value::Null | Value::Bool(false)) => {
                self.known.policy().decide(Touch::Model(model)).map_err(denied(&path))?;
                Slot::Plain(json!([[6, 0, []]]))
            }
            (_, Value::Null) => Slot::Plain(Value::Bool(false)),
            (Kind::Many2one(model), value) => self.many2one(seen, to(model), value)?,
            (Kind::Many2many(model), value) => self.many2many(to(model), value)?,
            (Kind::One2many(model), value) => self.one2many(to(model), value)?,
            (Kind::Reference, Value::String(named)) => {
                self.known.reference(named, &path)?;
                Slot::Plain(value.clone())
            }
            (Kind::Binary, Value::String(_)) => Slot::Plain(content::sent(seen, name, value)),
            (Kind::Free, value) => {
                self.known.properties(seen, name, value, &path)?;
                Slot::Plain(value.clone())
            }
            (_, Value::Array(_) | Value::Object(_)) => return Err(wrong(path, "must be a single value", value)),
            (_, value) => Slot::Plain(value.clone()),
        };
        Ok(Some(slot))
    }

    fn many2one(&mut self, seen: Seen<'_>, to: Relation<'_>, value: &Value) -> Result<Slot, Error> {
        match value {
            Value::Bool(false) => Ok(Slot::Plain(Value::Bool(false))),
            Value::String(text) if text.is_empty() => Ok(Slot::Plain(Value::Bool(false))),
            Value::Number(number) if number.is_i64() => {
                self.known.link(seen, to.field).map_err(denied(to.path))?;
                match self.known.policy().domain(to.model) {
                    None => Ok(Slot::Plain(value.clone())),
                    Some(_) => {
                        Ok(Slot::One { question: self.lookup(to, &by_id(value), false)?, path: to.path.to_owned() })
                    }
                }
            }
            Value::Object(lookup) => {
                Ok(Slot::One { question: self.lookup(to, lookup, false)?, path: to.path.to_owned() })
            }
            _ => Err(wrong(to.path, "must be an id, a lookup such as {\"name\": \"…\"}, or false", value)),
        }
    }

    fn many2many(&mut self, to: Relation<'_>, value: &Value) -> Result<Slot, Error> {
        const DUE: &str = "must be {\"mode\": \"add\" or \"replace\", \"records\": [{…}]}, a list of ids, or false";
        let path = to.path;
        let lookups = match value {
            Value::Object(lookups) => lookups,
            Value::Array(items) if items.iter().all(Value::is_i64) => {
                self.known.policy().decide(Touch::Model(to.model)).map_err(denied(path))?;
                return match self.known.policy().domain(to.model) {
                    None => Ok(Slot::Plain(json!([[6, 0, items]]))),
                    Some(_) => self.linked(to, Mode::Replace, items, path),
                };
            }
            // Odoo's own commands, for those who write them.
            Value::Array(_) if commands::are_commands(value) => {
                self.known.commands(to.model, value, path)?;
                let commands = self.read_commands(to.model, value.clone(), path)?;
                return Ok(to.commands(self.known, commands));
            }
            _ => return Err(wrong(path, DUE, value)),
        };
        let mode = match lookups.get("mode") {
            None | Some(Value::Null) => Mode::Replace,
            Some(Value::String(mode)) if mode == "replace" => Mode::Replace,
            Some(Value::String(mode)) if mode == "add" => Mode::Add,
            Some(_) => return Err(Error::BadMode { path: path.to_owned(), field: to.field.to_owned() }),
        };
        if let Some(stray) = lookups.keys().find(|key| !matches!(key.as_str(), "mode" | "records")) {
            let message = format!("`{path}.{stray}` was ignored: a many2many takes `mode` and `records`");
            self.warnings.note(Code::UnknownParameter, format!("{path}.{stray}"), message)?;
        }
        let records = match lookups.get("records") {
            Some(Value::Array(records)) => records,
            None => {
                let problem = "must have `records`, a list of lookups; an empty one links nothing".to_owned();
                return Err(Error::WrongKind { path: path.to_owned(), problem });
            }
            Some(other) => return Err(wrong(format!("{path}.records"), "must be a list", other)),
        };
        self.linked(to, mode, records, &format!("{path}.records"))
    }

    /// The records of a many2many. An id is looked up where the caller does not have all records of the model.
    fn linked(&mut self, to: Relation<'_>, mode: Mode, records: &[Value], at: &str) -> Result<Slot, Error> {
        self.known.policy().decide(Touch::Model(to.model)).map_err(denied(to.path))?;
        let is_narrowed = self.known.policy().domain(to.model).is_some();
        let mut linked = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            let path = format!("{at}[{index}]");
            let of_record = Relation { path: &path, ..to };
            linked.push(match record {
                Value::Number(number) if number.is_i64() && !is_narrowed => {
                    Linked::Id(number.as_i64().unwrap_or_default())
                }
                Value::Number(number) if number.is_i64() => {
                    Linked::Question(self.lookup(of_record, &by_id(record), true)?)
                }
                Value::Object(lookup) => Linked::Question(self.lookup(of_record, lookup, true)?),
                other => return Err(wrong(path, "must be a lookup such as {\"name\": \"…\"}, or an id", other)),
            });
        }
        Ok(Slot::Many { mode, records: linked, path: to.path.to_owned() })
    }

    fn one2many(&mut self, to: Relation<'_>, value: &Value) -> Result<Slot, Error> {
        let Value::Array(items) = value else { return Err(wrong(to.path, "must be a list of lines", value)) };
        if commands::are_commands(value) {
            // Odoo's own commands, for those who write them.
            self.known.commands(to.model, value, to.path)?;
            let commands = self.read_commands(to.model, value.clone(), to.path)?;
            return Ok(to.commands(self.known, commands));
        }
        // An empty list removes those that are there.
        self.known.policy().decide(Touch::Model(to.model)).map_err(denied(to.path))?;
        let mut lines = Vec::with_capacity(items.len());
        for (index, line) in items.iter().enumerate() {
            let path = format!("{}[{index}]", to.path);
            let Value::Object(line) = line else { return Err(wrong(path, "must be an object: one line", line)) };
            lines.push(self.read(to.model, line, &path, to.company)?);
        }
        Ok(Slot::Lines { model: to.model.to_owned(), inverse: to.inverse.map(str::to_owned), lines })
    }

    /// Notes the question that a lookup asks. All keys must match; with `lookup_keys = "first"` the others are ignored, and
    /// said.
    fn lookup(&mut self, to: Relation<'_>, lookup: &Map<String, Value>, is_for_many: bool) -> Result<usize, Error> {
        let Relation { field, model, path, company, .. } = to;
        names::check_keys(lookup, path)?;
        let mut keys: Vec<(&str, &Value)> = lookup.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let Some(&(first, _)) = keys.first() else {
            let problem = "must name a field to look up by, such as {\"name\": \"…\"}".to_owned();
            return Err(Error::WrongKind { path: path.to_owned(), problem });
        };
        if self.filter.keys == LookupKeys::First {
            for (ignored, _) in keys.drain(1..) {
                let message = format!("`{path}` is looked up by `{first}` alone; `{ignored}` was ignored");
                self.warnings.note(Code::LookupKeyIgnored, format!("{path}.{ignored}"), message)?;
            }
        }
        for (key, value) in &keys {
            if value.is_array() || value.is_object() || value.is_null() {
                return Err(wrong(format!("{path}.{key}"), "must be a single value to look up by", value));
            }
            self.known.condition(model, key, "=", value, path)?;
        }
        let lookup = Lookup { field, is_for_many, model, keys, company };
        self.questions.add(self.known, self.filter, lookup).map_err(|problem| match problem {
            Unasked::Denied(source) => denied(path)(source),
            Unasked::NoField(lookup) => Error::UnknownLookupField {
                path: path.to_owned(),
                field: field.to_owned(),
                model: model.to_owned(),
                lookup,
            },
        })
    }
}

fn by_id(id: &Value) -> Map<String, Value> {
    Map::from_iter([("id".to_owned(), id.clone())])
}

fn wrong(path: impl Into<String>, due: &str, value: &Value) -> Error {
    Error::WrongKind { path: path.into(), problem: format!("{due}, not {}", kind_of(value)) }
}
