//! Forced domains: that nothing of a narrowed model is found, linked or left outside of its domain.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    callers::{Ask, Callers, Outcome},
    recorder::{FIRST_OUTSIDE, OUTSIDE, found},
    seen::{Rpc, is_within},
    table::{everything, ways},
    world,
};

/// An "or", so that one that does not stay together shows.
pub(super) fn forced(model: &str) -> Value {
    let team = world::fields(model).iter().find(|field| field.name.ends_with("_team")).unwrap().name;
    json!(["|", [team, "=", 3], [team, "=", 4]])
}

fn narrowed(model: &str, domain: &Value) -> String {
    format!("{}domains = {{ \"{model}\" = {domain} }}\n", everything())
}

/// The gateway looks for the lines of a record that it writes, archived ones too, to hold them against their domain, to tell new
/// ones from old, or to remove them; of these searches the caller learns nothing.
fn is_for_own_lines(rpc: &Rpc, ask: &Ask) -> bool {
    let ids = |value: &Value| value.as_array().is_some_and(|ids| ids.iter().all(Value::is_i64));
    let domain = rpc.arg(0).as_array().map(Vec::as_slice).unwrap_or_default();
    let is_by_ids = matches!(domain, [condition] if condition[1] == "in" && ids(&condition[2]));
    let is_write = matches!(ask.route, "create_data" | "update_data" | "create_update_data");
    is_write && is_by_ids && *rpc.arg(1) == json!(["id"]) && rpc.context()["active_test"] == false
}

/// A read of records that searches within the domain have found: names of several that match, or definitions of properties.
fn is_of_found(read: &Rpc, model: &str, domain: &Value, outcome: &Outcome) -> bool {
    let is_within = |rpc: &&Rpc| rpc.model == model && rpc.domain().is_some_and(|found| is_within(found, domain));
    let found: BTreeSet<i64> =
        outcome.rpcs.iter().filter(is_within).flat_map(|rpc| found(rpc).into_iter().map(|(id, _)| id)).collect();
    let ids = read.arg(0).as_array().map(Vec::as_slice).unwrap_or_default();
    ids.iter().all(|id| id.as_i64().is_some_and(|id| found.contains(&id)))
}

/// What reaches records of the model past its domain, where it is not the call's own.
pub(super) fn escapes<'o>(model: &str, domain: &Value, ask: &Ask, outcome: &'o Outcome) -> Vec<&'o Rpc> {
    let is_escape = |rpc: &&Rpc| match rpc.domain() {
        Some(found) if rpc.model == model && !is_within(found, domain) => !is_for_own_lines(rpc, ask),
        _ => {
            // The names of records that a lookup has found.
            let are_candidates = outcome.code == "ambiguous_match" && *rpc.arg(1) == json!(["display_name"]);
            let is_read = rpc.method == "read" && rpc.model == model && ask.model != model;
            let is_read = is_read && !are_candidates && !is_of_found(rpc, model, domain, outcome);
            is_read || rpc.specified_models().contains(model)
        }
    };
    outcome.rpcs.iter().filter(is_escape).collect()
}

#[tokio::test]
async fn every_search_of_a_narrowed_model_is_kept_within_its_domain() {
    let models: BTreeMap<&str, Value> =
        ["zq.order", "zq.partner", "zq.line", "zq.sub", "zq.leaf", "zq.tag", "zq.secret"]
            .map(|model| (model, forced(model)))
            .into();
    let entries: Vec<String> = models.iter().map(|(model, domain)| narrowed(model, domain)).collect();
    let mut ways = ways();
    ways.retain(|way| !way.is_form);
    for version in [19, 16] {
        let callers = Callers::start(version, &entries).await;
        let (mut searches, mut holes) = (0, Vec::new());
        for way in &ways {
            for (number, (model, domain)) in models.iter().enumerate().filter(|(_, (model, _))| way.reaches(model)) {
                let outcome = callers.call(number, &way.ask).await;
                searches += outcome.rpcs.iter().filter(|rpc| rpc.model == *model && rpc.domain().is_some()).count();
                for rpc in escapes(model, domain, &way.ask, &outcome) {
                    holes.push(format!("{model}, {}: {} {}\n  {}", way.name, way.ask.route, way.ask.vals, rpc.text()));
                }
            }
        }
        holes.iter().for_each(|hole| println!("{hole}\n"));
        println!("Odoo {version}: {searches} searches of narrowed models, {} past their domain", holes.len());
        assert!(searches > 150, "{searches}");
        assert!(holes.is_empty(), "{} holes", holes.len());
    }
}

