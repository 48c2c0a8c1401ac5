//! From a draft and the answers to its questions to the values that Odoo takes.
//!
//! Pure: what a record is that is still to be made is left as a hole in the values, and files that belong to records which
//! are not there yet are given back with their places.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::LazyLock,
};

use serde_json::{Map, Value, json};

use super::{
    Ambiguous, Error, Warnings,
    draft::{Draft, Linked, Mode, Slot},
    files::File,
    lookup::Questions,
    query::MOST,
    steps::{At, Hole, Line},
};
use crate::errors::Code;

/// The lines that records have before they are replaced, by field.
pub(super) type OldLines = HashMap<String, Vec<i64>>;

/// Settles the drafts of one call, one after another.
pub(super) struct Settler<'a> {
    pub(super) questions: &'a Questions,
    /// The ids found, by the question's number.
    pub(super) found: &'a [Vec<i64>],
    /// Questions that one record answers together: each with the one that it is made for.
    pub(super) same: &'a HashMap<usize, usize>,
    /// Questions whose record an earlier step makes.
    pub(super) made: HashMap<usize, usize>,
    /// Questions whose record is made in the place where it is needed.
    pub(super) inline: BTreeMap<usize, Draft>,
    pub(super) warnings: &'a mut Warnings,
}

/// What a draft comes down to.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) values: Map<String, Value>,
    pub(super) holes: Vec<Hole>,
    /// Files, with the lines that lead to their record.
    pub(super) files: Vec<(Vec<Line>, Vec<File>)>,
}

impl<'a> Settler<'a> {
    /// With nothing to be made.
    pub(super) fn of_found(questions: &'a Questions, found: &'a [Vec<i64>], warnings: &'a mut Warnings) -> Self {
        static NONE: LazyLock<HashMap<usize, usize>> = LazyLock::new(HashMap::new);
        Self { questions, found, same: &NONE, made: HashMap::new(), inline: BTreeMap::new(), warnings }
    }

    /// Settles the draft of one record, whose values will stand at the JSON pointer `at`.
    pub(super) fn settle(&mut self, model: &str, draft: Draft, old: &OldLines, at: &str) -> Result<Settled, Error> {
        let mut settled = Settled::default();
        settled.values = self.record(model, draft, old, at, &mut Vec::new(), &mut settled)?;
        Ok(settled)
    }

    fn record(
        &mut self,
        model: &str,
        draft: Draft,
        old: &OldLines,
        at: &str,
        lines: &mut Vec<Line>,
        settled: &mut Settled,
    ) -> Result<Map<String, Value>, Error> {
        for (field, path) in &draft.computed {
            self.warnings.note_unwritten(model, field, path)?;
        }
        if !draft.files.is_empty() {
            settled.files.push((lines.clone(), draft.files));
        }
        let mut values = Map::with_capacity(draft.fields.len());
        for (name, slot) in draft.fields {
            let at = format!("{at}/{name}");
            let value = match slot {
                Slot::Plain(value) => value,
                Slot::Commands { commands, .. } => commands,
                Slot::One { question, path } => self.one(&name, question, path, at, settled)?,
                Slot::Many { mode, records, path } => self.many(&name, mode, records, &path, &at, settled)?,
                Slot::Files { files, .. } => {
                    files.into_iter().map(|file| new_record(of_model(file.values(), model))).collect()
                }
                Slot::Lines { model, inverse, lines: drafts } => {
                    // Old lines go in the same call that makes the new ones, each by its id: Odoo's command to clear a
                    // one2many would leave lines behind that belong to nothing (Odoo 14-19).
                    let mut commands: Vec<Value> =
                        old.get(&name).into_iter().flatten().map(|id| json!([2, id, 0])).collect();
                    let of = drafts.len();
                    for (index, draft) in drafts.into_iter().enumerate() {
                        let at = format!("{at}/{}/2", commands.len());
                        lines.push(Line {
                            field: name.clone(),
                            model: model.clone(),
                            inverse: inverse.clone(),
                            index,
                            of,
                        });
                        commands.push(new_record(self.record(&model, draft, &OldLines::new(), &at, lines, settled)?));
                        lines.pop();
                    }
                    Value::Array(commands)
                }
            };
            values.insert(name, value);
        }
        Ok(values)
    }

