//! Properties (Odoo 16 and later): what their definitions and values lead to, and where the definitions stand. An order's are
//! defined in its contact, in `p_defs`; the first of them leads to a `zq.secret`. Names that Odoo has generated pass where the
//! definitions must not be read, and labels do not.

use serde_json::{Value, json};

use super::Way;
use crate::policy::world::{LINK, LINK_LABEL, NOTE};

const DEFINES: &str = "w zq.order.o_props, ~w zq.partner.p_defs, d zq.partner, m zq.tag, d zq.tag";

pub(super) fn ways() -> Vec<Way> {
    let create = |name: &str, payload: Value, touches| {
        Way::new(name, "create_data", "zq.order", json!({"payload": payload}), touches)
    };
    let property = |more: Value| {
        let mut property = json!({"name": LINK, "type": "many2one", "comodel": "zq.tag", "value": 21});
        property.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([{"name": NOTE, "type": "char", "value": "x"}, property])
    };
    let (plain, changed) = (property(json!({})), property(json!({"definition_changed": true})));
    let by_name = json!({LINK: 41, NOTE: "x"});
    let mut ways = vec![
        create("properties by their names", json!({"o_props": by_name}), "w zq.order.o_props"),
        create("properties by their names in a text", json!({"o_props": by_name.to_string()}), "w zq.order.o_props"),
        create(
            "properties of a part by their names",
            json!({"o_partner_id": {"p_code": "x"}, "o_props": by_name}),
            "w zq.order.o_props, w zq.order.o_partner_id, r zq.partner.p_code",
        ),
        create(
            "properties of a part by their labels",
            json!({"o_partner_id": {"p_code": "x"}, "o_props": {LINK_LABEL: 41}}),
            "w zq.order.o_props, w zq.order.o_partner_id, r zq.partner.p_code, ~r zq.order.o_props, \
             ~r zq.order.o_partner_id, r zq.partner.p_defs",
        ),
        Way::new(
            "properties of an updated record by their labels",
            "update_data",
            "zq.order",
            json!({"search_key": {"id": 71}, "payload": {"o_props": [{"string": LINK_LABEL, "value": 41}]}}),
            "w zq.order.o_props, r zq.order.o_props, ~r zq.order.o_partner_id, ~r zq.partner.p_defs",
        ),
        Way::new(
            "properties of a line by their labels",
            "update_data",
            "zq.partner",
            json!({"search_key": {"id": 31},
                   "payload": {"p_order_ids": {"mode": "add", "records": [{"o_props": {LINK_LABEL: 41}}]}}}),
            "w zq.partner.p_order_ids, w zq.order.o_props, ~r zq.order.o_props, ~r zq.order.o_partner_id, r zq.partner.p_defs",
        ),
        Way::new(
            "properties within a command by their labels",
            "update_data",
            "zq.partner",
            json!({"search_key": {"id": 31}, "payload": {"p_order_ids": [[0, 0, {"o_props": {LINK_LABEL: 41}}]]}}),
            "w zq.partner.p_order_ids, w zq.order.o_props, ~r zq.order.o_props, ~r zq.order.o_partner_id, \
             r zq.partner.p_defs, d zq.order",
        ),
        create("a property that names a model", json!({"o_props": plain}), "w zq.order.o_props, m zq.tag, d zq.tag"),
        create("a definition that is changed", json!({"o_props": changed}), DEFINES),
        create("a definition in a text", json!({"o_props": changed.to_string()}), DEFINES),
        create(
            "a definition that is removed",
            json!({"o_props": [{"name": LINK, "definition_deleted": true}]}),
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
        ("a default property", json!({format!("default_o_props.{LINK}"): 41}), "~w zq.order.o_props"),
    ] {
        let vals = json!({"payload": {"method": "action_go", "on_model": true, "context": context}});
        ways.push(Way::new(name, "call_function", "zq.order", vals, touches));
    }
    let search =
        |name, model, payload, touches| Way::new(name, "search_data", model, json!({"payload": payload}), touches);
    let (answered, within) = (json!({"search_field": ["o_props"]}), json!({"search_field": ["p_order_ids{o_props}"]}));
    let (link, note) = (format!("o_props.{LINK}"), format!("o_props.{NOTE}"));
    let path = json!({"search_domain": [[link, "=", 41]], "order": note, "search_field": ["o_json"]});
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

/// Where no record is named that has the definitions, Odoo is asked for those that a new record would get (17 and later).
pub(super) fn of_forms() -> Vec<Way> {
    let touches = "w zq.order.o_props, r zq.order.o_props, r zq.order.o_partner_id, ~r zq.partner.p_defs";
    vec![
        Way::new(
            "properties of a new record by their labels",
            "create_data",
            "zq.order",
            json!({"payload": {"o_props": {LINK_LABEL: 41}, "o_name": "x"}}),
            touches,
        ),
        Way::new(
            "properties of a missing record by their labels",
            "create_data",
            "zq.secret",
            json!({"payload": {"s_order_id": {"o_code": "missing"}},
                   "auto_create": {"s_order_id": {"o_code": "missing", "o_props": {LINK_LABEL: 41}}}}),
            touches,
        ),
    ]
}
