//! What is searched by and sorted by: domains as lists and as texts, orders, and search keys.

use serde_json::{Value, json};

use super::Way;

/// A contact is searched by name.
const NAMED: &str = "r zq.order.o_partner_id, ~r zq.partner.display_name, n zq.partner";

/// Each condition, in Python's words, and what it reads.
const CONDITIONS: [(&str, &str); 24] = [
    ("('o_code', '=', 'x')", "r zq.order.o_code"),
    ("('o_partner_id.p_code', '=', 'x')", "r zq.order.o_partner_id, r zq.partner.p_code"),
    (
        "('o_partner_id.p_parent_id.p_secret_id.s_code', '!=', 'x')",
        "r zq.order.o_partner_id, r zq.partner.p_parent_id, r zq.partner.p_secret_id, r zq.secret.s_code",
    ),
    (
        "('o_line_ids.l_sub_ids.b_leaf_ids.f_code', 'in', ['x'])",
        "r zq.line.l_sub_ids, r zq.sub.b_leaf_ids, r zq.leaf.f_code",
    ),
    ("('o_tag_ids', 'any', [('t_code', '=', 'x')])", "r zq.order.o_tag_ids, r zq.tag.t_code"),
    ("('o_tag_ids', 'not any', [('t_code', '=', 'x')])", "r zq.order.o_tag_ids, r zq.tag.t_code"),
    ("('o_tag_ids', 'ANY', [('t_code', '=', 'x')])", "r zq.order.o_tag_ids, r zq.tag.t_code"),
    ("('o_tag_ids', 'any!', [('t_code', '=', 'x')])", "r zq.order.o_tag_ids, r zq.tag.t_code"),
    (
        "('o_tag_ids', 'any', ['|', ('t_code', '=', 'x'), ('t_secret_id', 'any', [('s_code', '=', 'x')])])",
        "r zq.tag.t_code, r zq.tag.t_secret_id, r zq.secret.s_code",
    ),
    ("('o_partner_id', 'child_of', 31)", "r zq.order.o_partner_id, ~r zq.partner.display_name"),
    ("('o_partner_id', 'child_of', 'x')", NAMED),
    ("('o_partner_id', 'parent_of', 'x')", NAMED),
    ("('o_partner_id', 'ilike', 'x')", NAMED),
    ("('o_partner_id', 'not ilike', 'x')", NAMED),
    ("('o_partner_id', '=like', 'x')", NAMED),
    ("('o_partner_id', '=', 'x')", NAMED),
    ("('o_tag_ids', 'in', ['x', 'y'])", "r zq.order.o_tag_ids, ~r zq.tag.display_name, n zq.tag"),
    ("('o_partner_id.p_secret_id', '=?', 'x')", "r zq.partner.p_secret_id, ~r zq.secret.display_name, n zq.secret"),
    ("('o_partner_id.display_name', '=', 'x')", "r zq.order.o_partner_id, r zq.partner.display_name, n zq.partner"),
    (
        "('o_user_id.u_group_ids.g_code', '=', 'x')",
        "r zq.order.o_user_id, r res.users.u_group_ids, r res.groups.g_code",
    ),
    ("('o_date.year_number', '=', 2026)", "r zq.order.o_date"),
    ("('o_copy', '=', 'x')", "r zq.order.o_copy, r zq.partner.p_code as o_copy"),
    ("('o_line_ids.l_order_id.o_far_copy', '=', 'x')", "r zq.order.o_far_copy, r zq.secret.s_code as o_far_copy"),
    ("('o_ghost', '=', 'x')", "r zq.order.o_ghost"),
];

