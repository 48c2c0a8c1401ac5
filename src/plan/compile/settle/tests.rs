//! Payloads of a made-up model, read and settled without Odoo.

use super::*;
use crate::{
    config::{CompanyFilter, Config, LookupKeys},
    odoo::Schema,
    plan::{lookup::Filter, read::Reader, schema_view::SchemaView, wording::shown},
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

fn schemas() -> SchemaView<'static> {
    let column = |kind: &str| json!({"type": kind, "store": true, "searchable": true});
    let leads = |kind: &str, to: &str| json!({"type": kind, "relation": to, "store": true, "searchable": true});
    assert!(open().is_open());
    SchemaView::of(
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
    let schemas = schemas();
    let mut warnings = Warnings::new(strict);
    let filter = Filter { mode: CompanyFilter::Prefer, skip: &[], keys: LookupKeys::First, ignore_case: &[] };
    let mut reader = Reader { schemas: &schemas, filter, questions: Questions::default(), warnings: &mut warnings };
    let draft = reader.read("order", payload.as_object().unwrap(), "payload", Some(1))?;
    let questions = reader.questions;
    let matches = Matches::of(&questions, |question| {
        let value = shown(&question.value);
        found.iter().find(|(known, _)| *known == value).map_or_else(Vec::new, |(_, ids)| ids.to_vec())
    });
    let old = OldLines::from([("line_ids".to_owned(), vec![8, 9])]);
    let settled = Settler::of_found(&questions, &matches, &mut warnings).settle(
        "order",
        draft,
        &old,
        &Trail::Argument("vals"),
    )?;
    let said =
        warnings.into_vec().into_iter().map(|warning| format!("{} {}", warning.code.code().as_str(), warning.path));
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
    let schemas = schemas();
    let mut warnings = Warnings::new(true);
    let filter = Filter { mode: CompanyFilter::Prefer, skip: &[], keys: LookupKeys::First, ignore_case: &[] };
    let mut reader = Reader { schemas: &schemas, filter, questions: Questions::default(), warnings: &mut warnings };
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
    check_refused(json!({"name": {"a": 1}}), "payload.name", "`payload.name` must be a single value, not an object");
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
