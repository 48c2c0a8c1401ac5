//! A payload, understood: every field's value as Odoo will take it, except for the lookups that are still open.
//!
//! Reading a payload is pure: schemas in, a draft and its questions out. So is settling it: answers in, values out. A
//! value that is no use is refused here, with its path, before anything is asked of Odoo.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::{
    Error, Warnings, kind_of,
    known::Known,
    lookup::{Answers, Filter, MOST, Questions},
    shown,
};
use crate::odoo::{Kind, Schema};

/// One record to be, with its lookups open.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Draft {
    fields: Vec<(String, Slot)>,
}

#[derive(Debug, PartialEq)]
enum Slot {
    /// As it goes to Odoo.
    Plain(Value),
    /// A many2one, looked up.
    One { question: usize, path: String },
    /// A many2many, looked up.
    Many { mode: Mode, records: Vec<Linked>, path: String },
    /// A one2many: its lines.
    Lines(Vec<Draft>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Add,
    Replace,
}

/// A record that a many2many is to lead to.
#[derive(Debug, PartialEq)]
enum Linked {
    Id(i64),
    Question(usize),
}

/// Reads payloads of one call.
pub(super) struct Reader<'a> {
    pub(super) known: &'a Known,
    pub(super) filter: Filter<'a>,
    pub(super) questions: Questions,
    pub(super) warnings: &'a mut Warnings,
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
        let mut fields = Vec::with_capacity(payload.len());
        let Some(schema) = self.known.get(model) else { return Ok(Draft { fields }) };
        let company = payload.get("company_id").and_then(Value::as_i64).or(company);
        for (name, value) in payload {
            let path = format!("{path}.{name}");
            if let Some(slot) = self.slot(schema, name, value, path, company)? {
                fields.push((name.clone(), slot));
            }
        }
        Ok(Draft { fields })
    }

    fn slot(
        &mut self,
        schema: &Schema,
        name: &str,
        value: &Value,
        path: String,
        company: Option<i64>,
    ) -> Result<Option<Slot>, Error> {
        let Some(field) = schema.field(name) else {
            let message = format!("the model `{}` has no field `{name}`; `{path}` was left out", schema.model);
            self.warnings.note("unknown_field", path, message)?;
            return Ok(None);
        };
        let slot = match (&field.kind, value) {
            // Odoo's own word for nothing is false. Nothing in a relation of many is an empty list of links.
            (Kind::One2many(_), Value::Null | Value::Bool(false)) => Slot::Lines(Vec::new()),
            (Kind::Many2many(_), Value::Null | Value::Bool(false)) => Slot::Plain(json!([[6, 0, []]])),
            (_, Value::Null) => Slot::Plain(Value::Bool(false)),
            (Kind::Many2one(model), value) => self.many2one(model, name, value, path, company)?,
            (Kind::Many2many(model), value) => self.many2many(model, name, value, path, company)?,
            (Kind::One2many(model), value) => self.one2many(model, value, &path, company)?,
            (Kind::Free, value) => Slot::Plain(value.clone()),
            (_, Value::Array(_) | Value::Object(_)) => return Err(wrong(path, "must be a single value", value)),
            (_, value) => Slot::Plain(value.clone()),
        };
        Ok(Some(slot))
    }

    fn many2one(
        &mut self,
        model: &str,
        field: &str,
        value: &Value,
        path: String,
        company: Option<i64>,
    ) -> Result<Slot, Error> {
        match value {
            Value::Bool(false) => Ok(Slot::Plain(Value::Bool(false))),
            Value::String(text) if text.is_empty() => Ok(Slot::Plain(Value::Bool(false))),
            Value::Number(number) if number.is_i64() => Ok(Slot::Plain(value.clone())),
            Value::Object(lookup) => {
                Ok(Slot::One { question: self.lookup(model, field, lookup, &path, company)?, path })
            }
            _ => Err(wrong(path, "must be an id, a lookup such as {\"name\": \"…\"}, or false", value)),
        }
    }

    fn many2many(
        &mut self,
        model: &str,
        field: &str,
        value: &Value,
        path: String,
        company: Option<i64>,
    ) -> Result<Slot, Error> {
        let lookups = match value {
            Value::Object(lookups) => lookups,
            Value::Array(items) if items.iter().all(Value::is_i64) => return Ok(Slot::Plain(json!([[6, 0, items]]))),
            // Odoo's own commands, for those who write them.
            Value::Array(items) if items.iter().all(Value::is_array) => return Ok(Slot::Plain(value.clone())),
            _ => {
                return Err(wrong(
                    path,
                    "must be {\"mode\": \"add\" or \"replace\", \"records\": [{…}]}, a list of ids, or false",
                    value,
                ));
            }
        };
        let mode = match lookups.get("mode") {
            None | Some(Value::Null) => Mode::Replace,
            Some(Value::String(mode)) if mode == "replace" => Mode::Replace,
            Some(Value::String(mode)) if mode == "add" => Mode::Add,
            Some(_) => return Err(Error::BadMode { path, field: field.to_owned() }),
        };
        if let Some(stray) = lookups.keys().find(|key| !matches!(key.as_str(), "mode" | "records")) {
            let message = format!("`{path}.{stray}` was ignored: a many2many takes `mode` and `records`");
            self.warnings.note("unknown_parameter", format!("{path}.{stray}"), message)?;
        }
        let records = match lookups.get("records") {
            None | Some(Value::Null) => &Vec::new(),
            Some(Value::Array(records)) => records,
            Some(other) => return Err(wrong(format!("{path}.records"), "must be a list", other)),
        };
        let mut linked = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            let path = format!("{path}.records[{index}]");
            linked.push(match record {
                Value::Number(number) if number.is_i64() => Linked::Id(number.as_i64().unwrap_or_default()),
                Value::Object(lookup) => Linked::Question(self.lookup(model, field, lookup, &path, company)?),
                other => return Err(wrong(path, "must be a lookup such as {\"name\": \"…\"}, or an id", other)),
            });
        }
        Ok(Slot::Many { mode, records: linked, path })
    }

    fn one2many(&mut self, model: &str, value: &Value, path: &str, company: Option<i64>) -> Result<Slot, Error> {
        let Value::Array(lines) = value else { return Err(wrong(path.to_owned(), "must be a list of lines", value)) };
        if !lines.is_empty() && lines.iter().all(Value::is_array) {
            // Odoo's own commands, for those who write them.
            return Ok(Slot::Plain(value.clone()));
        }
        let mut drafts = Vec::with_capacity(lines.len());
        for (index, line) in lines.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let Value::Object(line) = line else { return Err(wrong(path, "must be an object: one line", line)) };
            drafts.push(self.read(model, line, &path, company)?);
        }
        Ok(Slot::Lines(drafts))
    }

    /// Notes the question that a lookup asks. The addon looks at the first key only; here the others are said.
    fn lookup(
        &mut self,
        model: &str,
        field: &str,
        lookup: &Map<String, Value>,
        path: &str,
        company: Option<i64>,
    ) -> Result<usize, Error> {
        let mut keys = lookup.iter();
        let Some((key, value)) = keys.next() else {
            return Err(Error::WrongKind {
                path: path.to_owned(),
                problem: "must name a field to look up by, such as {\"name\": \"…\"}".to_owned(),
            });
        };
        if value.is_array() || value.is_object() {
            return Err(wrong(format!("{path}.{key}"), "must be a single value to look up by", value));
        }
        for (ignored, _) in keys {
            let message = format!("`{path}` is looked up by `{key}` alone; `{ignored}` was ignored");
            self.warnings.note("lookup_key_ignored", format!("{path}.{ignored}"), message)?;
        }
        self.questions.add(self.known, self.filter, company, model, key, value).ok_or_else(|| {
            Error::UnknownLookupField {
                path: path.to_owned(),
                field: field.to_owned(),
                model: model.to_owned(),
                lookup: key.clone(),
            }
        })
    }
}

