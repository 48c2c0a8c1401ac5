//! What is not refused but left out: fields of a search that names none, and what comes after a write or beside an error.

use serde_json::json;

use super::{
    callers::{Ask, Callers},
    seen::Side,
    table::everything,
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
