//! What is answered: `search_field` and `result_field`, with fields within relations to the third level, copies and references.

use serde_json::{Value, json};

use super::Way;

/// Each way of naming fields, and what it reads.
const FIELDS: [(&str, &str, &str); 15] = [
    ("a field", "o_name", "r zq.order.o_name"),
    ("a relation", "o_partner_id", "r zq.order.o_partner_id"),
    ("a field within", "o_partner_id{p_code}", "r zq.order.o_partner_id, r zq.partner.p_code"),
    ("the id within", "o_partner_id{id}", "r zq.order.o_partner_id, m zq.partner"),
    (
        "a field of the second level",
        "o_partner_id{p_name, p_secret_id{s_code}}",
        "r zq.order.o_partner_id, r zq.partner.p_name, r zq.partner.p_secret_id, r zq.secret.s_code",
    ),
    (
        "a field of the third level",
        "o_line_ids{l_sub_ids{b_leaf_ids{f_name}}}",
        "r zq.order.o_line_ids, r zq.line.l_sub_ids, r zq.sub.b_leaf_ids, r zq.leaf.f_name",
    ),
    ("a field of many", "o_tag_ids{t_code,t_secret_id}", "r zq.order.o_tag_ids, r zq.tag.t_code, r zq.tag.t_secret_id"),
    ("a field of a user", "o_user_id{u_code}", "r zq.order.o_user_id, r res.users.u_code"),
    ("a field of a user's groups", "o_user_id{u_group_ids{g_name}}", "r res.users.u_group_ids, r res.groups.g_name"),
    ("a copy", "o_copy", "r zq.order.o_copy, r zq.partner.p_code as o_copy"),
    (
        "a copy of a copy",
        "o_copy_of_copy",
        "r zq.order.o_copy_of_copy, r zq.order.o_copy as o_copy_of_copy, r zq.partner.p_code as o_copy_of_copy",
    ),
    ("a copy from two models on", "o_far_copy", "r zq.order.o_far_copy, r zq.secret.s_code as o_far_copy"),
    ("a copy within", "o_line_ids{l_order_id{o_copy}}", "r zq.order.o_copy, r zq.partner.p_code as o_copy"),
    ("a reference", "o_ref", "r zq.order.o_ref"),
    ("white space", " o_partner_id { p_code } ", "r zq.order.o_partner_id, r zq.partner.p_code"),
];

pub(super) fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    for (name, field, touches) in FIELDS {
        let mut by = |route, how: &str, vals: Value| {
            let way = Way::new(&format!("{name} {how}"), route, "zq.order", vals, touches);
            ways.push(way.form(route != "search_data"));
        };
        let fields = json!(["o_date", field]);
        by("search_data", "that is searched", json!({"payload": {"search_field": fields}}));
        by("create_data", "of a new record", json!({"payload": {"o_json": 1}, "result_field": fields}));
        let update = json!({"payload": {"o_json": 1}, "search_key": {"id": 71}, "result_field": fields});
        by("update_data", "of an updated record", update.clone());
        by("create_update_data", "of one or the other", update);
    }
    let search = |name, fields: Value, touches| {
        Way::new(name, "search_data", "zq.order", json!({"payload": {"search_field": fields}}), touches)
    };
    ways.extend([
        search("a field within a reference", json!(["o_ref{s_code}"]), "r zq.order.o_ref, r zq.secret.s_code"),
        search(
            "a field of the second level within a reference",
            json!(["o_tag_ref{t_code, t_parent_id{t_secret_id{s_code}}}"]),
            "r zq.order.o_tag_ref, r zq.tag.t_parent_id, r zq.tag.t_secret_id, r zq.secret.s_code",
        ),
        search(
            "a field within a reference of the second level",
            json!(["o_partner_id{p_order_ids{o_ref{s_code}}}"]),
            "r zq.order.o_ref, r zq.secret.s_code",
        ),
        search("a field that there is not", json!(["o_ghost"]), "~r zq.order.o_ghost").coming_to("ok|unknown_field"),
        search("a field within that there is not", json!(["o_partner_id{p_ghost}"]), "~r zq.partner.p_ghost")
            .coming_to("unknown_field"),
        search(
            "a field named twice",
            json!(["o_partner_id{p_name}", "o_partner_id{p_code}"]),
            "r zq.partner.p_name, r zq.partner.p_code",
        ),
    ]);
    ways
}
