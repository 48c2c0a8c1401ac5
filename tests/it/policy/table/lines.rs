//! Values: of the record itself, by each route, and of lines to the third level.

use serde_json::json;

use super::Way;

pub(super) fn ways() -> Vec<Way> {
    let create = |name, vals, touches| Way::new(name, "create_data", "zq.order", vals, touches);
    let update = |name, vals, touches| Way::new(name, "update_data", "zq.order", vals, touches);
    let upsert = |name, vals, touches| Way::new(name, "create_update_data", "zq.order", vals, touches);
    let mut ways = vec![
        create("a field", json!({"payload": {"o_name": "x"}}), "w zq.order.o_name"),
        create("a field of a dry run", json!({"payload": {"o_name": "x"}, "dry_run": true}), "~w zq.order.o_name"),
        update(
            "a field that is updated",
            json!({"search_key": {"o_code": "A"}, "payload": {"o_name": "x"}}),
            "w zq.order.o_name, r zq.order.o_code",
        ),
        upsert(
            "a field where the record is there",
            json!({"search_key": {"o_code": "A"}, "payload": {"o_name": "x"}}),
            "w zq.order.o_name, r zq.order.o_code",
        ),
        upsert(
            "a field where it is not",
            json!({"search_key": {"o_code": "missing"}, "payload": {"o_name": "x"}}),
            "w zq.order.o_name, r zq.order.o_code",
        ),
        create("a field emptied", json!({"payload": {"o_name": null}}), "w zq.order.o_name"),
        create("a date", json!({"payload": {"o_date": "2026-01-31"}}), "w zq.order.o_date"),
        create("any JSON", json!({"payload": {"o_json": {"a": [1]}}}), "w zq.order.o_json"),
        create("a reference", json!({"payload": {"o_ref": "zq.partner,31"}}), "w zq.order.o_ref, m zq.partner"),
        create("a copy", json!({"payload": {"o_copy": "x"}}), "w zq.order.o_copy, w zq.partner.p_code as o_copy"),
        create(
            "a copy of a copy",
            json!({"payload": {"o_copy_of_copy": "x"}}),
            "w zq.order.o_copy_of_copy, w zq.order.o_copy as o_copy_of_copy, w zq.partner.p_code as o_copy_of_copy",
        ),
        create(
            "a copy from two models on",
            json!({"payload": {"o_far_copy": "x"}}),
            "w zq.order.o_far_copy, w zq.secret.s_code as o_far_copy",
        ),
        create("a field that there is not", json!({"payload": {"o_ghost": "x"}}), "~w zq.order.o_ghost"),
        create(
            "a field of a line",
            json!({"payload": {"o_line_ids": [{"l_code": "y"}, {"l_name": "x"}]}}),
            "w zq.order.o_line_ids, w zq.line.l_name, w zq.line.l_code",
        ),
        create(
            "a field of a line's line",
            json!({"payload": {"o_line_ids": [{"l_sub_ids": [{"b_name": "x"}]}]}}),
            "w zq.order.o_line_ids, w zq.line.l_sub_ids, w zq.sub.b_name",
        ),
        create(
            "a field at the third level",
            json!({"payload": {"o_line_ids": [{"l_sub_ids": [{"b_leaf_ids": [{"f_name": "x"}]}]}]}}),
            "w zq.order.o_line_ids, w zq.line.l_sub_ids, w zq.sub.b_leaf_ids, w zq.leaf.f_name",
        ),
        create(
            "a line's field that there is not",
            json!({"payload": {"o_line_ids": [{"l_ghost": "x"}]}}),
            "w zq.order.o_line_ids, m zq.line, ~w zq.line.l_ghost",
        ),
        update(
            "lines in place of others",
            json!({"search_key": {"o_code": "A"}, "payload": {"o_line_ids": [{"l_name": "x"}]}}),
            "r zq.order.o_code, w zq.order.o_line_ids, w zq.line.l_name, d zq.line",
        ),
        update(
            "lines within lines in place of others",
            json!({"search_key": {"o_code": "A"}, "payload": {"o_line_ids": [{"l_sub_ids": [{"b_name": "x"}]}]}}),
            "r zq.order.o_code, w zq.order.o_line_ids, w zq.line.l_sub_ids, w zq.sub.b_name, d zq.line, d zq.sub",
        ),
        upsert(
            "lines that are removed",
            json!({"search_key": {"o_code": "A"}, "payload": {"o_line_ids": []}}),
            "r zq.order.o_code, w zq.order.o_line_ids, m zq.line, d zq.line",
        ),
        Way::new(
            "an order on a contact",
            "create_data",
            "zq.partner",
            json!({"payload": {"p_order_ids": [{"o_name": "x", "o_line_ids": [{"l_name": "y"}]}]}}),
            "w zq.partner.p_order_ids, w zq.order.o_name, w zq.order.o_line_ids, w zq.line.l_name",
        ),
    ];
    for (model, field) in [
        ("ir.cron", "r_name"),
        ("res.users", "u_name"),
        ("res.groups", "g_name"),
        ("res.config.settings", "k_name"),
        ("base.import", "y_name"),
        ("zq.secret", "s_name"),
    ] {
        let (payload, key) = (json!({field: "x"}), json!({field: "k"}));
        let on = |route, vals| Way::new(&format!("{model} by {route}"), route, model, vals, "");
        ways.extend([
            on("create_data", json!({"payload": payload})),
            on("create_update_data", json!({"payload": payload, "search_key": key})),
            on("update_data", json!({"payload": payload, "search_key": key})),
            on("search_data", json!({"payload": {"search_field": [field]}})),
            on("search_data", json!({"payload": {}})),
            on("call_function", json!({"payload": {"method": "action_go"}, "search_key": key})),
            on("call_function", json!({"payload": {"method": "action_go", "on_model": true}})),
        ]);
    }
    ways
}
