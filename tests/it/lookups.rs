//! Lookups by several keys: which records they find, and what is made where they find none.

use serde_json::{Value, json};

use crate::support::{
    client::Client,
    gateway::Gateway,
    odoo::{Odoo, odoo, odoo_14},
};

const FIRST: &str = "[compat]\nlookup_keys = \"first\"";

fn unique(what: &str) -> String {
    format!("{what} {}", uuid::Uuid::new_v4().simple())
}

async fn values(odoo: &Odoo, model: &str, id: &Value, field: &str) -> Value {
    let rows = odoo.call(model, "read", json!([[id], [field]]), json!({})).await.unwrap();
    rows[0][field].clone()
}

#[tokio::test]
async fn a_lookup_with_several_keys_finds_the_record_that_has_all_of_them() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let client = Client::log_in(&gateway, odoo).await;
        let name = unique("A");
        let make = async |values: Value| {
            let mut all = json!({"name": name});
            all.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
            odoo.create("res.partner", all).await
        };
        let own = make(json!({"ref": "1", "company_id": 1})).await;
        let shared = make(json!({"ref": "1"})).await;
        let other = make(json!({"ref": "2"})).await;
        let cases = [
            (json!({"name": name, "ref": "2"}), other),
            (json!({"ref": "2", "name": name}), other),
            (json!({"name": name, "company_id": 1}), own),
            // A lookup that names a company itself is not kept to the caller's.
            (json!({"ref": "1", "name": name, "company_id": false}), shared),
            (json!({"id": shared, "name": name}), shared),
        ];
        for (lookup, expected) in cases {
            let payload = json!({"name": "kid", "parent_id": lookup});
            let answer = client.call("create_data", "res.partner", json!({"payload": payload, "strict": true})).await;
            assert_eq!(answer["is_success"], true, "{answer}");
            let parent = values(odoo, "res.partner", &answer["result"]["id"], "parent_id").await;
            assert_eq!(parent[0], expected, "{lookup}");
        }
    }
}

#[tokio::test]
async fn a_lookup_of_which_one_key_does_not_match_finds_nothing_and_the_error_names_all_keys() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let name = unique("A");
    for twin in ["1", "1", "2"] {
        odoo.create("res.partner", json!({"name": name, "ref": twin})).await;
    }
    let cases = [
        (
            json!({"name": name, "ref": "3"}),
            "no_match",
            format!("'parent_id': 'name = {name}, ref = 3' found no match."),
        ),
        (json!({"name": name, "ref": "1"}), "ambiguous_match", format!("'name = {name}, ref = 1' matched more than 1")),
        (json!({"name": name, "no_such": "1"}), "unknown_lookup_field", "no field `no_such` to look up by".to_owned()),
        (
            json!({"name": name, "ref": null}),
            "invalid_value",
            "`payload.parent_id.ref` must be a single value".to_owned(),
        ),
        (json!({"name": name, "id": 999_999_999}), "no_match", format!("'id = 999999999, name = {name}'")),
    ];
    for (lookup, code, said) in cases {
        let payload = json!({"name": format!("kid of {name}"), "parent_id": lookup});
        let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
        assert_eq!(answer["error"]["code"], code, "{lookup}: {answer}");
        assert!(answer["messages"].as_str().unwrap().contains(&said), "{lookup}: {answer}");
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", format!("kid of {name}")]])).await, 0);
}

#[tokio::test]
async fn many2many_records_with_several_keys_are_each_found_by_all_of_them() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let name = unique("tag");
    let tags =
        json!([{"name": name, "color": 1}, {"name": name, "color": 2}, {"name": format!("{name} b"), "color": 1}]);
    let tags = odoo.call("res.partner.category", "create", json!([tags]), json!({})).await.unwrap();
    let records =
        json!([{"name": name, "color": 2}, {"name": format!("{name} b"), "color": 1}, {"name": name, "color": 3}]);
    let payload = json!({"name": name, "category_id": {"records": records}});
    let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
    assert_eq!(answer["warnings"][0]["path"], "payload.category_id.records[2]", "{answer}");
    let linked = values(odoo, "res.partner", &answer["result"]["id"], "category_id").await;
    assert_eq!(linked, json!([tags[1], tags[2]]));
}