    fn one(
        &self,
        field: &str,
        question: usize,
        path: String,
        at: String,
        settled: &mut Settled,
    ) -> Result<Value, Error> {
        if let Some(&step) = self.made.get(&self.alias(question)) {
            settled.holes.push(Hole { at: At::Argument(at), step, index: 0 });
            return Ok(Value::Null);
        }
        let asked = self.questions.get(question);
        match self.found[question][..] {
            [id] => Ok(json!(id)),
            [] => Err(Error::NoMatch { path, field: field.to_owned(), value: asked.shown() }),
            _ => Err(self.ambiguous(field, question, path)),
        }
    }

    /// As the addon does it: lookups by the same field stand together, and it is an error only where all of them find
    /// nothing. What is not found beside others is left out, and said.
    fn many(
        &mut self,
        field: &str,
        mode: Mode,
        records: Vec<Linked>,
        path: &str,
        at: &str,
        settled: &mut Settled,
    ) -> Result<Value, Error> {
        let mut found_by: HashMap<String, bool> = HashMap::new();
        for record in &records {
            if let Linked::Question(number) = record {
                let is_there = !self.found[*number].is_empty() || self.is_made(*number);
                *found_by.entry(self.questions.get(*number).fields()).or_default() |= is_there;
            }
        }
        // An id, or the step that will give it.
        let mut linked: Vec<Result<i64, usize>> = Vec::with_capacity(records.len());
        let mut made_here = Vec::new();
        for (index, record) in records.into_iter().enumerate() {
            let number = match record {
                Linked::Id(id) => {
                    linked.push(Ok(id));
                    continue;
                }
                Linked::Question(number) => number,
            };
            let question = self.questions.get(number);
            let path = || format!("{path}.records[{index}]");
            if let Some(&step) = self.made.get(&self.alias(number)) {
                linked.push(Err(step));
            } else if let Some(draft) = self.inline.remove(&number) {
                made_here.push((question.model.clone(), draft));
            } else if self.found[number].len() > MOST {
                return Err(self.ambiguous(field, number, path()));
            } else if self.found[number].is_empty() && !self.is_made(number) {
                let value = question.shown();
                if !found_by.get(&question.fields()).copied().unwrap_or_default() {
                    return Err(Error::NoMatch { path: path(), field: field.to_owned(), value });
                }
                self.warnings.note(
                    Code::NoMatch,
                    path(),
                    format!("'{field}': '{value}' found no match and was left out"),
                )?;
            } else {
                linked.extend(self.found[number].iter().map(|id| Ok(*id)));
            }
        }
        let mut seen = HashSet::new();
        linked.retain(|record| seen.insert(*record));
        let id_or_hole = |record: &Result<i64, usize>, at: String, holes: &mut Vec<Hole>| match record {
            Ok(id) => json!(id),
            Err(step) => {
                holes.push(Hole { at: At::Argument(at), step: *step, index: 0 });
                Value::Null
            }
        };
        let records = linked.iter().enumerate();
        let mut commands: Vec<Value> = match mode {
            Mode::Replace => {
                let ids: Vec<Value> = records
                    .map(|(n, record)| id_or_hole(record, format!("{at}/0/2/{n}"), &mut settled.holes))
                    .collect();
                vec![json!([6, 0, ids])]
            }
            Mode::Add => records
                .map(|(n, record)| json!([4, id_or_hole(record, format!("{at}/{n}/1"), &mut settled.holes)]))
                .collect(),
        };
        for (model, draft) in made_here {
            let at = format!("{at}/{}/2", commands.len());
            let values = self.record(&model, draft, &OldLines::new(), &at, &mut Vec::new(), settled)?;
            commands.push(new_record(values));
        }
        Ok(Value::Array(commands))
    }

