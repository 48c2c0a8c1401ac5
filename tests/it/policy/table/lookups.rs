//! Lookups: in many2one and many2many fields, on every level, by keys of every form, and what is made where they find nothing.

use serde_json::json;

use super::Way;

pub(super) fn ways() -> Vec<Way> {
    let create =
        |name, payload, touches| Way::new(name, "create_data", "zq.order", json!({"payload": payload}), touches);
    let made = |name, vals, touches| Way::new(name, "create_data", "zq.order", vals, touches);
    vec![
        create("a lookup", json!({"o_partner_id": {"p_code": "x"}}), "w zq.order.o_partner_id, r zq.partner.p_code"),
        create(
            "a lookup in a line",
            json!({"o_line_ids": [{"l_partner_id": {"p_code": "x"}}]}),
            "w zq.order.o_line_ids, w zq.line.l_partner_id, r zq.partner.p_code",
        ),
        create(
            "a lookup in a line's line",
            json!({"o_line_ids": [{"l_sub_ids": [{"b_partner_id": {"p_code": "x"}}]}]}),
            "w zq.line.l_sub_ids, w zq.sub.b_partner_id, r zq.partner.p_code",
        ),
        create(
            "a lookup at the third level",
            json!({"o_line_ids": [{"l_sub_ids": [{"b_leaf_ids": [{"f_partner_id": {"p_code": "x"}}]}]}]}),
            "w zq.sub.b_leaf_ids, w zq.leaf.f_partner_id, r zq.partner.p_code",
        ),
        create(
            "several lookups at once",
            json!({"o_line_ids": [{"l_partner_id": {"p_code": "x"}}, {"l_partner_id": {"p_code": "y"}}]}),
            "w zq.order.o_line_ids, w zq.line.l_partner_id, r zq.partner.p_code",
        ),
        create(
            "a lookup by a dotted key",
            json!({"o_partner_id": {"p_parent_id.p_code": "x"}}),
            "w zq.order.o_partner_id, r zq.partner.p_parent_id, r zq.partner.p_code",
        ),
        create(
            "a lookup by a key of three names",
            json!({"o_partner_id": {"p_parent_id.p_secret_id.s_code": "x"}}),
            "w zq.order.o_partner_id, r zq.partner.p_parent_id, r zq.partner.p_secret_id, r zq.secret.s_code",
        ),
        create(
            "a lookup by the name of what its key leads to",
            json!({"o_partner_id": {"p_secret_id": "x"}}),
            "w zq.order.o_partner_id, r zq.partner.p_secret_id, ~r zq.secret.display_name, n zq.secret",
        ),
        create(
            "a lookup by the id of what its key leads to",
            json!({"o_partner_id": {"p_secret_id": 41}}),
            "w zq.order.o_partner_id, r zq.partner.p_secret_id",
        ),
        create(
            "a lookup by id",
            json!({"o_partner_id": {"id": 31}}),
            "w zq.order.o_partner_id, m zq.partner, r zq.partner.id",
        ),
        create("an id", json!({"o_secret_id": 41}), "w zq.order.o_secret_id"),
        create("a user", json!({"o_user_id": {"u_code": "x"}}), "w zq.order.o_user_id, r res.users.u_code"),
        create(
            "a lookup by a key that there is not",
            json!({"o_partner_id": {"p_ghost": "x"}}),
            "w zq.order.o_partner_id, ~r zq.partner.p_ghost",
        )
        .coming_to("unknown_lookup_field"),
        Way::new(
            "a lookup by a copy",
            "create_data",
            "zq.line",
            json!({"payload": {"l_order_id": {"o_copy": "x"}}}),
            "w zq.line.l_order_id, r zq.order.o_copy, r zq.partner.p_code as o_copy",
        ),
        Way::new(
            "the company",
            "create_data",
            "zq.partner",
            json!({"payload": {"company_id": {"c_code": "x"}, "p_name": "x"}}),
            "w zq.partner.company_id, r res.company.c_code, w zq.partner.p_name",
        ),
        create(
            "records that are added",
            json!({"o_tag_ids": {"mode": "add", "records": [{"t_code": "x"}, {"t_name": "y"}]}}),
            "w zq.order.o_tag_ids, r zq.tag.t_code, r zq.tag.t_name",
        ),
        create(
            "records in place of others",
            json!({"o_tag_ids": {"mode": "replace", "records": [{"t_code": "x"}]}}),
            "w zq.order.o_tag_ids, r zq.tag.t_code",
        ),
        create(
            "records by a dotted key",
            json!({"o_tag_ids": {"records": [{"t_parent_id.t_secret_id.s_code": "x"}]}}),
            "w zq.order.o_tag_ids, r zq.tag.t_parent_id, r zq.tag.t_secret_id, r zq.secret.s_code",
        ),
        create(
            "records of a line at the third level",
            json!({"o_line_ids": [{"l_sub_ids": [{"b_leaf_ids": [{"f_tag_ids": {"records": [{"t_code": "x"}]}}]}]}]}),
            "w zq.leaf.f_tag_ids, r zq.tag.t_code",
        ),
        create(
            "records by their ids",
            json!({"o_tag_ids": {"mode": "add", "records": [21]}}),
            "w zq.order.o_tag_ids, m zq.tag",
        ),
        create("a list of ids", json!({"o_tag_ids": [21, 22]}), "w zq.order.o_tag_ids, m zq.tag"),
        made(
            "a missing record",
            json!({"payload": {"o_partner_id": {"p_code": "missing"}},
                   "auto_create": {"o_partner_id": {"p_code": "missing", "p_name": "x"}}}),
            "w zq.order.o_partner_id, r zq.partner.p_code, w zq.partner.p_code, w zq.partner.p_name",
        ),
        made(
            "a missing record's lookup",
            json!({"payload": {"o_partner_id": {"p_code": "missing"}},
                   "auto_create": {"o_partner_id": {"p_code": "missing", "p_secret_id": {"s_code": "x"}}}}),
            "w zq.partner.p_secret_id, r zq.secret.s_code",
        ),
        made(
            "a missing record's lines and their lookups",
            json!({"payload": {"o_partner_id": {"p_code": "missing"}},
                   "auto_create": {"o_partner_id": {"p_code": "missing", "p_order_ids": [
                       {"o_name": "x", "o_secret_id": {"s_code": "x"}, "o_line_ids": [{"l_name": "x"}]}]}}}),
            "w zq.partner.p_order_ids, w zq.order.o_name, w zq.order.o_secret_id, r zq.secret.s_code, \
             w zq.order.o_line_ids, w zq.line.l_name",
        ),
        made(
            "a missing record that another missing one needs",
            json!({"payload": {"o_partner_id": {"p_code": "missing"}},
                   "auto_create": {"o_partner_id": {"p_code": "missing", "p_secret_id": {"s_code": "missing too"}},
                                   "p_secret_id": {"s_code": "missing too", "s_name": "x"}}}),
            "w zq.partner.p_secret_id, r zq.secret.s_code, w zq.secret.s_code, w zq.secret.s_name",
        ),
        made(
            "a missing record that is made in its place",
            json!({"payload": {"o_tag_ids": {"mode": "add", "records": [{"t_code": "missing"}]}},
                   "auto_create": {"o_tag_ids": [{"t_code": "missing", "t_name": "x", "t_secret_id": {"s_code": "x"}}]}}),
            "w zq.order.o_tag_ids, r zq.tag.t_code, w zq.tag.t_code, w zq.tag.t_name, w zq.tag.t_secret_id, r zq.secret.s_code",
        ),
        made(
            "a missing record's commands",
            json!({"payload": {"o_partner_id": {"p_code": "missing"}},
                   "auto_create": {"o_partner_id": {"p_code": "missing", "p_tag_ids": [[0, 0, {"t_name": "x"}]]}}}),
            "w zq.partner.p_tag_ids, w zq.tag.t_name, d zq.tag",
        ),
        made(
            "a missing record's files",
            json!({"payload": {"o_partner_id": {"p_code": "missing"}},
                   "auto_create": {"o_partner_id": {"p_code": "missing", "attachment_ids": [{"name": "a", "datas": "QQ=="}]}}}),
            "w zq.partner.attachment_ids, w ir.attachment.name, w ir.attachment.datas, w ir.attachment.res_model",
        ),
    ]
}
