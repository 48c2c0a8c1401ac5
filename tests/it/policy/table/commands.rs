//! Odoo's own commands, in their forms and in forms that Python takes for them.

use serde_json::{Value, json};

use super::Way;

pub(super) fn ways() -> Vec<Way> {
    let create = |name: &str, payload: Value, touches| {
        Way::new(name, "create_data", "zq.order", json!({"payload": payload}), touches)
    };
    let update = |name: &str, payload: Value, touches| {
        let vals = json!({"search_key": {"o_code": "A"}, "payload": payload});
        Way::new(name, "update_data", "zq.order", vals, touches)
    };
    let mut ways = Vec::new();
    // Python takes false and 0.0 for 0, and 1.0 for 1.
    for code in [json!(0), json!(false), json!(0.0), json!(1), json!(1.0)] {
        let name = format!("a line by the command {code}");
        let touches = "w zq.order.o_line_ids, w zq.line.l_name, d zq.line";
        ways.push(create(&name, json!({"o_line_ids": [[code, 101, {"l_name": "x"}]]}), touches).form(code != 0));
        let name = format!("a record by the command {code}");
        let touches = "w zq.order.o_tag_ids, w zq.tag.t_name, d zq.tag";
        ways.push(update(&name, json!({"o_tag_ids": [[4, 21], [code, 21, {"t_name": "x"}]]}), touches).form(code != 0));
    }
    for command in [json!([2, 21]), json!([3, 21, 0]), json!([4, 21]), json!([5]), json!([6, 0, [21]])] {
        let name = format!("the command {command}");
        let touches = "w zq.order.o_tag_ids, m zq.tag, d zq.tag";
        ways.push(update(&name, json!({"o_tag_ids": [command]}), touches).form(true));
        let name = format!("the command {command} on lines");
        let touches = "w zq.order.o_line_ids, m zq.line, d zq.line";
        ways.push(update(&name, json!({"o_line_ids": [command]}), touches).form(true));
    }
    ways.extend([
        create(
            "a record behind the place of the values",
            json!({"o_line_ids": [[0, {"l_name": "x"}, {"l_code": "x"}, {"l_vault": "x"}]]}),
            "~w zq.line.l_name, w zq.line.l_code, ~w zq.line.l_vault, d zq.line",
        ),
        create(
            "commands within commands",
            json!({"o_line_ids": [[0, 0, {"l_sub_ids": [[0, 0, {"b_leaf_ids": [[0, 0, {"f_name": "x"}]]}]]}]]}),
            "w zq.line.l_sub_ids, w zq.sub.b_leaf_ids, w zq.leaf.f_name, d zq.line, d zq.sub, d zq.leaf",
        ),
        create(
            "odd commands within odd commands",
            json!({"o_line_ids": [[false, 0, {"l_tag_ids": [[0.0, 0, {"t_name": "x"}]]}]]}),
            "w zq.line.l_tag_ids, w zq.tag.t_name, d zq.line, d zq.tag",
        ),
        create(
            "a command within a line",
            json!({"o_line_ids": [{"l_sub_ids": [[0, 0, {"b_name": "x"}]]}]}),
            "w zq.order.o_line_ids, w zq.line.l_sub_ids, w zq.sub.b_name, d zq.sub",
        ),
        create(
            "an id within a command",
            json!({"o_line_ids": [[0, 0, {"l_partner_id": 31}]]}),
            "w zq.line.l_partner_id, d zq.partner",
        ),
        create(
            "ids within a command",
            json!({"o_line_ids": [[0, 0, {"l_tag_ids": [21]}]]}),
            "w zq.line.l_tag_ids, m zq.tag, d zq.tag",
        ),
        create(
            "a copy within a command",
            json!({"o_secret_ids": [[0, 0, {"s_order_id": 71}]], "o_copy": "x"}),
            "w zq.secret.s_order_id, d zq.order, w zq.partner.p_code as o_copy",
        ),
        create(
            "a field that there is not, within a command",
            json!({"o_line_ids": [[0, 0, {"l_ghost": "x"}]]}),
            "w zq.order.o_line_ids, m zq.line, ~w zq.line.l_ghost",
        ),
        Way::new(
            "a reference within a command",
            "create_data",
            "res.users",
            json!({"payload": {"u_order_ids": [[0, 0, {"o_ref": "zq.secret,31"}]]}}),
            "w res.users.u_order_ids, w zq.order.o_ref, m zq.secret, d zq.secret",
        ),
        create(
            "a lookup within a command",
            json!({"o_line_ids": [[0, 0, {"l_partner_id": {"p_code": "x"}}]]}),
            "w zq.line.l_partner_id, r zq.partner.p_code",
        ),
        create(
            "a lookup by a dotted key within a command",
            json!({"o_line_ids": [[0, 0, {"l_partner_id": {"p_parent_id.p_code": "x"}}]]}),
            "w zq.line.l_partner_id, r zq.partner.p_parent_id, r zq.partner.p_code",
        ),
        create(
            "lines and their lookups within a command",
            json!({"o_line_ids": [[0, 0, {"l_sub_ids": [{"b_name": "x", "b_partner_id": {"p_code": "x"}}]}]]}),
            "w zq.line.l_sub_ids, w zq.sub.b_name, w zq.sub.b_partner_id, r zq.partner.p_code",
        ),
        Way::new(
            "a group by a command of a user",
            "create_data",
            "res.users",
            json!({"payload": {"u_group_ids": [[4, 1]]}}),
            "w res.users.u_group_ids, m res.groups",
        ),
    ]);
    ways
}
