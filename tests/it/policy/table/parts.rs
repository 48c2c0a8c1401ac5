//! Records that are chosen through a link by which fields are written into them (`_inherits` is one): by id, wherever an id may
//! stand. An order's `o_copy` is such a field, so `o_partner_id` is such a link.

use serde_json::{Value, json};

use super::Way;

pub(super) fn ways() -> Vec<Way> {
    let on = |model, route| move |name: &str, vals: Value, touches| Way::new(name, route, model, vals, touches);
    let create = on("zq.order", "create_data");
    let update = on("zq.order", "update_data");
    let line = on("zq.line", "create_data");
    let touches = "w zq.order.o_partner_id, m zq.partner";
    let context = |name: &str, context: Value| {
        let vals = json!({"payload": {"method": "action_go", "on_model": true, "context": context}});
        Way::new(name, "call_function", "zq.order", vals, touches)
    };
    let mut ways = vec![
        create("the id of a part", json!({"payload": {"o_partner_id": 31}}), touches),
        create("the id of a part, and what is in it", json!({"payload": {"o_partner_id": 31, "o_copy": "x"}}), touches),
        create("the id of a part, read", json!({"payload": {"o_partner_id": 31}, "result_field": ["o_copy"]}), touches),
        create("a part by a lookup by id", json!({"payload": {"o_partner_id": {"id": 31}}}), touches),
        create("a part by a lookup", json!({"payload": {"o_partner_id": {"p_code": "x"}}}), touches),
        update("another part", json!({"search_key": {"id": 71}, "payload": {"o_partner_id": 32}}), touches),
        on("zq.order", "create_update_data")(
            "a part of one or the other",
            json!({"search_key": {"o_code": "missing"}, "payload": {"o_partner_id": 32}}),
            touches,
        ),
        on("zq.tag", "create_data")(
            "a part of a missing record",
            json!({"payload": {"t_secret_id": {"s_code": "missing"}},
                   "auto_create": {"t_secret_id": {"s_code": "missing", "s_order_id": {"o_code": "missing"}},
                                   "s_order_id": {"o_code": "missing", "o_partner_id": 31}}}),
            touches,
        ),
        on("res.users", "create_data")(
            "a part of a line",
            json!({"payload": {"u_order_ids": [{"o_partner_id": 31}]}}),
            touches,
        ),
        line("the part of a part", json!({"payload": {"l_holder_id": 31}}), "w zq.line.l_holder_id, m zq.partner"),
        create(
            "the part of a part in a line",
            json!({"payload": {"o_line_ids": [{"l_holder_id": 31}]}}),
            "w zq.line.l_holder_id, m zq.partner",
        ),
        context("a default part", json!({"default_o_partner_id": 31})),
        context("a default part by a text", json!({"default_o_partner_id": "31"})),
    ];
    for id in [json!(31), json!("31"), json!(31.0), json!({"p_name": "x"})] {
        let command = json!([[0, 0, {"o_partner_id": id}]]);
        let name = format!("{id} as a part by a command");
        let vals = json!({"payload": {"u_order_ids": command}});
        ways.push(on("res.users", "create_data")(&name, vals, touches).form(id != 31));
    }
    ways
}
