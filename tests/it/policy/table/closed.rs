//! Ways that are closed for everyone, whatever a policy allows: payloads that Python takes for others, or that Odoo drops.

use serde_json::json;

use super::everything;
use crate::policy::{
    callers::{Ask, Callers},
    world::LINK,
};

#[tokio::test]
async fn a_payload_that_odoo_would_take_for_another_is_refused_and_nothing_is_sent() {
    let mut asks = Vec::new();
    for code in [json!(true), json!(null), json!([0]), json!("0"), json!("4"), json!(7), json!(0.5)] {
        let command = json!([[code, 101, {"l_name": "x"}]]);
        asks.push(Ask::new("create_data", "zq.order", json!({"payload": {"o_line_ids": command}})));
        let commands = json!([[4, 21], [code, 21, {"t_name": "x"}]]);
        let vals = json!({"search_key": {"o_code": "A"}, "payload": {"o_tag_ids": commands}});
        asks.push(Ask::new("update_data", "zq.order", vals));
    }
    for field in ["o_tag_ids", "o_line_ids"] {
        let vals = json!({"search_key": {"o_code": "A"}, "payload": {field: [[]]}});
        asks.push(Ask::new("update_data", "zq.order", vals));
    }
    for values in [
        json!({"o_partner_id": true}),
        json!({"o_partner_id": [31]}),
        json!({"o_partner_id": [[0, 0, {"p_name": "x"}]]}),
        json!({"o_ref": [[0, 0, {"p_name": "x"}]]}),
        json!({"o_ref": "zq.secret"}),
        json!({"o_props": [LINK]}),
    ] {
        asks.push(Ask::new("create_data", "zq.order", json!({"payload": values})));
        asks.push(Ask::new("create_data", "res.users", json!({"payload": {"u_order_ids": [[0, 0, values]]}})));
        asks.push(Ask::new("create_data", "res.users", json!({"payload": {"u_order_ids": [values]}})));
    }
    for version in [19, 16] {
        let callers = Callers::start(version, &[everything()]).await;
        for ask in &asks {
            let outcome = callers.call(0, ask).await;
            let is_sent = outcome.rpcs.iter().any(|rpc| rpc.method != "fields_get");
            assert_eq!((&*outcome.code, is_sent), ("invalid_value", false), "{}: {}", ask.vals, outcome.shown());
        }
    }
}