#[tokio::test]
async fn an_or_of_the_callers_does_not_lead_out_of_a_domain() {
    let domain = forced("zq.order");
    let callers = Callers::start(19, &[narrowed("zq.order", &domain)]).await;
    let (a, b) = (json!(["o_code", "=", "a"]), json!(["o_name", "=", "b"]));
    for (own, code) in [
        (json!(["|", a, b]), "ok"),
        (json!(["|", a, [1, "=", 1]]), "ok"),
        (json!([a, "|", b, [1, "=", 1]]), "ok"),
        (json!(["!", a, "|", b, a]), "ok"),
        (json!("['|', ('o_code', '=', 'a'), (1, '=', 1)]"), "ok"),
        (json!(["|", a]), "invalid_value"),
        (json!(["|"]), "invalid_value"),
        (json!(["!"]), "invalid_value"),
        (json!(["&", "|", a]), "invalid_value"),
        (json!(["OR", a, b]), "invalid_value"),
    ] {
        for fields in [json!(["o_name"]), json!(["o_line_ids{l_name}"])] {
            let payload = json!({"search_domain": own, "search_field": fields});
            let ask = Ask::new("search_data", "zq.order", json!({"payload": payload}));
            let outcome = callers.call(0, &ask).await;
            let searches: Vec<_> = outcome.rpcs.iter().filter_map(Rpc::domain).collect();
            assert_eq!(
                (outcome.code.as_str(), searches.len()),
                (code, usize::from(code == "ok")),
                "{}",
                outcome.shown()
            );
            assert!(searches.iter().all(|found| is_within(found, &domain)), "{own}: {}", outcome.shown());
        }
    }
}

#[tokio::test]
async fn an_id_outside_a_domain_is_linked_by_no_way() {
    let entries = [narrowed("zq.partner", &forced("zq.partner")), narrowed("zq.tag", &forced("zq.tag")), everything()];
    let callers = Callers::start(19, &entries).await;
    let (inside, outside) = (31, FIRST_OUTSIDE + 1);
    for (number, payload) in [
        (0, |id| json!({"o_partner_id": id})),
        (0, |id| json!({"o_partner_id": {"id": id}})),
        (0, |id| json!({"o_line_ids": [{"l_sub_ids": [{"b_partner_id": id}]}]})),
        (1, |id| json!({"o_tag_ids": [id]})),
        (1, |id| json!({"o_tag_ids": {"mode": "add", "records": [id]}})),
        (1, |id| json!({"o_tag_ids": {"records": [{"id": id}]}})),
        (1, |id| json!({"o_line_ids": [{"l_tag_ids": [id]}]})),
    ] as [(usize, fn(i64) -> Value); 7]
    {
        for (number, id, code) in [(number, outside, "no_match"), (number, inside, "ok"), (2, outside, "ok")] {
            let ask = Ask::new("create_data", "zq.order", json!({"payload": payload(id)}));
            let outcome = callers.call(number, &ask).await;
            let is_written = outcome.rpcs.iter().any(|rpc| rpc.method == "create" && rpc.has(&id.to_string()));
            assert_eq!((outcome.code.as_str(), is_written), (code, code == "ok"), "{}", outcome.shown());
        }
    }
}

