//! How many records a call may reach: what Odoo is asked for, and what becomes of too many.

use serde_json::{Value, json};

use super::{
    callers::{Ask, Callers},
    table::everything,
};

/// The limits that Odoo was given in searches of orders.
fn limits(outcome: &super::callers::Outcome) -> Vec<Value> {
    let searches = outcome.rpcs.iter().filter(|rpc| rpc.domain().is_some() && rpc.model == "zq.order");
    searches.map(|rpc| rpc.arg(3).clone()).collect()
}

#[tokio::test]
async fn more_records_than_may_be_written_are_refused_before_any_is() {
    let most = |most: u64| everything().replace("write = 1000", &format!("write = {most}"));
    let alone = everything().replace("max_records = { write = 1000 }\n", "");
    let policies = [(alone, 1), (most(2), 2), (most(3), 3), (most(1000), 1000)];
    let entries: Vec<String> = policies.iter().map(|(policy, _)| policy.clone()).collect();
    let callers = Callers::start(19, &entries).await;
    for (number, (_, most)) in policies.iter().enumerate() {
        for (route, payload) in [
            ("update_data", json!({"o_name": "x"})),
            ("update_data", json!({"o_line_ids": [{"l_name": "x"}]})),
            ("create_update_data", json!({"o_name": "x"})),
            ("call_function", json!({"method": "action_go"})),
        ] {
            let ask = Ask::new(route, "zq.order", json!({"payload": payload, "search_key": {"o_code": "several"}}));
            let outcome = callers.call(number, &ask).await;
            let is_written = outcome.rpcs.iter().any(|rpc| rpc.writes());
            let expected = if *most < 3 { "too_many_records" } else { "ok" };
            assert_eq!((outcome.code.as_str(), is_written), (expected, *most >= 3), "{route}: {}", outcome.shown());
            assert_eq!(limits(&outcome), [json!(most + 1)], "{route} {most}");
            assert!(*most >= 3 || outcome.rule.contains("`max_records.write`"), "{}", outcome.rule);
        }
    }
}

#[tokio::test]
async fn more_records_than_may_be_read_are_refused_and_odoo_is_asked_for_one_more_at_most() {
    let policies = [everything(), everything().replace("write = 1000", "write = 1000, read = 2")];
    let mut holes = Vec::new();
    for version in [19, 16] {
        let callers = Callers::start(version, &policies).await;
        for fields in [json!(["o_name"]), json!([]), json!(["o_partner_id{p_name}"]), json!(["o_ref{s_code}"])] {
            // The limit asked for, and whether there are more records than may be read.
            for (limit, is_too_many) in [
                (json!(5), true),
                (json!(3), true),
                (Value::Null, true),
                (json!(false), true),
                (json!(0), true),
                (json!(2), false),
                (json!(1), false),
            ] {
                let payload =
                    json!({"search_domain": [["o_code", "=", "several"]], "search_field": fields, "limit": limit});
                let ask = Ask::new("search_data", "zq.order", json!({"payload": payload}));
                let free = callers.call(0, &ask).await;
                assert_eq!(free.code, "ok", "{}", free.shown());
                let outcome = callers.call(1, &ask).await;
                let expected = if is_too_many { "too_many_records" } else { "ok" };
                // To Odoo, a limit of 0 is none.
                let is_bounded = limits(&outcome).iter().all(|limit| (1..=3).contains(&limit.as_u64().unwrap_or(0)));
                if outcome.code != expected
                    || !is_bounded
                    || (is_too_many && !outcome.rule.contains("`max_records.read`"))
                {
                    holes.push(format!("Odoo {version}, limit {limit} of {fields} came to {}", outcome.shown()));
                }
            }
        }
    }
    assert!(holes.is_empty(), "{}", holes.join("\n"));
}