#[tokio::test]
async fn lookups_that_differ_in_one_of_several_keys_are_one_query() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let run = uuid::Uuid::new_v4().simple().to_string();
    let products: Vec<Value> = (0..60)
        .map(|n| json!({"name": format!("P{n}"), "default_code": format!("{run}-{}", n / 2), "sale_ok": n % 2 == 0}))
        .collect();
    odoo.call("product.product", "create", json!([products]), json!({})).await.unwrap();
    let partner = odoo.create("res.partner", json!({"name": run})).await;
    let lines: Vec<Value> = (0..30)
        .map(|n| json!({"product_id": {"default_code": format!("{run}-{n}"), "sale_ok": true}, "product_uom_qty": 1}))
        .collect();
    let payload = json!({"partner_id": partner, "order_line": lines});
    let answer = client.call("create_data", "sale.order", json!({"payload": payload, "strict": true})).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    assert_eq!(gateway.last_methods(), ["search_read", "create"]);
    let right = json!([
        ["order_id", "=", answer["result"]["id"]],
        ["product_id.sale_ok", "=", true],
        ["product_id.default_code", "like", run]
    ]);
    assert_eq!(odoo.search_count("sale.order.line", right).await, 30);
}

#[tokio::test]
async fn a_value_that_many_records_have_costs_a_long_list_some_queries_and_not_one_for_each_value() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let (client, mark) = (Client::with_bearer(&gateway).await, unique("list"));
    let alike = std::iter::repeat_n(7, 280);
    let tags: Vec<Value> = (0..60).chain(alike).map(|n| json!({"name": format!("{mark} {n}")})).collect();
    odoo.call("res.partner.category", "create", json!([tags]), json!({})).await.unwrap();
    let payload: Vec<Value> = (0..60)
        .map(|n| json!({"name": format!("{mark} {n}"), "category_id": {"records": [{"name": format!("{mark} {n}")}]}}))
        .collect();
    let answer = client.call("create_data", "res.partner", json!({"payload": payload, "strict": true})).await;
    let results = answer["result"].as_array().unwrap();
    let refused: Vec<usize> = (0..60).filter(|n| results[*n]["is_success"] != true).collect();
    assert_eq!(refused, [7], "{answer}");
    let searches = gateway.last_methods().iter().filter(|method| *method == "search_read").count();
    assert!(searches < 20, "{searches}");
}

#[tokio::test]
async fn what_auto_create_makes_for_several_keys_matches_all_of_them_or_is_taken_back() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let name = unique("dad");
    // No colour that Odoo gives by default: 1 to 11, at random.
    let create = async |entry: Value| {
        let payload = json!({"name": unique("kid"), "parent_id": {"name": name, "color": 40}});
        let vals = json!({"payload": payload, "auto_create": {"parent_id": entry}, "result_field": ["parent_id"]});
        client.call("create_data", "res.partner.category", vals).await
    };
    let count = async || odoo.search_count("res.partner.category", json!([["name", "=", name]])).await;
    // One that has another value is no entry for this lookup; one that says nothing of a key is looked for once it was made.
    assert_eq!(create(json!({"name": name, "color": 5})).await["error"]["code"], "no_match");
    assert_eq!(create(json!({"name": name})).await["error"]["code"], "not_found_afterwards");
    assert_eq!(count().await, 0);
    let made = create(json!([{"name": name, "color": 5}, {"name": name, "color": 40}])).await;
    assert_eq!(made["is_success"], true, "{made}");
    let again = create(json!({"name": name, "color": 40})).await;
    assert_eq!((count().await, &again["result"]["parent_id"]), (json!(1), &made["result"]["parent_id"]));
}

#[tokio::test]
async fn every_key_of_a_lookup_is_a_field_that_is_read() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "[policy]\nnever_read = [\"res.partner.ref\"]");
    let client = Client::log_in(&gateway, odoo).await;
    for key in ["ref", "parent_id.ref"] {
        let payload = json!({"name": "kid", "parent_id": {"name": "any", key: "B"}});
        let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
        let error = &answer["error"];
        assert_eq!(
            (&error["code"], &error["path"]),
            (&json!("field_not_readable"), &json!("payload.parent_id")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn with_lookup_keys_first_the_other_keys_are_ignored_and_said() {
    let gateway = Gateway::start_with(FIRST).await;
    let client = Client::with_session(&gateway).await;
    let payload = json!({"name": "two keys", "country_id": {"code": "TH", "name": "France"}});
    let answer =
        client.call("create_data", "res.partner", json!({"payload": payload, "result_field": ["country_id"]})).await;
    assert_eq!(answer["result"]["country_id"][1], "Thailand", "{answer}");
    let warning = &answer["warnings"][0];
    assert_eq!((&warning["code"], &warning["path"]), (&json!("lookup_key_ignored"), &json!("payload.country_id.name")));
    let answer = client.call("create_data", "res.partner", json!({"payload": payload, "strict": true})).await;
    assert_eq!(
        (&answer["is_success"], &answer["error"]["code"]),
        (&json!(false), &json!("lookup_key_ignored")),
        "{answer}"
    );
}
