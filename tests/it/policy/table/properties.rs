//! Properties (Odoo 16 and later): what their definitions and values lead to, and where the definitions stand. An order's are
//! defined in its contact, in `p_defs`; the first of them leads to a `zq.secret`.

use serde_json::{Value, json};

use super::Way;

const DEFINES: &str = "w zq.order.o_props, ~w zq.partner.p_defs, d zq.partner, m zq.tag, d zq.tag";

pub(super) fn ways() -> Vec<Way> {
    let create = |name: &str, payload: Value, touches| {
        Way::new(name, "create_data", "zq.order", json!({"payload": payload}), touches)
    };
    let property = |more: Value| {
        let mut property = json!({"name": "a", "type": "many2one", "comodel": "zq.tag", "value": 21});
        property.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([{"name": "c", "type": "char", "value": "x"}, property])
    };
    let (plain, changed) = (property(json!({})), property(json!({"definition_changed": true})));
    let mut ways = vec![
        create("properties by their names", json!({"o_props": {"a": 41}}), "w zq.order.o_props"),
        create("properties by their names in a text", json!({"o_props": "{\"a\": 41}"}), "w zq.order.o_props"),
        create("a property that names a model", json!({"o_props": plain}), "w zq.order.o_props, m zq.tag, d zq.tag"),
        create("a definition that is changed", json!({"o_props": changed}), DEFINES),
        create("a definition in a text", json!({"o_props": changed.to_string()}), DEFINES),
        create(
            "a definition that is removed",
            json!({"o_props": [{"name": "a", "definition_deleted": true}]}),
            "w zq.order.o_props, ~w zq.partner.p_defs, d zq.partner",
        ),
        create(
            "a definition's domain",
            json!({"o_props": property(json!({"domain": "[('t_secret_id.s_code', '=', 'x')]"}))}),
            "m zq.tag, d zq.tag, ~r zq.tag.t_secret_id, ~r zq.secret.s_code",
        ),
        Way::new(
            "a definition of an updated record",
            "update_data",
            "zq.order",
            json!({"search_key": {"id": 71}, "payload": {"o_props": changed}}),
            DEFINES,
        ),
        Way::new(
            "a definition in a line",
            "create_data",
            "zq.partner",
            json!({"payload": {"p_order_ids": [{"o_props": changed}]}}),
            DEFINES,
        ),
        Way::new(
            "a definition in a command",
            "create_data",
            "res.users",
            json!({"payload": {"u_order_ids": [[0, 0, {"o_props": changed}]]}}),
            DEFINES,
        ),
        Way::new(
            "a definition of a missing record",
            "create_data",
            "zq.secret",
            json!({"payload": {"s_order_id": {"o_code": "missing"}},
                   "auto_create": {"s_order_id": {"o_code": "missing", "o_props": changed}}}),
            DEFINES,
        ),
        Way::new(
            "definitions themselves",
            "create_data",
            "zq.partner",
            json!({"payload": {"p_defs": property(json!({"domain": [["t_code", "=", "x"]], "default": 21}))}}),
            "w zq.partner.p_defs, m zq.tag, d zq.tag, ~r zq.tag.t_code",
        ),
        Way::new(
            "definitions in a text",
            "create_data",
            "zq.partner",
            json!({"payload": {"p_defs": plain.to_string()}}),
            "w zq.partner.p_defs, m zq.tag, d zq.tag",
        ),
    ];
    for (name, context, touches) in [
        ("a default definition", json!({"default_o_props": changed}), DEFINES),
        ("a default property", json!({"default_o_props.a": 41}), "~w zq.order.o_props"),
    ] {
        let vals = json!({"payload": {"method": "action_go", "on_model": true, "context": context}});
        ways.push(Way::new(name, "call_function", "zq.order", vals, touches));
    }
    let search =
        |name, model, payload, touches| Way::new(name, "search_data", model, json!({"payload": payload}), touches);
    let (answered, within) = (json!({"search_field": ["o_props"]}), json!({"search_field": ["p_order_ids{o_props}"]}));
    let path = json!({"search_domain": [["o_props.a", "=", 41]], "order": "o_props.c", "search_field": ["o_json"]});
    ways.extend([
        search("properties", "zq.order", answered, "r zq.order.o_props, r zq.partner.p_defs as o_props, m zq.secret"),
        search(
            "properties within",
            "zq.partner",
            within,
            "r zq.partner.p_order_ids, r zq.order.o_props, r zq.partner.p_defs as o_props, m zq.secret",
        ),
        search("definitions", "zq.partner", json!({"search_field": ["p_defs"]}), "r zq.partner.p_defs, m zq.secret"),
        search("a search by a property", "zq.order", path, "r zq.order.o_props, r zq.partner.p_defs as o_props"),
    ]);
    ways
}
