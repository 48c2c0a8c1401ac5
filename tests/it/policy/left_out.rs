//! What is not refused but left out: fields of a search that names none, and what comes after a write or beside an error.

use serde_json::json;

use super::{
    callers::{Ask, Callers},
    seen::{Rpc, Side},
    table::everything,
    world::{LINK, LINK_LABEL, SECRET},
};

#[tokio::test]
async fn a_search_that_names_no_fields_answers_those_that_may_be_read() {
    let policies =
        [everything(), everything() + "never_read = [\"zq.order.o_vault\", \"zq.partner.p_code\", \"*.s_code\"]"];
    for version in [19, 16] {
        let callers = Callers::start(version, &policies).await;
        for fields in [json!([]), json!(null), json!(false), json!("")] {
            let ask = Ask::new("search_data", "zq.order", json!({"payload": {"search_field": fields}}));
            let all = callers.call(0, &ask).await.answer["result"]["result"][0].take();
            for name in ["o_vault", "o_copy", "o_copy_of_copy", "o_far_copy", "o_name"] {
                assert!(all.get(name).is_some(), "{all}");
            }
            let outcome = callers.call(1, &ask).await;
            let some = &outcome.answer["result"]["result"][0];
            for name in ["o_vault", "o_copy", "o_copy_of_copy", "o_far_copy"] {
                let is_read = outcome.rpcs.iter().any(|rpc| rpc.has_word(Side::Read, name));
                assert!(!is_read && some.get(name).is_none(), "{name}: {}", outcome.shown());
            }
            assert_eq!(some.as_object().unwrap().len() + 4, all.as_object().unwrap().len(), "{some}");
        }
    }
}

/// To Odoo, no fields are all of them.
#[tokio::test]
async fn a_search_of_a_model_of_which_no_field_may_be_read_answers_ids() {
    let callers = Callers::start(19, &[everything() + "never_read = [\"zq.order.*\"]"]).await;
    let outcome = callers.call(0, &Ask::new("search_data", "zq.order", json!({"payload": {}}))).await;
    assert_eq!(outcome.answer["result"]["result"], json!([{"id": 71}]), "{}", outcome.shown());
}

/// Which model a reference leads to is known only when the record stands.
#[tokio::test]
async fn what_a_written_records_reference_leads_to_is_not_read_and_that_is_said() {
    let policies = [
        everything(),
        everything().replace("deny = []", "deny = [\"zq.secret\"]"),
        everything() + "never_read = [\"zq.secret.s_code\"]",
    ];
    for version in [19, 16] {
        let callers = Callers::start(version, &policies).await;
        for (route, key) in [("create_data", None), ("update_data", Some(json!({"id": 71})))] {
            for (number, policy) in policies.iter().enumerate() {
                let mut vals = json!({"payload": {"o_name": "x"}, "result_field": ["o_ref{s_code}"]});
                if let Some(key) = &key {
                    vals["search_key"] = key.clone();
                }
                let outcome = callers.call(number, &Ask::new(route, "zq.order", vals)).await;
                let is_read = outcome.rpcs.iter().any(|rpc| rpc.has_word(Side::Read, "s_code"));
                assert_eq!((outcome.code.as_str(), is_read), ("ok", number == 0), "{policy}: {}", outcome.shown());
                let warning = &outcome.answer["result"]["warnings"][0];
                assert_eq!(*warning == json!(null), number == 0, "{policy}: {warning}");
                assert!(number == 0 || warning["code"] == "result_not_read", "{warning}");
            }
        }
    }
}

#[tokio::test]
async fn records_that_a_lookup_cannot_choose_from_are_named_only_where_their_names_may_be_read() {
    let policies = [everything(), everything() + "never_read = [\"zq.partner.display_name\"]"];
    let callers = Callers::start(19, &policies).await;
    let ask = Ask::new("create_data", "zq.order", json!({"payload": {"o_partner_id": {"p_code": "several"}}}));
    for (number, is_named) in [(0, true), (1, false)] {
        let outcome = callers.call(number, &ask).await;
        let is_read = outcome.rpcs.iter().any(|rpc| rpc.has_word(Side::Read, "display_name"));
        assert_eq!((outcome.code.as_str(), is_read), ("ambiguous_match", is_named), "{}", outcome.shown());
    }
}