#[tokio::test]
async fn what_was_made_outside_a_domain_is_removed_again() {
    let entries =
        ["zq.order", "zq.line", "zq.sub", "zq.partner", "zq.tag"].map(|model| narrowed(model, &forced(model)));
    let callers = Callers::start(19, &entries).await;
    let made = json!({"o_partner_id": {"p_code": "missing"}});
    for (number, model, vals) in [
        (0, "zq.order", json!({"payload": {"o_name": OUTSIDE}})),
        (0, "zq.order", json!({"payload": {"o_name": OUTSIDE}, "result_field": ["o_code"]})),
        (0, "zq.order", json!({"payload": {"o_name": OUTSIDE, "o_line_ids": [{"l_name": "x"}]}})),
        (
            3,
            "zq.partner",
            json!({"payload": made, "auto_create": {"o_partner_id": {"p_code": "missing", "p_name": OUTSIDE}}}),
        ),
        (
            4,
            "zq.tag",
            json!({"payload": {"o_tag_ids": {"mode": "add", "records": [{"t_code": "missing"}]}},
                             "auto_create": {"o_tag_ids": {"t_code": "missing", "t_name": OUTSIDE}}}),
        ),
    ] {
        let outcome = callers.call(number, &Ask::new("create_data", "zq.order", vals)).await;
        assert_eq!(outcome.code, "outside_domain", "{}", outcome.shown());
        let removed = outcome.rpcs.iter().any(|rpc| rpc.method == "unlink" && rpc.model == model);
        assert!(removed && outcome.rpcs.last().unwrap().method != "create", "{}", outcome.shown());
        assert!(outcome.rule.contains("`domains`"), "{}", outcome.rule);
        // It is outside before anything that refers to it is made.
        assert!(model == "zq.order" || !outcome.rpcs.iter().any(|rpc| rpc.model == "zq.order" && rpc.writes()));
    }
    for (number, inside) in [(0, json!({"o_name": "x"})), (1, json!({"o_line_ids": [{"l_name": "x"}]}))] {
        let outcome = callers.call(number, &Ask::new("create_data", "zq.order", json!({"payload": inside}))).await;
        assert_eq!(outcome.code, "ok", "{}", outcome.shown());
        let is_checked = outcome.rpcs.iter().any(|rpc| rpc.domain().is_some());
        assert!(is_checked && !outcome.rpcs.iter().any(|rpc| rpc.method == "unlink"), "{}", outcome.shown());
    }
}

#[tokio::test]
async fn an_update_that_may_lead_out_of_a_domain_is_refused_before_anything_is_written() {
    let simple = json!([["o_team", "=", 3]]);
    let entries = [narrowed("zq.order", &simple), narrowed("zq.order", &json!([["o_partner_id.p_code", "=", "a"]]))];
    let callers = Callers::start(19, &entries).await;
    for (number, payload, code) in [
        (0, json!({"o_team": 4}), "outside_domain"),
        (0, json!({"o_team": null}), "outside_domain"),
        (0, json!({"o_team": false}), "outside_domain"),
        (0, json!({"o_team": "4"}), "outside_domain"),
        (0, json!({"o_team": "3"}), "ok"),
        (0, json!({"o_name": "x", "o_team": 4}), "outside_domain"),
        (0, json!({"o_team": 3}), "ok"),
        (0, json!({"o_name": "x"}), "ok"),
        (1, json!({"o_partner_id": 31}), "outside_domain"),
        (1, json!({"o_partner_id": {"p_code": "a"}}), "outside_domain"),
        (1, json!({"o_name": "x"}), "ok"),
    ] {
        for route in ["update_data", "create_update_data"] {
            for dry_run in [false, true] {
                let vals = json!({"search_key": {"id": 71}, "payload": payload, "dry_run": dry_run});
                let outcome = callers.call(number, &Ask::new(route, "zq.order", vals)).await;
                let is_written = outcome.rpcs.iter().any(|rpc| rpc.writes());
                assert_eq!(
                    (outcome.code.as_str(), is_written),
                    (code, code == "ok" && !dry_run),
                    "{}",
                    outcome.shown()
                );
            }
        }
    }
}

/// Odoo 19 takes `["id", "any", domain]` for the domain, and every version looks for the names of `child_of` an id.
#[tokio::test]
async fn a_condition_on_a_field_that_leads_nowhere_brings_in_no_other_domain() {
    let callers =
        Callers::start(19, &[everything() + "never_read = [\"zq.order.o_vault\", \"zq.order.display_name\"]"]).await;
    for condition in [
        json!(["id", "any", [["o_vault", "=", "x"]]]),
        json!(["id", "not any", [["o_partner_id.p_user_ids", "ilike", "x"]]]),
        json!(["o_line_ids.l_order_id.id", "ANY!", [["o_vault", "=", "x"]]]),
        json!(["id", "child_of", "x"]),
        json!(["id", "Parent_of", 31]),
    ] {
        let ask = Ask::new("search_data", "zq.order", json!({"payload": {"search_domain": ["!", condition]}}));
        let outcome = callers.call(0, &ask).await;
        assert_eq!(outcome.code, "invalid_value", "{condition}: {}", outcome.answer);
        assert!(outcome.rpcs.iter().all(|rpc| rpc.method == "fields_get"), "{}", outcome.shown());
    }
}