/// Each order, and what it reads.
const ORDERS: [(&str, &str); 11] = [
    ("o_code", "r zq.order.o_code"),
    ("o_code desc", "r zq.order.o_code"),
    ("\"o_code\"", "r zq.order.o_code"),
    ("\"o_code\" DESC NULLS LAST", "r zq.order.o_code"),
    ("o_date, o_code asc , o_name", "r zq.order.o_date, r zq.order.o_code, r zq.order.o_name"),
    ("o_partner_id", "r zq.order.o_partner_id, m zq.partner"),
    ("o_partner_id.p_code desc", "r zq.order.o_partner_id, r zq.partner.p_code"),
    ("\"o_partner_id\".\"p_code\"", "r zq.order.o_partner_id, r zq.partner.p_code"),
    ("o_partner_id.p_secret_id", "r zq.partner.p_secret_id, m zq.secret"),
    ("o_date:month", "r zq.order.o_date"),
    ("o_copy", "r zq.order.o_copy, r zq.partner.p_code as o_copy"),
];

pub(super) fn ways() -> Vec<Way> {
    let search = |name: &str, payload: Value, touches| {
        Way::new(name, "search_data", "zq.order", json!({"payload": payload}), touches)
    };
    let mut ways = Vec::new();
    for (condition, touches) in CONDITIONS {
        // The one form is the other in JSON.
        let listed = condition.replace('(', "[").replace(')', "]").replace('\'', "\"");
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let harmless = json!(["id", ">", 0]);
        for (place, domain) in [
            ("alone", json!([listed])),
            ("in a text", json!(format!("[{condition}]"))),
            ("within an or", json!(["|", harmless, listed])),
            ("deep within", json!(["|", "&", harmless, harmless, "!", "|", listed, harmless])),
        ] {
            let name = format!("{condition} {place}");
            let way = search(&name, json!({"search_domain": domain, "search_field": ["o_json"]}), touches);
            ways.push(way.form(place != "alone"));
        }
    }
    for (order, touches) in ORDERS {
        ways.push(search(&format!("order {order}"), json!({"order": order, "search_field": ["o_json"]}), touches));
        let nested = json!({"order": order, "search_field": ["o_line_ids{l_name}"]});
        ways.push(search(&format!("order {order} of nested fields"), nested, touches).form(true));
    }
    for (key, touches) in [
        (json!({"o_code": "x"}), "r zq.order.o_code"),
        (json!({"o_code": ["x", "y"]}), "r zq.order.o_code"),
        (json!({"o_name": "x", "o_code": "y"}), "r zq.order.o_name, r zq.order.o_code"),
        (
            json!({"o_partner_id.p_secret_id.s_code": "x"}),
            "r zq.order.o_partner_id, r zq.partner.p_secret_id, r zq.secret.s_code",
        ),
        (json!({"o_partner_id": "x"}), NAMED),
        (json!({"o_partner_id": [31, "x"]}), NAMED),
        (json!({"o_copy": "x"}), "r zq.order.o_copy, r zq.partner.p_code as o_copy"),
        (json!({"o_ghost": "x"}), "r zq.order.o_ghost"),
    ] {
        let mut by = |route, payload: Value| {
            let vals = json!({"search_key": key, "payload": payload});
            let way = Way::new(&format!("search_key {key} of {route}"), route, "zq.order", vals, touches);
            ways.push(way.form(route == "create_update_data"));
        };
        by("update_data", json!({"o_json": 1}));
        by("create_update_data", json!({"o_json": 1}));
        by("call_function", json!({"method": "action_go"}));
    }
    let context = |name, context: Value, touches| {
        let vals = json!({"payload": {"method": "action_go", "on_model": true, "context": context}});
        Way::new(name, "call_function", "zq.order", vals, touches)
    };
    ways.extend([
        context("a default", json!({"default_o_name": "x"}), "w zq.order.o_name"),
        context(
            "a default's own commands",
            json!({"default_o_line_ids": [[0, 0, {"l_name": "x"}]]}),
            "w zq.order.o_line_ids, w zq.line.l_name",
        ),
        context("a default that names a model", json!({"default_res_model": "zq.secret"}), "m zq.secret, d zq.secret"),
        context(
            "a default of a copy",
            json!({"default_o_copy": "x"}),
            "w zq.order.o_copy, w zq.partner.p_code as o_copy",
        ),
    ]);
    ways
}
