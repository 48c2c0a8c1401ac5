//! Records that are a part of others (Odoo's `_inherits`), and are deleted with them: what a call takes back, it takes back
//! without a record that was there before.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::Client,
    gateway::Gateway,
    odoo::{Odoo, odoo, odoo_14},
};

async fn client(odoo: &Odoo) -> (Gateway, Client) {
    let gateway = Gateway::before(&odoo.url, &odoo.database, "");
    let client = Client::log_in(&gateway, odoo).await;
    (gateway, client)
}

/// The models and ids that the answer says are left.
fn left(answer: &Value) -> Vec<(&str, Vec<i64>)> {
    let ids = |left: &Value| left["ids"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    let left = answer["error"]["left"].as_array().map(Vec::as_slice).unwrap_or_default();
    left.iter().map(|left| (left["model"].as_str().unwrap(), ids(left))).collect()
}

/// Odoo 19 deletes the attachment of a document that is deleted.
#[tokio::test]
async fn a_failed_call_does_not_delete_a_file_that_its_document_was_made_of() {
    let odoo = odoo().await;
    let (_gateway, client) = client(odoo).await;
    let product = odoo.call("product.product", "search", json!([[], 0, 1]), json!({})).await.unwrap()[0].take();
    for (part, is_left) in
        [((|file| json!(file)) as fn(i64) -> Value, true), (|file| json!({"id": file}), true), (|_| Value::Null, false)]
    {
        let u = Uuid::new_v4().to_string();
        let file = odoo.create("ir.attachment", json!({"name": "kept.txt", "datas": "a2VwdA=="})).await;
        // Two lines need the document, so that it is made by a call before theirs, which fails.
        let documents = json!({"mode": "add", "records": [{"name": u}]});
        let line = json!({"product_id": product, "product_document_ids": documents});
        let vals = json!({
            "payload": {"partner_id": 999_999_999, "order_line": [line, line]},
            "auto_create": {"product_document_ids": {"name": u, "ir_attachment_id": part(file)}},
        });
        let answer = client.call("create_data", "sale.order", vals).await;
        let made = odoo.call("product.document", "search", json!([[["name", "=", u]]]), json!({})).await.unwrap();
        let made: Vec<i64> = made.as_array().unwrap().iter().filter_map(Value::as_i64).collect();
        let expected = if is_left { vec![("product.document", made.clone())] } else { Vec::new() };
        assert_eq!((made.len(), left(&answer)), (usize::from(is_left), expected), "{answer}");
        let kept = odoo.search_count("ir.attachment", json!([["id", "=", file]])).await;
        assert_eq!(kept, 1, "{answer}");
    }
}

#[tokio::test]
async fn a_failed_call_deletes_a_record_with_its_part_where_it_made_both_and_names_it_where_it_did_not() {
    for odoo in [odoo().await, odoo_14().await] {
        let (_gateway, client) = client(odoo).await;
        let u = Uuid::new_v4().to_string();
        let partner = odoo.create("res.partner", json!({"name": u})).await;
        for (part, is_left) in
            [(json!(partner), true), (json!({"ref": format!("new {u}")}), false), (json!({"name": u}), true)]
        {
            let login = Uuid::new_v4().to_string();
            let new = json!({"ref": format!("new {u}"), "name": format!("new {u}")});
            let vals = json!({
                "payload": {"name": u, "user_id": {"login": login}, "stage_id": 999_999_999},
                "auto_create": {"user_id": {"login": login, "partner_id": part}, "partner_id": new},
            });
            let answer = client.call("create_data", "crm.lead", vals).await;
            let users = odoo.call("res.users", "search", json!([[["login", "=", login]]]), json!({})).await.unwrap();
            let users: Vec<i64> = users.as_array().unwrap().iter().filter_map(Value::as_i64).collect();
            let expected = if is_left { vec![("res.users", users.clone())] } else { Vec::new() };
            assert_eq!((users.len(), left(&answer)), (usize::from(is_left), expected), "{part}: {answer}");
            let named = odoo.search_count("res.partner", json!([["name", "like", u]])).await;
            assert_eq!(named, 1, "Odoo {}, {part}: {answer}", odoo.version);
        }
    }
}
