//! Values that Odoo drops without a word are said.

use serde_json::{Value, json};

use crate::support::{
    client::Client,
    gateway::Gateway,
    odoo::{Odoo, odoo, odoo_14},
};

fn unique(what: &str) -> String {
    format!("{what} {}", uuid::Uuid::new_v4().simple())
}

async fn partner(odoo: &Odoo) -> i64 {
    odoo.create("res.partner", json!({"name": unique("A")})).await
}

/// The places of the warnings `field_not_written`; there must be no others.
#[track_caller]
fn not_written(answer: &Value) -> Vec<&str> {
    assert_eq!(answer["is_success"], true, "{answer}");
    let warnings = answer["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(warnings.iter().all(|warning| warning["code"] == "field_not_written"), "{answer}");
    warnings.iter().map(|warning| warning["path"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn values_that_odoo_drops_are_said_and_those_that_it_writes_are_not() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let client = Client::log_in(&gateway, odoo).await;
        let dropped = json!({"amount_total": 77.0, "display_name": "Z", "invoice_count": 5, "create_date": "2020-01-01 00:00:00"});
        // Readonly in forms alone; computed, and editable all the same; computed, with an inverse.
        let mut payload =
            json!({"partner_id": partner(odoo).await, "state": "sent", "client_order_ref": "R", "note": "N"});
        payload.as_object_mut().unwrap().extend(dropped.as_object().unwrap().clone());
        let wanted =
            json!(["amount_total", "display_name", "invoice_count", "create_date", "state", "client_order_ref"]);
        let vals = json!({"payload": payload, "result_field": wanted});
        let answer = client.call("create_data", "sale.order", vals).await;
        let mut said = not_written(&answer);
        said.sort_unstable();
        assert_eq!(
            said,
            ["payload.amount_total", "payload.create_date", "payload.display_name", "payload.invoice_count"],
            "{answer}"
        );
        for (field, sent) in dropped.as_object().unwrap() {
            assert_ne!(&answer["result"][field], sent, "Odoo {} writes {field}", odoo.version);
        }
        assert_eq!((&answer["result"]["state"], &answer["result"]["client_order_ref"]), (&json!("sent"), &json!("R")));
    }
}

#[tokio::test]
async fn what_odoo_computes_in_a_new_record_it_keeps_in_one_that_is_there() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let client = Client::log_in(&gateway, odoo).await;
        let order = odoo.create("sale.order", json!({"partner_id": partner(odoo).await})).await;
        let upsert =
            json!({"search_key": {"id": order}, "payload": {"amount_total": 77.0}, "result_field": ["amount_total"]});
        let answer = client.call("create_update_data", "sale.order", upsert).await;
        assert_eq!((not_written(&answer), &answer["result"]["amount_total"]), (vec![], &json!(77.0)), "{answer}");
        let payload = json!({"amount_total": 77.0, "partner_id": partner(odoo).await});
        let upsert = json!({"search_key": {"client_order_ref": unique("none")}, "payload": payload});
        let answer = client.call("create_update_data", "sale.order", upsert).await;
        assert_eq!(not_written(&answer), ["payload.amount_total"]);
    }
}

#[tokio::test]
async fn what_odoo_drops_is_said_in_lines_commands_and_auto_create_and_is_an_error_where_strict() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let (name, tag) = (unique("A"), unique("tag"));
    let line = json!({"name": "text", "display_type": "line_note", "price_total": 5.0, "display_name": "Z"});
    let payload = json!({
        "partner_id": {"name": name},
        "order_line": [line],
        "tag_ids": [[0, 0, {"name": tag, "display_name": "Z"}]],
    });
    let auto_create = json!({"partner_id": {"name": name, "display_name": "Z", "category_id": [[0, 0, {"name": tag, "display_name": "Z"}]]}});
    let vals = json!({"payload": payload, "auto_create": auto_create});
    let answer = client.call("create_data", "sale.order", vals.clone()).await;
    let mut said = not_written(&answer);
    said.sort_unstable();
    let expected = [
        "auto_create.partner_id.category_id[0][2].display_name",
        "auto_create.partner_id.display_name",
        "payload.order_line[0].display_name",
        "payload.order_line[0].price_total",
        "payload.tag_ids[0][2].display_name",
    ];
    assert_eq!(said, expected, "{answer}");
    let name = unique("A");
    let payload = json!({"name": name, "child_ids": [{"name": "kid", "display_name": "Z"}]});
    let answer = client.call("create_data", "res.partner", json!({"payload": payload, "strict": true})).await;
    let error = &answer["error"];
    assert_eq!(
        (&error["code"], &error["path"], &error["retry"]),
        (&json!("field_not_written"), &json!("payload.child_ids[0].display_name"), &json!("no")),
        "{answer}"
    );
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 0);
}

#[tokio::test]
async fn a_field_of_an_inherited_model_is_judged_as_it_is_there() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let client = Client::log_in(&gateway, odoo).await;
        // The template counts its variants itself.
        let payload = json!({"name": unique("P"), "default_code": "C", "product_variant_count": 7, "list_price": 3.0});
        let vals = json!({"payload": payload, "result_field": ["list_price"]});
        let answer = client.call("create_data", "product.product", vals).await;
        assert_eq!(not_written(&answer), ["payload.product_variant_count"]);
        assert_eq!(answer["result"]["list_price"], 3.0, "{answer}");
        // Readonly in forms alone, and stored in the message.
        let id = format!("<{}@example.com>", unique("m"));
        let vals = json!({"payload": {"subject": "S", "message_id": id}, "result_field": ["message_id"]});
        let answer = client.call("create_data", "mail.mail", vals).await;
        assert_eq!((not_written(&answer), &answer["result"]["message_id"]), (vec![], &json!(id)), "{answer}");
    }
}
