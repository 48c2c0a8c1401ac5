//! Payloads of a made-up model, read and settled without Odoo.

use super::*;
use crate::{
    config::{CompanyFilter, Config, Dialect, LookupKeys},
    odoo::Schema,
    plan::{
        error::Mistakes, lookup::Filter, positions::position, read::Reader, schema_view::SchemaView, wording::shown,
    },
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
                json!({"id": column("integer"), "qty": column("float"), "partner_id": leads("many2one", "partner"), "tag_ids": leads("many2many", "tag")}),
            ),
        ],
    )
}

/// Reads and settles a payload of `order`; each question is answered by the ids that `found` has under its value.
fn translate(payload: Value, found: &[(&str, &[i64])], strict: bool) -> Result<(Value, Vec<String>), Error> {
    let schemas = schemas();
    let mut warnings = Warnings::new(strict);
    let filter = Filter {
        mode: CompanyFilter::Prefer,
        skip: &[],
        keys: LookupKeys::First,
        ignore_case: &[],
        dialect: Dialect::Current,
    };
    let (questions, mut mistakes) = (Questions::default(), Mistakes::default());
    let mut reader = Reader { schemas: &schemas, filter, questions, warnings: &mut warnings, mistakes: &mut mistakes };
    let draft = reader.read("order", payload.as_object().unwrap(), "payload", Some(1));
    let questions = reader.questions;
    mistakes.and(Ok(()))?;
    let matches = Matches::of(&questions, |question| {
        let value = shown(&question.value);
        found.iter().find(|(known, _)| *known == value).map_or_else(Vec::new, |(_, ids)| ids.to_vec())
    });
    let old = |id: i64, values: Value| OldRecord {
        id,
        values: values.as_object().cloned().unwrap_or_default(),
        lines: BTreeMap::new(),
    };
    let lines = vec![
        old(8, json!({"qty": 1.0, "partner_id": 5, "tag_ids": [1, 2]})),
        old(9, json!({"qty": 2.0, "partner_id": [6, "Six"], "tag_ids": []})),
    ];
    let order = OldRecord { lines: BTreeMap::from([("line_ids".to_owned(), lines)]), ..old(1, json!({})) };
    let settled = Settler::of_found(&questions, &matches, &mut warnings).settle(
        "order",
        draft,
        Some(&[order]),
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
    check(json!({"tag_ids": [[3, 4]]}), &[], json!({"tag_ids": [[3, 4, 0]]}));
    check(
        json!({"tag_ids": {"mode": "remove", "records": [{"name": "b"}, 5]}}),
        found,
        json!({"tag_ids": [[3, 2], [3, 3], [3, 5]]}),
    );
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
fn a_line_with_an_id_is_edited_where_it_differs_and_the_others_go() {
    check(
        json!({"line_ids": [{"id": 9, "qty": 2, "partner_id": {"ref": "R1"}}]}),
        &[("R1", &[7])],
        json!({"line_ids": [[2, 8, 0], [1, 9, {"qty": 2, "partner_id": 7}]]}),
    );
    check(json!({"line_ids": [{"id": 9}, {"id": 8, "qty": 1}]}), &[], json!({}));
    check_refused(
        json!({"line_ids": [{"id": 9}, {"id": 7, "qty": 1}]}),
        "payload.line_ids[1].id",
        "'line_ids': 'id = 7' found no match.",
    );
    check_refused(
        json!({"line_ids": [{"id": 9}, {"id": 9, "qty": 1}]}),
        "payload.line_ids[1].id",
        "`payload.line_ids[1].id` is the line 9, which is given twice",
    );
    check_refused(
        json!({"line_ids": [{"id": "L-9"}]}),
        "payload.line_ids[0].id",
        "`payload.line_ids[0].id` must be the id of a line in Odoo, not a text",
    );
}

#[test]
fn lines_that_are_sent_as_they_are_stay_and_the_rest_is_said() {
    let same = json!([{"qty": 2, "partner_id": 6}, {"qty": 1, "tag_ids": [2, 1]}]);
    check(json!({"line_ids": same}), &[], json!({}));
    check(json!({"line_ids": [{"qty": 1, "tag_ids": {"mode": "add", "records": [1]}}, {"qty": 2}]}), &[], json!({}));
    let (values, warnings) = translate(json!({"line_ids": [{"qty": 2}, {"qty": 2}]}), &[], true).unwrap();
    assert_eq!(values, json!({"line_ids": [[2, 8, 0], [0, 0, {"qty": 2}]]}));
    assert_eq!(warnings, ["lines_removed payload.line_ids"]);
}

#[test]
fn lines_are_merged_by_a_key_added_and_removed() {
    let lines =
        |mode: &str, key: Value, records: Value| json!({"line_ids": {"mode": mode, "key": key, "records": records}});
    let merged = json!([{"partner_id": {"ref": "R1"}, "qty": 4}, {"partner_id": 7, "qty": 1}]);
    check(
        lines("merge", json!("partner_id"), merged),
        &[("R1", &[6])],
        json!({"line_ids": [[1, 9, {"qty": 4}], [0, 0, {"partner_id": 7, "qty": 1}]]}),
    );
    check(lines("merge", json!("id"), json!([{"id": 8, "qty": 3}])), &[], json!({"line_ids": [[1, 8, {"qty": 3}]]}));
    check(lines("merge", json!(["partner_id", "qty"]), json!([{"partner_id": 6, "qty": 2}])), &[], json!({}));
    let of = |mode: &str, records: Value| json!({"line_ids": {"mode": mode, "records": records}});
    check(of("add", json!([{"qty": 2}])), &[], json!({"line_ids": [[0, 0, {"qty": 2}]]}));
    check(of("remove", json!([{"partner_id": {"ref": "R1"}}])), &[("R1", &[5])], json!({"line_ids": [[2, 8, 0]]}));
    check(of("remove", json!([9, {"id": 8, "qty": 1}])), &[], json!({"line_ids": [[2, 8, 0], [2, 9, 0]]}));
    let (values, warnings) =
        translate(of("remove", json!([{"qty": 3}, {"partner_id": {"ref": "?"}}, 7])), &[], false).unwrap();
    assert_eq!(values, json!({}));
    assert_eq!(warnings, [0, 1, 2].map(|n| format!("no_match payload.line_ids.records[{n}]")));
}

#[test]
fn lines_that_cannot_be_merged_are_refused_where_they_stand() {
    let merge = |key: Value, records: Value| json!({"line_ids": {"mode": "merge", "key": key, "records": records}});
    check_refused(
        merge(json!("qty"), json!([{"qty": 1}, {"qty": 1.0}])),
        "payload.line_ids.records[1]",
        "`payload.line_ids.records[1]` has the same `qty` as `payload.line_ids.records[0]`: a line is given once",
    );
    check_refused(
        merge(json!("qty"), json!([{"partner_id": 5}])),
        "payload.line_ids.records[0]",
        "`payload.line_ids.records[0]` must have `qty`, which the lines are merged by",
    );
    check_refused(
        merge(json!("no_such"), json!([])),
        "payload.line_ids.key",
        "'line_ids': the model `line` has no field `no_such` to look up by",
    );
    check_refused(
        merge(json!("tag_ids"), json!([])),
        "payload.line_ids.key",
        "`payload.line_ids.key` names `tag_ids`, which has no single value to find a line by",
    );
    check_refused(
        json!({"line_ids": {"mode": "upsert", "records": []}}),
        "payload.line_ids.mode",
        "`payload.line_ids.mode` must be \"merge\", \"add\", \"remove\" or \"replace\", not \"upsert\"",
    );
    check_refused(
        json!({"line_ids": {"mode": "add", "records": [{"id": 8}]}}),
        "payload.line_ids.records[0].id",
        "`payload.line_ids.records[0].id` names a line that is there, and \"add\" makes new ones",
    );
}

#[test]
fn the_same_lookup_in_many_lines_is_one_question() {
    let schemas = schemas();
    let mut warnings = Warnings::new(true);
    let filter = Filter {
        mode: CompanyFilter::Prefer,
        skip: &[],
        keys: LookupKeys::First,
        ignore_case: &[],
        dialect: Dialect::Current,
    };
    let (questions, mut mistakes) = (Questions::default(), Mistakes::default());
    let mut reader = Reader { schemas: &schemas, filter, questions, warnings: &mut warnings, mistakes: &mut mistakes };
    let lines: Vec<Value> = (0..50).map(|n| json!({"partner_id": {"ref": format!("R{}", n % 3)}})).collect();
    let payload = json!({"partner_id": {"ref": "R0"}, "line_ids": lines});
    reader.read("order", payload.as_object().unwrap(), "payload", Some(1));
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
    let refused = translate(payload, found, true).unwrap_err();
    assert!(refused.each().iter().all(|mistake| matches!(mistake, Error::Strict(_))), "{refused:?}");
    assert_eq!(refused.each().len(), 2);
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
        "`payload.line_ids` must be a list of lines, or have them in `records`",
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
        "many2many field 'tag_ids': 'mode' must be 'add' or 'replace', or 'remove'",
    );
    check_refused(
        json!({"partner_id": {"no_such": 1}}),
        "payload.partner_id",
        "'partner_id': the model `partner` has no field `no_such` to look up by",
    );
}

/// A field of an order or of a line: its name, a value that is right, and one with one mistake.
type Field = (&'static str, fn() -> Value, fn() -> Value);

const OF_ORDER: [Field; 5] = [
    ("name", || json!("A"), || json!(["A"])),
    ("total", || json!(1.5), || json!("much")),
    ("partner_id", || json!({"ref": "R1"}), || json!({"reff": "R1"})),
    ("tag_ids", || json!({"records": [{"name": "a"}]}), || json!({"records": [{"name": "a"}, "b"]})),
    ("company_id", || json!(1), || json!("ACME")),
];
const OF_LINE: [Field; 3] = [
    ("qty", || json!(2), || json!({"n": 2})),
    ("partner_id", || json!({"ref": "R1"}), || json!({"ref": null})),
    ("tag_ids", || json!([4]), || json!({"mode": "ad", "records": []})),
];

/// A record with these fields, and the number of mistakes in it.
fn record(fields: &[Field], random: &mut fastrand::Rng) -> (Map<String, Value>, usize) {
    let (mut record, mut mistakes) = (Map::new(), 0);
    for (name, right, wrong) in fields {
        match random.u8(..3) {
            0 => {}
            1 => drop(record.insert((*name).to_owned(), right())),
            _ => {
                record.insert((*name).to_owned(), wrong());
                mistakes += 1;
            }
        }
    }
    (record, mistakes)
}

#[test]
fn a_payload_with_so_many_mistakes_gives_so_many_errors_in_their_order() {
    let mut random = fastrand::Rng::with_seed(20);
    for _ in 0..300 {
        let (mut order, mut expected) = record(&OF_ORDER, &mut random);
        let lines = (0..random.usize(..4)).map(|_| {
            let (line, mistakes) = record(&OF_LINE, &mut random);
            expected += mistakes;
            Value::Object(line)
        });
        let lines = lines.collect();
        order.insert("line_ids".to_owned(), lines);
        let payload = Value::Object(order);
        let refused = match translate(payload.clone(), &[("R1", &[7]), ("a", &[1])], false) {
            Ok(_) => Vec::new(),
            Err(error) => error.each().iter().map(|error| error.path().unwrap_or_default().to_owned()).collect(),
        };
        assert_eq!(refused.len(), expected, "{payload}: {refused:?}");
        let vals = json!({"payload": payload});
        let placed = |path: &String| position(path, vals.as_object().unwrap());
        assert!(refused.is_sorted_by_key(placed), "{payload}: {refused:?}");
    }
}

#[test]
fn lookups_that_find_nothing_or_too_much_are_all_told() {
    let payload = json!({
        "partner_id": {"ref": "R9"},
        "tag_ids": {"records": [{"name": "x"}, {"code": "y"}]},
        "line_ids": [{"partner_id": {"ref": "R1"}}, {"qty": 1}, {"partner_id": {"ref": "two"}}],
    });
    let refused = translate(payload, &[("R1", &[7]), ("two", &[1, 2])], false).unwrap_err();
    let told: Vec<_> = refused.each().iter().map(|error| (error.code().as_str(), error.path().unwrap())).collect();
    assert_eq!(
        told,
        [
            ("no_match", "payload.partner_id"),
            ("no_match", "payload.tag_ids.records[0]"),
            ("no_match", "payload.tag_ids.records[1]"),
            ("ambiguous_match", "payload.line_ids[2].partner_id"),
        ]
    );
    let no_match = &refused.each_told()[0];
    assert_eq!((&no_match["model"], &no_match["key"]), (&json!("partner"), &json!({"ref": "R9"})));
}