/// The lines that records have before they are replaced, by field.
pub(super) type OldLines = HashMap<String, Vec<i64>>;

/// Turns drafts into values with the answers to their questions.
pub(super) struct Settler<'a> {
    pub(super) questions: &'a Questions,
    pub(super) answers: &'a Answers,
    pub(super) warnings: &'a mut Warnings,
}

impl Settler<'_> {
    /// The values that `create` or `write` takes. Old lines are deleted in the same call that makes the new ones, each by
    /// its id: Odoo's command to clear a one2many would leave lines behind that belong to nothing (Odoo 14-19).
    pub(super) fn settle(&mut self, draft: Draft, old: &OldLines) -> Result<Map<String, Value>, Error> {
        let mut values = Map::with_capacity(draft.fields.len());
        for (name, slot) in draft.fields {
            let value = match slot {
                Slot::Plain(value) => value,
                Slot::One { question, path } => json!(self.one(&name, question, path)?),
                Slot::Many { mode, records, path } => self.many(&name, mode, records, &path)?,
                Slot::Lines(lines) => {
                    let deleted = old.get(&name).into_iter().flatten().map(|id| json!([2, id, 0]));
                    let mut commands: Vec<Value> = deleted.collect();
                    for line in lines {
                        commands.push(json!([0, 0, self.settle(line, &OldLines::new())?]));
                    }
                    Value::Array(commands)
                }
            };
            values.insert(name, value);
        }
        Ok(values)
    }

    fn one(&self, field: &str, question: usize, path: String) -> Result<i64, Error> {
        let value = || shown(&self.questions.get(question).value);
        match self.answers.ids[question][..] {
            [id] => Ok(id),
            [] => Err(Error::NoMatch { path, field: field.to_owned(), value: value() }),
            _ => Err(Error::Ambiguous { path, field: field.to_owned(), value: value() }),
        }
    }

    /// As the addon does it: lookups by the same field stand together, and it is an error only where all of them find
    /// nothing. What is not found beside others is left out, and said.
    fn many(&mut self, field: &str, mode: Mode, records: Vec<Linked>, path: &str) -> Result<Value, Error> {
        let mut found_by: HashMap<&str, bool> = HashMap::new();
        for record in &records {
            if let Linked::Question(question) = record {
                *found_by.entry(&self.questions.get(*question).field).or_default() |=
                    !self.answers.ids[*question].is_empty();
            }
        }
        let mut ids: Vec<i64> = Vec::with_capacity(records.len());
        for (index, record) in records.into_iter().enumerate() {
            let found = match record {
                Linked::Id(id) => vec![id],
                Linked::Question(number) => {
                    let question = self.questions.get(number);
                    let found = self.answers.ids[number].clone();
                    let (path, value) = (format!("{path}.records[{index}]"), shown(&question.value));
                    if found.len() > MOST {
                        return Err(Error::Ambiguous { path, field: field.to_owned(), value });
                    }
                    if found.is_empty() {
                        if !found_by.get(question.field.as_str()).copied().unwrap_or_default() {
                            return Err(Error::NoMatch { path, field: field.to_owned(), value });
                        }
                        self.warnings.note(
                            "no_match",
                            path,
                            format!("'{field}': '{value}' found no match and was left out"),
                        )?;
                    }
                    found
                }
            };
            ids.extend(found);
        }
        let mut seen = HashSet::new();
        ids.retain(|id| seen.insert(*id));
        Ok(match mode {
            Mode::Replace => json!([[6, 0, ids]]),
            Mode::Add => ids.into_iter().map(|id| json!([4, id])).collect(),
        })
    }
}

