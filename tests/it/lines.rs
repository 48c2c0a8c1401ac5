//! Lines in place: what they cost in calls to Odoo, and that nothing is read for them which the policy hides.

use serde_json::{Value, json};

use crate::support::{
    client::Client,
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo, odoo_14},
};

fn unique(what: &str) -> String {
    format!("{what} {}", uuid::Uuid::new_v4().simple())
}

/// An order with 200 lines of as many products, and records that change each of them.
async fn order_of_200_lines(odoo: &Odoo) -> (i64, Vec<Value>) {
    let run = unique("P");
    let products: Vec<Value> =
        (0..200).map(|n| json!({"name": format!("P{n}"), "default_code": format!("{run}-{n}")})).collect();
    let products = odoo.call("product.product", "create", json!([products]), json!({})).await.unwrap();
    let line = |id: &Value| json!([0, 0, {"product_id": id, "product_uom_qty": 1, "price_unit": 3}]);
    let lines: Vec<Value> = products.as_array().unwrap().iter().map(line).collect();
    let partner = odoo.create("res.partner", json!({"name": run})).await;
    let order = odoo.create("sale.order", json!({"partner_id": partner, "order_line": lines})).await;
    let record =
        |n| json!({"product_id": {"default_code": format!("{run}-{n}")}, "product_uom_qty": 2 + n, "price_unit": 4});
    (order, (0..200).map(record).collect())
}

#[tokio::test]
async fn an_order_of_200_lines_is_merged_by_key_in_one_read_one_lookup_and_one_write() {
    for (odoo, mut reads) in [
        (odoo().await, vec!["search_read", "web_search_read"]),
        (odoo_14().await, vec!["read", "search_read", "search_read"]),
    ] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let client = Client::log_in(&gateway, odoo).await;
        let (order, records) = order_of_200_lines(odoo).await;
        let lines = json!({"mode": "merge", "key": "product_id", "records": records});
        let vals = json!({"search_key": {"id": order}, "payload": {"order_line": lines}});
        let before = odoo.call("sale.order", "read", json!([[order], ["order_line"]]), json!({})).await.unwrap();
        let answer = client.call("update_data", "sale.order", vals.clone()).await;
        assert_eq!(answer["is_success"], true, "{answer}");
        let mut methods = gateway.last_methods();
        methods.sort_unstable();
        reads.push("write");
        assert_eq!(methods, reads, "Odoo {}", odoo.version);
        let after = odoo.call("sale.order", "read", json!([[order], ["order_line"]]), json!({})).await.unwrap();
        assert_eq!(after[0]["order_line"], before[0]["order_line"]);
        let written = json!([["order_id", "=", order], ["price_unit", "=", 4], ["product_uom_qty", ">=", 2]]);
        assert_eq!(odoo.search_count("sale.order.line", written).await, 200);
        // The same once more is no write.
        let answer = client.call("update_data", "sale.order", vals).await;
        assert_eq!(answer["is_success"], true, "{answer}");
        assert!(!gateway.last_methods().contains(&"write".to_owned()), "{:?}", gateway.last_methods());
    }
}

#[tokio::test]
async fn a_replacing_list_says_how_many_lines_went_even_where_strict() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let kids: Vec<Value> = (0..3).map(|n| json!([0, 0, {"name": format!("K{n}")}])).collect();
    let id = odoo.create("res.partner", json!({"name": unique("A"), "child_ids": kids})).await;
    let vals = json!({"strict": true, "search_key": {"id": id}, "payload": {"child_ids": [{"name": "K1"}]}});
    let answer = client.call("update_data", "res.partner", vals).await;
    let warning = &answer["warnings"][0];
    assert_eq!(
        (&warning["code"], &warning["path"]),
        (&json!("lines_removed"), &json!("payload.child_ids")),
        "{answer}"
    );
    assert!(warning["message"].as_str().unwrap().starts_with("2 lines"), "{answer}");
    assert_eq!(odoo.search_count("res.partner", json!([["parent_id", "=", id]])).await, 1);
}

#[tokio::test]
async fn a_field_that_the_policy_hides_is_not_read_to_compare_lines() {
    let odoo = odoo().await;
    let (key, entry) = new_client("shop");
    let rule =
        "routes = [\"update_data\"]\nmodels = { allow = [\"res.partner\"] }\nnever_read = [\"res.partner.function\"]";
    let entry = format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n{rule}\n", odoo.login);
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &entry, &[("ODOO_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    let kid = json!({"name": unique("K"), "function": "boss"});
    let id = odoo.create("res.partner", json!({"name": unique("A"), "child_ids": [[0, 0, kid]]})).await;
    let kids = || async {
        let read = odoo.call("res.partner", "read", json!([[id], ["child_ids"]]), json!({})).await.unwrap();
        read[0]["child_ids"].clone()
    };
    let before = kids().await;
    let update = |lines: Value| json!({"search_key": {"id": id}, "payload": {"child_ids": lines}});
    // One whose values may all be read stays.
    let same = client.call("update_data", "res.partner", update(json!([{"name": kid["name"]}]))).await;
    assert_eq!((&same["is_success"], kids().await), (&json!(true), before.clone()), "{same}");
    // One of which a value is hidden is made anew, and its value not asked for.
    let made = client.call("update_data", "res.partner", update(json!([kid]))).await;
    assert_eq!(made["is_success"], true, "{made}");
    assert_ne!(kids().await, before);
    assert_eq!(gateway.last_methods(), ["search_read", "write"]);
    let reads = gateway.log().pop().unwrap()["odoo"][0].to_string();
    assert!(!reads.contains("function"), "{reads}");
    // It names no line either.
    for lines in [
        json!({"mode": "merge", "key": "function", "records": [kid]}),
        json!({"mode": "remove", "records": [{"function": "boss"}]}),
    ] {
        let answer = client.call("update_data", "res.partner", update(lines)).await;
        assert_eq!(answer["error"]["code"], "field_not_readable", "{answer}");
    }
}
