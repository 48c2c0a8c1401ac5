//! Files: of a record without a field for them, through a field of its own, in lines, and those that name their record.

use serde_json::json;

use super::Way;

const WRITTEN: &str = "w ir.attachment.name, w ir.attachment.datas, w ir.attachment.res_model, ~w ir.attachment.res_id";

pub(super) fn ways() -> Vec<Way> {
    let files = json!([{"name": "a", "datas": "QQ=="}]);
    let create =
        |name, model, payload, touches| Way::new(name, "create_data", model, json!({"payload": payload}), touches);
    let own = |route, vals, touches| Way::new("a file that names its record", route, "ir.attachment", vals, touches);
    vec![
        create("a file", "zq.order", json!({"attachment_ids": files}), WRITTEN),
        create("a file's field", "zq.order", json!({"attachment_ids": files}), "~w zq.order.attachment_ids"),
        create("a file through a one2many", "zq.partner", json!({"attachment_ids": files}), WRITTEN),
        create("a file through a many2many", "zq.tag", json!({"attachment_ids": files}), WRITTEN),
        create("a file in a line", "zq.order", json!({"o_line_ids": [{"attachment_ids": files}]}), WRITTEN),
        create("a line of a file", "zq.order", json!({"o_line_ids": [{"attachment_ids": files}]}), "m zq.line"),
        create(
            "a file at the third level",
            "zq.order",
            json!({"o_line_ids": [{"l_sub_ids": [{"b_leaf_ids": [{"attachment_ids": files}]}]}]}),
            WRITTEN,
        ),
        Way::new(
            "a file of a record that is there",
            "update_data",
            "zq.order",
            json!({"search_key": {"o_code": "A"}, "payload": {"attachment_ids": files}}),
            WRITTEN,
        ),
        create(
            "a file by Odoo's commands",
            "zq.partner",
            json!({"attachment_ids": [[0, 0, {"name": "a", "a_note": "x"}]]}),
            "w zq.partner.attachment_ids, w ir.attachment.name, w ir.attachment.a_note",
        ),
        create(
            "a file by Odoo's commands that names its record",
            "zq.partner",
            json!({"attachment_ids": [[0, 0, {"name": "a", "res_model": "zq.secret", "res_id": 41}]]}),
            "m zq.secret, d zq.secret, w ir.attachment.res_model, w ir.attachment.res_id",
        ),
        create(
            "a link to a file",
            "zq.tag",
            json!({"attachment_ids": [[4, 61]]}),
            "w zq.tag.attachment_ids, m ir.attachment",
        ),
        create(
            "a file by its id",
            "zq.tag",
            json!({"attachment_ids": [61]}),
            "w zq.tag.attachment_ids, m ir.attachment",
        ),
        own(
            "create_data",
            json!({"payload": {"name": "a", "res_model": "zq.secret", "res_id": 41}}),
            "m zq.secret, d zq.secret, w ir.attachment.res_model, w ir.attachment.res_id",
        ),
        own(
            "update_data",
            json!({"search_key": {"a_note": "x"}, "payload": {"res_model": "zq.secret", "res_id": 41}}),
            "m zq.secret, d zq.secret, w ir.attachment.res_model, r ir.attachment.a_note",
        ),
        own(
            "create_update_data",
            json!({"search_key": {"a_note": "missing"}, "payload": {"res_model": "zq.secret", "res_id": 41}}),
            "m zq.secret, d zq.secret, w ir.attachment.res_model, r ir.attachment.a_note",
        ),
        Way::new(
            "a file that names its record's model alone",
            "update_data",
            "ir.attachment",
            json!({"search_key": {"a_note": "x"}, "payload": {"res_model": "zq.secret"}}),
            "m zq.secret, d zq.secret, w ir.attachment.res_model",
        ),
        create(
            "a file by Odoo's commands that names its record's model alone",
            "zq.partner",
            json!({"attachment_ids": [[1, 61, {"res_model": "zq.secret"}]]}),
            "m zq.secret, d zq.secret, w ir.attachment.res_model",
        ),
        create(
            "what says by a model's id what it belongs to",
            "zq.activity",
            json!({"res_model_id": 5, "res_id": 41}),
            "m ir.model, w zq.activity.res_model_id, w zq.activity.res_id",
        ),
    ]
}