fn wrong(path: String, due: &str, value: &Value) -> Error {
    Error::WrongKind { path, problem: format!("{due}, not {}", kind_of(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CompanyFilter;

    fn schema(model: &str, fields: Value) -> Schema {
        Schema::new(model, serde_json::from_value(fields).unwrap())
    }

    fn known() -> Known {
        let column = |kind: &str| json!({"type": kind, "store": true, "searchable": true});
        let leads = |kind: &str, to: &str| json!({"type": kind, "relation": to, "store": true, "searchable": true});
        Known::of([
            schema(
                "order",
                json!({
                    "name": column("char"), "total": column("float"), "partner_id": leads("many2one", "partner"),
                    "tag_ids": leads("many2many", "tag"), "line_ids": leads("one2many", "line"), "meta": column("json"),
                    "company_id": leads("many2one", "res.company"),
                }),
            ),
            schema("partner", json!({"ref": column("char"), "company_id": leads("many2one", "res.company")})),
            schema("tag", json!({"name": column("char"), "code": column("char")})),
            schema(
                "line",
                json!({"qty": column("float"), "partner_id": leads("many2one", "partner"), "tag_ids": leads("many2many", "tag")}),
            ),
        ])
    }

    /// Reads and settles a payload of `order`; each question is answered by the ids that `found` has under its value.
    fn translate(payload: Value, found: &[(&str, &[i64])], strict: bool) -> Result<(Value, Vec<String>), Error> {
        let known = known();
        let mut warnings = Warnings::new(strict);
        let filter = Filter { mode: CompanyFilter::Prefer, skip: &[] };
        let mut reader = Reader { known: &known, filter, questions: Questions::default(), warnings: &mut warnings };
        let draft = reader.read("order", payload.as_object().unwrap(), "payload", Some(1))?;
        let questions = reader.questions;
        let answer = |number: usize| {
            let value = shown(&questions.get(number).value);
            found.iter().find(|(known, _)| *known == value).map(|(_, ids)| ids.to_vec()).unwrap_or_default()
        };
        let answers = Answers { ids: (0..questions.len()).map(answer).collect() };
        let old = OldLines::from([("line_ids".to_owned(), vec![8, 9])]);
        let values =
            Settler { questions: &questions, answers: &answers, warnings: &mut warnings }.settle(draft, &old)?;
        Ok((
            Value::Object(values),
            warnings.into_vec().into_iter().map(|warning| format!("{} {}", warning.code, warning.path)).collect(),
        ))
    }

    #[track_caller]
    fn check(payload: Value, found: &[(&str, &[i64])], expected: Value) {
        assert_eq!(translate(payload, found, true).unwrap().0, expected);
    }

    #[track_caller]
    fn check_refused(payload: Value, path: &str, expected: &str) {
        let error = translate(payload, &[], false).unwrap_err();
        assert_eq!((error.path(), error.to_string().as_str()), (Some(path), expected));
    }

    #[test]
    fn plain_values_go_as_they_are_and_null_clears() {
        check(
            json!({"name": "A", "total": 1.5, "meta": {"a": [1]}}),
            &[],
            json!({"name": "A", "total": 1.5, "meta": {"a": [1]}}),
        );
        check(
            json!({"name": null, "partner_id": null, "tag_ids": null}),
            &[],
            json!({"name": false, "partner_id": false, "tag_ids": [[6, 0, []]]}),
        );
        check(json!({"total": 9_007_199_254_740_993_i64}), &[], json!({"total": 9_007_199_254_740_993_i64}));
    }

    #[test]
    fn a_many2one_is_looked_up_or_given_by_id() {
        check(json!({"partner_id": {"ref": "R1"}}), &[("R1", &[7])], json!({"partner_id": 7}));
        check(json!({"partner_id": 7}), &[], json!({"partner_id": 7}));
    }

    #[test]
    fn a_many2many_is_replaced_or_added_to_and_takes_ids_and_odoos_own_commands() {
        let found: &[(&str, &[i64])] = &[("a", &[1]), ("b", &[2, 3])];
        check(
            json!({"tag_ids": {"records": [{"name": "a"}, {"name": "b"}, 1]}}),
            found,
            json!({"tag_ids": [[6, 0, [1, 2, 3]]]}),
        );
        check(
            json!({"tag_ids": {"mode": "add", "records": [{"code": "a"}, 5]}}),
            found,
            json!({"tag_ids": [[4, 1], [4, 5]]}),
        );
        check(json!({"tag_ids": [4, 5]}), &[], json!({"tag_ids": [[6, 0, [4, 5]]]}));
        check(json!({"tag_ids": [[3, 4]]}), &[], json!({"tag_ids": [[3, 4]]}));
    }

    #[test]
    fn new_lines_replace_the_old_ones_each_by_its_id() {
        check(
            json!({"line_ids": [{"qty": 2, "partner_id": {"ref": "R1"}}]}),
            &[("R1", &[7])],
            json!({"line_ids": [[2, 8, 0], [2, 9, 0], [0, 0, {"qty": 2, "partner_id": 7}]]}),
        );
        check(json!({"line_ids": []}), &[], json!({"line_ids": [[2, 8, 0], [2, 9, 0]]}));
        check(json!({"line_ids": [[1, 8, {"qty": 3}]]}), &[], json!({"line_ids": [[1, 8, {"qty": 3}]]}));
    }

    #[test]
    fn the_same_lookup_in_many_lines_is_one_question() {
        let known = known();
        let mut warnings = Warnings::new(true);
        let filter = Filter { mode: CompanyFilter::Prefer, skip: &[] };
        let mut reader = Reader { known: &known, filter, questions: Questions::default(), warnings: &mut warnings };
        let lines: Vec<Value> = (0..50).map(|n| json!({"partner_id": {"ref": format!("R{}", n % 3)}})).collect();
        let payload = json!({"partner_id": {"ref": "R0"}, "line_ids": lines});
        reader.read("order", payload.as_object().unwrap(), "payload", Some(1)).unwrap();
        assert_eq!(reader.questions.len(), 3);
    }

    #[test]
    fn what_is_left_out_is_said_and_is_an_error_where_strict() {
        let payload = json!({"nmae": "A", "tag_ids": {"records": [{"name": "a"}, {"name": "gone"}]}, "partner_id": {"ref": "R1", "name": "x"}});
        let found: &[(&str, &[i64])] = &[("a", &[1]), ("R1", &[7])];
        let (values, warnings) = translate(payload.clone(), found, false).unwrap();
        assert_eq!(values, json!({"tag_ids": [[6, 0, [1]]], "partner_id": 7}));
        assert_eq!(
            warnings,
            [
                "unknown_field payload.nmae",
                "lookup_key_ignored payload.partner_id.name",
                "no_match payload.tag_ids.records[1]"
            ]
        );
        assert!(matches!(translate(payload, found, true).unwrap_err(), Error::Strict(_)));
    }

    #[test]
    fn a_lookup_without_one_match_is_refused_where_it_stands() {
        let line = |reference: &str| json!({"line_ids": [{"qty": 1}, {"partner_id": {"ref": reference}}]});
        check_refused(line("Q9"), "payload.line_ids[1].partner_id", "'partner_id': 'Q9' found no match.");
        let twice = translate(line("D"), &[("D", &[1, 2])], false).unwrap_err();
        assert_eq!(twice.to_string(), "'partner_id': 'D' matched more than 1 record");
        check_refused(
            json!({"tag_ids": {"records": [{"name": "x"}]}}),
            "payload.tag_ids.records[0]",
            "'tag_ids': 'x' found no match.",
        );
    }

    #[test]
    fn values_of_the_wrong_kind_are_refused_where_they_stand() {
        check_refused(
            json!({"name": {"a": 1}}),
            "payload.name",
            "`payload.name` must be a single value, not an object",
        );
        check_refused(
            json!({"line_ids": {"qty": 1}}),
            "payload.line_ids",
            "`payload.line_ids` must be a list of lines, not an object",
        );
        check_refused(
            json!({"line_ids": [1]}),
            "payload.line_ids[0]",
            "`payload.line_ids[0]` must be an object: one line, not a number",
        );
        check_refused(
            json!({"partner_id": "Azure"}),
            "payload.partner_id",
            "`payload.partner_id` must be an id, a lookup such as {\"name\": \"…\"}, or false, not a text",
        );
        check_refused(
            json!({"partner_id": {"ref": ["a"]}}),
            "payload.partner_id.ref",
            "`payload.partner_id.ref` must be a single value to look up by, not a list",
        );
        check_refused(
            json!({"partner_id": {}}),
            "payload.partner_id",
            "`payload.partner_id` must name a field to look up by, such as {\"name\": \"…\"}",
        );
        check_refused(
            json!({"tag_ids": {"mode": "upsert"}}),
            "payload.tag_ids",
            "many2many field 'tag_ids': 'mode' must be 'add' or 'replace'",
        );
        check_refused(
            json!({"partner_id": {"no_such": 1}}),
            "payload.partner_id",
            "'partner_id': the model `partner` has no field `no_such` to look up by",
        );
    }
}