    fn is_made(&self, question: usize) -> bool {
        self.made.contains_key(&self.alias(question)) || self.inline.contains_key(&question)
    }

    fn alias(&self, question: usize) -> usize {
        self.same.get(&question).copied().unwrap_or(question)
    }

    fn ambiguous(&self, field: &str, question: usize, path: String) -> Error {
        let asked = self.questions.get(question);
        Error::Ambiguous(Box::new(Ambiguous {
            path,
            field: field.to_owned(),
            value: asked.shown(),
            model: asked.model.clone(),
            ids: self.found[question].clone(),
            candidates: Vec::new(),
        }))
    }
}

/// Odoo's command to make a record. The macro `json!` would copy the values.
fn new_record(values: Map<String, Value>) -> Value {
    Value::Array(vec![Value::from(0), Value::from(0), Value::Object(values)])
}

/// An attachment's values, with the model of the record it belongs to: a one2many to files sets the id alone.
fn of_model(mut values: Map<String, Value>, model: &str) -> Map<String, Value> {
    values.insert("res_model".to_owned(), json!(model));
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{CompanyFilter, Config, LookupKeys},
        odoo::Schema,
        plan::{draft::Reader, known::Known, lookup::Filter, shown},
        policy::Policy,
    };

    fn schema(model: &str, fields: Value) -> Schema {
        Schema::new(model, serde_json::from_value(fields).unwrap())
    }

    /// All may be done.
    fn open() -> &'static Policy {
        static OPEN: LazyLock<Policy> = LazyLock::new(|| {
            let text = "[upstream]\nurl = \"http://o\"\ndatabase = \"d\"\n";
            Config::parse(text, "gateway.toml".as_ref()).unwrap().policy.rules.policy
        });
        &OPEN
    }

    fn known() -> Known<'static> {
        let column = |kind: &str| json!({"type": kind, "store": true, "searchable": true});
        let leads = |kind: &str, to: &str| json!({"type": kind, "relation": to, "store": true, "searchable": true});
        assert!(open().is_open());
        Known::of(
            open(),
            [
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
            ],
        )
    }

    /// Reads and settles a payload of `order`; each question is answered by the ids that `found` has under its value.
    fn translate(payload: Value, found: &[(&str, &[i64])], strict: bool) -> Result<(Value, Vec<String>), Error> {
        let known = known();
        let mut warnings = Warnings::new(strict);
        let filter = Filter { mode: CompanyFilter::Prefer, skip: &[], keys: LookupKeys::First };
        let mut reader = Reader { known: &known, filter, questions: Questions::default(), warnings: &mut warnings };
        let draft = reader.read("order", payload.as_object().unwrap(), "payload", Some(1))?;
        let questions = reader.questions;
        let answer = |number: usize| {
            let value = shown(&questions.get(number).value);
            found.iter().find(|(known, _)| *known == value).map(|(_, ids)| ids.to_vec()).unwrap_or_default()
        };
        let found: Vec<Vec<i64>> = (0..questions.iter().count()).map(answer).collect();
        let old = OldLines::from([("line_ids".to_owned(), vec![8, 9])]);
        let settled = Settler::of_found(&questions, &found, &mut warnings).settle("order", draft, &old, "")?;
        let said = warnings.into_vec().into_iter().map(|warning| format!("{} {}", warning.code.as_str(), warning.path));
        Ok((Value::Object(settled.values), said.collect()))
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
        let filter = Filter { mode: CompanyFilter::Prefer, skip: &[], keys: LookupKeys::First };
        let mut reader = Reader { known: &known, filter, questions: Questions::default(), warnings: &mut warnings };
        let lines: Vec<Value> = (0..50).map(|n| json!({"partner_id": {"ref": format!("R{}", n % 3)}})).collect();
        let payload = json!({"partner_id": {"ref": "R0"}, "line_ids": lines});
        reader.read("order", payload.as_object().unwrap(), "payload", Some(1)).unwrap();
        assert_eq!(reader.questions.iter().count(), 3);
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