/// Which models properties lead to is known only from the answer (Odoo 16 and later).
#[tokio::test]
async fn properties_that_lead_to_a_model_which_may_not_be_touched_are_not_answered() {
    let narrow = everything().replace("deny = []", "deny = [\"zq.secret\"]");
    let policies = [everything(), narrow, everything().replace("deny = []", "deny = [\"zq.leaf\"]")];
    for version in [19, 16] {
        let callers = Callers::start(version, &policies).await;
        for (number, is_told) in [(0, true), (1, false), (2, true)] {
            let call = async |route, vals| {
                let outcome = callers.call(number, &Ask::new(route, "zq.order", vals)).await;
                assert_eq!(outcome.answer.to_string().contains(SECRET), is_told, "{route}: {}", outcome.shown());
                outcome
            };
            let named = call("search_data", json!({"payload": {"search_field": ["o_name", "o_props"]}})).await;
            assert_eq!(named.code, if is_told { "ok" } else { "model_not_allowed" }, "{}", named.shown());
            let vals = json!({"payload": {"o_name": "x"}, "result_field": ["o_name", "o_props"]});
            let written = call("create_data", vals).await;
            let warning = &written.answer["result"]["warnings"][0]["code"];
            assert_eq!((written.code.as_str(), *warning == json!("result_not_read")), ("ok", !is_told));
        }
        // Where no fields are named, those that are sure to be allowed are answered.
        for (number, is_answered) in [(0, true), (1, false), (2, false)] {
            let outcome = callers.call(number, &Ask::new("search_data", "zq.order", json!({"payload": {}}))).await;
            let row = &outcome.answer["result"]["result"][0];
            assert_eq!((row.get("o_props").is_some(), row.get("o_name").is_some()), (is_answered, true), "{row}");
        }
    }
}

/// Odoo's own names pass as they are, and the definitions are not read for them.
#[tokio::test]
async fn properties_by_generated_names_are_written_where_their_definitions_may_not_be_read() {
    let hidden = ["zq.order.o_props", "zq.order.o_partner_id", "zq.partner.p_defs"];
    let hidden = hidden.map(|field| everything() + &format!("never_read = [\"{field}\"]"));
    let policies = [&hidden[..], &[everything()]].concat();
    for version in [19, 16] {
        let callers = Callers::start(version, &policies).await;
        for (number, policy) in policies.iter().enumerate() {
            for (route, payload) in [
                ("create_data", json!({"o_partner_id": 31})),
                ("update_data", json!({"o_name": "x"})),
                ("update_data", json!({"o_partner_id": 31})),
            ] {
                for (property, is_written) in [(LINK, true), (LINK_LABEL, number == 3)] {
                    let mut vals = json!({"payload": payload});
                    vals["payload"]["o_props"] = json!({property: 41});
                    if route == "update_data" {
                        vals["search_key"] = json!({"id": 71});
                    }
                    let outcome = callers.call(number, &Ask::new(route, "zq.order", vals)).await;
                    let code = if is_written { "ok" } else { "field_not_readable" };
                    assert_eq!(outcome.code, code, "{policy}: {}", outcome.shown());
                    assert_eq!(outcome.rpcs.iter().any(|rpc| rpc.writes() && rpc.has(LINK)), is_written);
                    let is_told = |rpc: &Rpc| ["o_props", "p_defs"].iter().any(|name| rpc.has_word(Side::Read, name));
                    let is_read = outcome.rpcs.iter().any(is_told);
                    assert_eq!(is_read, number == 3, "{policy}: {}", outcome.shown());
                }
            }
        }
    }
}

/// A link by which nothing is written into its record is as free as any other value.
#[tokio::test]
async fn the_id_of_a_record_that_is_no_part_needs_no_right_to_its_model() {
    let callers =
        Callers::start(19, &[everything().replace("deny = []", "deny = [\"zq.secret\", \"zq.partner\"]")]).await;
    for (payload, code) in [
        (json!({"o_secret_id": 41}), "ok"),
        (json!({"o_line_ids": [{"l_partner_id": 31}]}), "ok"),
        (json!({"o_partner_id": null}), "ok"),
        (json!({"o_partner_id": false}), "ok"),
        (json!({"o_partner_id": 31}), "model_not_allowed"),
    ] {
        let ask = Ask::new("create_data", "zq.order", json!({"payload": payload}));
        let outcome = callers.call(0, &ask).await;
        assert_eq!(outcome.code, code, "{payload}: {}", outcome.shown());
    }
}
