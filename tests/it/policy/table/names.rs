//! Records that are searched by their names, which reads whatever fields Odoo's search by name does: on every route, by
//! `display_name`, by a text on a relation, and by copies of either.

use serde_json::json;

use super::Way;

pub(super) fn ways() -> Vec<Way> {
    let search =
        |name, payload, touches| Way::new(name, "search_data", "zq.order", json!({"payload": payload}), touches);
    let condition = |name, condition: serde_json::Value, touches| {
        search(name, json!({"search_domain": [["id", ">", 0], condition], "search_field": ["o_json"]}), touches)
    };
    let create =
        |name, payload, touches| Way::new(name, "create_data", "zq.order", json!({"payload": payload}), touches);
    let keyed = |name, route, payload| {
        let vals = json!({"search_key": {"display_name": "x"}, "payload": payload});
        Way::new(name, route, "zq.order", vals, "r zq.order.display_name, n zq.order")
    };
    vec![
        condition("a name", json!(["display_name", "ilike", "x"]), "r zq.order.display_name, n zq.order"),
        condition("a name that is none", json!(["display_name", "!=", false]), "r zq.order.display_name, n zq.order"),
        condition(
            "a name two relations on",
            json!(["o_partner_id.p_secret_id.display_name", "=", "x"]),
            "r zq.partner.p_secret_id, r zq.secret.display_name, n zq.secret",
        ),
        condition(
            "a text on a relation two relations on",
            json!(["o_line_ids.l_sub_ids.b_tag_ids", "not ilike", "x"]),
            "r zq.line.l_sub_ids, r zq.sub.b_tag_ids, ~r zq.tag.display_name, n zq.tag",
        ),
        condition(
            "a name within a domain of its own",
            json!(["o_tag_ids", "any", [["t_parent_id", "any", [["display_name", "=like", "x%"]]]]]),
            "r zq.tag.t_parent_id, r zq.tag.display_name, n zq.tag",
        ),
        condition(
            "a text in a list of ids",
            json!(["o_tag_ids", "not in", [21, "x"]]),
            "r zq.order.o_tag_ids, ~r zq.tag.display_name, n zq.tag",
        ),
        condition(
            "a part of a number",
            json!(["o_partner_id", "ilike", 31]),
            "r zq.order.o_partner_id, ~r zq.partner.display_name, n zq.partner",
        ),
        condition(
            "the names above one",
            json!(["o_tag_ids.t_parent_id", "child_of", ["x"]]),
            "r zq.tag.t_parent_id, ~r zq.tag.display_name, n zq.tag",
        ),
        condition("a copy of a name", json!(["o_named", "ilike", "x"]), "r zq.order.o_named, n zq.partner as o_named"),
        search(
            "an order by names",
            json!({"order": "o_date, display_name desc", "search_field": ["o_json"]}),
            "r zq.order.display_name, n zq.order",
        ),
        search(
            "an order by a relation's names",
            json!({"order": "o_partner_id.display_name", "search_field": ["o_json"]}),
            "r zq.order.o_partner_id, r zq.partner.display_name, n zq.partner",
        ),
        create(
            "a lookup by name",
            json!({"o_partner_id": {"display_name": "x"}}),
            "w zq.order.o_partner_id, r zq.partner.display_name, n zq.partner",
        ),
        create(
            "a lookup by name of many",
            json!({"o_line_ids": [{"l_tag_ids": {"mode": "add", "records": [{"display_name": "x"}, {"display_name": "y"}]}}]}),
            "w zq.line.l_tag_ids, r zq.tag.display_name, n zq.tag",
        ),
        create(
            "a lookup by a dotted name",
            json!({"o_partner_id": {"p_parent_id.p_secret_id.display_name": "x"}}),
            "w zq.order.o_partner_id, r zq.partner.p_secret_id, r zq.secret.display_name, n zq.secret",
        ),
        Way::new(
            "a missing record's lookup by name",
            "create_data",
            "zq.order",
            json!({"payload": {"o_partner_id": {"p_code": "missing"}},
                   "auto_create": {"o_partner_id": {"p_code": "missing", "p_secret_id": {"display_name": "x"}}}}),
            "w zq.partner.p_secret_id, r zq.secret.display_name, n zq.secret",
        ),
        keyed("an update by name", "update_data", json!({"o_json": 1})),
        keyed("one or the other by name", "create_update_data", json!({"o_json": 1})),
        keyed("a method by name", "call_function", json!({"method": "action_go"})),
    ]
}
