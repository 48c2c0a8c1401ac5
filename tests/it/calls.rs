//! What a call does in Odoo beyond the conformance cases: how many RPCs it takes, and what is answered.

use serde_json::{Value, json};

use crate::support::{
    client::Client,
    gateway::Gateway,
    odoo::{odoo, odoo_14},
};

/// A text that no other record of this run holds.
fn unique(what: &str) -> String {
    format!("{what} {}", uuid::Uuid::new_v4().simple())
}

#[tokio::test]
async fn a_record_without_lookups_takes_one_call() {
    let gateway = Gateway::start().await;
    for client in [Client::with_session(&gateway).await, Client::with_key(&gateway).await] {
        let answer =
            client.call("create_data", "res.partner", json!({"payload": {"name": unique("A"), "phone": "1"}})).await;
        assert_eq!(answer["is_success"], true);
        assert_eq!(gateway.last_methods(), ["create"]);
    }
}

#[tokio::test]
async fn fields_asked_for_are_answered_within_the_write_itself() {
    let gateway = Gateway::start().await;
    let client = Client::with_session(&gateway).await;
    let vals = json!({"payload": {"name": unique("A")}, "result_field": ["name", "country_id", "child_ids{name}"]});
    let answer = client.call("create_data", "res.partner", vals).await;
    assert_eq!(answer["result"]["child_ids"], json!([]));
    assert_eq!(gateway.last_methods(), ["web_save"]);
}

#[tokio::test]
async fn lines_share_their_lookups() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let names: Vec<String> = (0..5).map(|n| unique(&format!("tag {n}"))).collect();
    let tags: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    odoo.call("res.partner.category", "create", json!([tags]), json!({})).await.unwrap();
    let codes = ["TH", "FR"];
    let lines: Vec<Value> = (0..20)
        .map(|n| json!({"name": format!("k{n}"), "country_id": {"code": codes[n % 2]}, "category_id": {"records": [{"name": names[n % 5]}]}}))
        .collect();
    let vals = json!({"payload": {"name": unique("A"), "country_id": {"code": "BE"}, "child_ids": lines}});
    let answer = client.call("create_data", "res.partner", vals).await;
    let id = answer["result"]["id"].clone();
    assert_eq!(gateway.last_methods(), ["search_read", "search_read", "create"]);
    assert_eq!(
        odoo.search_count("res.partner", json!([["parent_id", "=", id], ["category_id.name", "in", names]])).await,
        20
    );
}

#[tokio::test]
async fn a_search_with_three_levels_takes_one_call() {
    let gateway = Gateway::start().await;
    let client = Client::with_key(&gateway).await;
    let fields =
        json!(["name", "order_line{product_id{name, uom_id{name}}, product_uom_qty}", "partner_id{country_id{code}}"]);
    let answer =
        client.call("search_data", "sale.order", json!({"payload": {"search_field": fields, "limit": 20}})).await;
    let orders = answer["result"].as_array().unwrap();
    let lines = || orders.iter().flat_map(|order| order["order_line"].as_array().unwrap());
    assert!(lines().any(|line| line["product_id"][0]["uom_id"][0]["name"].is_string()), "{answer}");
    assert_eq!(gateway.last_methods(), ["web_search_read"]);
}

#[tokio::test]
async fn an_update_of_lines_with_lookups_takes_one_write() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let (name, line) = (unique("A"), unique("line"));
    let id = odoo
        .create("res.partner", json!({"name": name, "child_ids": [[0, 0, {"name": "old"}], [0, 0, {"name": "old"}]]}))
        .await;
    let vals =
        json!({"search_key": {"id": id}, "payload": {"child_ids": [{"name": line, "country_id": {"code": "TH"}}]}});
    let answer = client.call("update_data", "res.partner", vals).await;
    assert_eq!(answer["result"], json!({"id": id}));
    let mut methods = gateway.last_methods();
    assert_eq!(methods.pop().as_deref(), Some("write"));
    methods.sort_unstable();
    assert_eq!(methods, ["search_read", "web_search_read"]);
    assert_eq!(odoo.search_count("res.partner", json!([["parent_id", "=", id]])).await, 1);
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", line], ["country_id.code", "=", "TH"]])).await, 1);
}

#[tokio::test]
async fn an_update_of_several_records_answers_the_fields_of_each() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let (name, mut ids) = (unique("A"), Vec::new());
    for phone in ["1", "2"] {
        ids.push(odoo.create("res.partner", json!({"name": name, "phone": phone})).await);
    }
    let vals = json!({"search_key": {"id": ids}, "payload": {"street": "S"}, "result_field": ["phone", "street"]});
    let answer = client.call("update_data", "res.partner", vals).await;
    let mut records = answer["result"]["records"].as_array().unwrap().clone();
    records.sort_by_key(|record| record["id"].as_i64());
    let expected = json!([{"id": ids[0], "phone": "1", "street": "S"}, {"id": ids[1], "phone": "2", "street": "S"}]);
    assert_eq!(json!(records), expected);
}

#[tokio::test]
async fn a_lookup_takes_the_companys_own_record_before_a_shared_one_and_never_anothers() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_key(&gateway).await;
    let (both, shared, others) = (unique("both"), unique("shared"), unique("other"));
    let company = |name: &str, company: Value| json!({"name": name, "company_id": company});
    odoo.create("res.partner", company(&both, json!(false))).await;
    let own = odoo.create("res.partner", company(&both, json!(1))).await;
    let of_none = odoo.create("res.partner", company(&shared, json!(false))).await;
    let of_other = odoo.create("res.partner", company(&others, json!(2))).await;
    let create = async |vals: Value| {
        client.call("create_data", "res.partner", json!({"payload": vals, "result_field": ["parent_id"]})).await
    };

    let child = |parent: &str| json!({"name": unique("k"), "parent_id": {"name": parent}});
    assert_eq!(create(child(&both)).await["result"]["parent_id"][0], own);
    assert_eq!(create(child(&shared)).await["result"]["parent_id"][0], of_none);
    assert_eq!(create(child(&others)).await["error"]["code"], "no_match");
    // A company in the payload, itself looked up, is where the other lookups look.
    let elsewhere =
        json!({"name": unique("k"), "parent_id": {"name": others}, "company_id": {"name": "My US Company"}});
    assert_eq!(create(elsewhere).await["result"]["parent_id"][0], of_other);
}

#[tokio::test]
async fn a_lookup_by_a_field_that_is_no_column_is_left_to_odoo() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let name = unique("P");
    let parent = odoo.create("res.partner", json!({"name": name, "is_company": true})).await;
    for lookup in [json!({"display_name": name}), json!({"commercial_partner_id.name": name}), json!({"id": parent})] {
        let vals = json!({"payload": {"name": unique("k"), "parent_id": lookup}, "result_field": ["parent_id"]});
        let answer = client.call("create_data", "res.partner", vals).await;
        assert_eq!(answer["result"]["parent_id"][0], parent, "{lookup}: {answer}");
        // Children share the parent's commercial partner, so that the dotted lookup would match them too.
        client
            .call(
                "call_function",
                "res.partner",
                json!({"search_key": {"id": answer["result"]["id"]}, "payload": {"method": "unlink"}}),
            )
            .await;
    }
}

#[tokio::test]
async fn a_method_is_called_on_records_or_on_the_model_whichever_it_takes() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let name = unique("A");
    let id = odoo.create("res.partner", json!({"name": name})).await;
    for client in [Client::with_session(&gateway).await, Client::with_key(&gateway).await] {
        let call = async |method: &str, parameter: Value| {
            let vals = json!({"search_key": {"id": id}, "payload": {"method": method, "parameter": parameter}});
            client.call("call_function", "res.partner", vals).await["result"].take()
        };
        for _ in 0..2 {
            assert_eq!(call("name_search", json!({"name": name})).await, json!([[id, name]]));
            assert_eq!(call("read", json!({"fields": ["name"]})).await, json!([{"id": id, "name": name}]));
        }
        // What was learnt is kept: one search, one call.
        assert_eq!(gateway.last_methods(), ["search_read", "read"]);
        assert_eq!(call("default_get", json!({"fields": ["active"]})).await, json!({"active": true}));
    }
}

#[tokio::test]
async fn a_context_reaches_the_method() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let id = odoo
        .create(
            "res.partner.category",
            json!({"name": unique("A"), "child_ids": [[0, 0, {"name": "gone", "active": false}]]}),
        )
        .await;
    let children = async |context: Value| {
        let payload = json!({"method": "read", "parameter": {"fields": ["child_ids"]}, "context": context});
        let answer = client
            .call("call_function", "res.partner.category", json!({"search_key": {"id": id}, "payload": payload}))
            .await;
        answer["result"][0]["child_ids"].as_array().unwrap().len()
    };
    assert_eq!(children(json!({})).await, 0);
    assert_eq!(children(json!({"active_test": false})).await, 1);
}

#[tokio::test]
async fn a_reference_field_can_be_read_into_whatever_it_leads_to() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let country =
        odoo.call("res.country", "search", json!([[["code", "=", "TH"]]]), json!({})).await.unwrap()[0].clone();
    let template =
        odoo.call("ir.model", "search", json!([[["model", "=", "res.partner"]]]), json!({})).await.unwrap()[0].clone();
    let field = odoo
        .call("ir.model.fields", "search", json!([[["model", "=", "res.partner"], ["name", "=", "name"]]]), json!({}))
        .await
        .unwrap()[0]
        .clone();
    let values = json!({"name": unique("act"), "model_id": template, "state": "object_write", "update_path": "name", "update_field_id": field,
        "evaluation_type": "value", "value": "x", "resource_ref": format!("res.country,{country}")});
    let id = odoo.create("ir.actions.server", values).await;
    let payload =
        json!({"search_field": ["resource_ref{code, currency_id{name}}"], "search_domain": [["id", "=", id]]});
    let answer = client.call("search_data", "ir.actions.server", json!({"payload": payload})).await;
    let expected = json!([{"id": country, "code": "TH", "currency_id": [{"id": answer["result"][0]["resource_ref"][0]["currency_id"][0]["id"], "name": "THB"}]}]);
    assert_eq!(answer["result"][0]["resource_ref"], expected, "{answer}");
}

#[tokio::test]
async fn integers_beyond_what_a_float_holds_arrive_exactly() {
    let gateway = Gateway::start().await;
    let client = Client::with_session(&gateway).await;
    let exact = 9_007_199_254_740_993_i64;
    let vals = json!({"payload": {"name": unique("A"), "ref": exact.to_string()}, "search_key": {"ref": exact}});
    let answer = client.call("create_data", "res.partner", vals).await;
    assert_eq!(answer["is_success"], true);
    assert!(gateway.log().last().unwrap().to_string().contains("9007199254740993"));
}

#[tokio::test]
async fn create_can_be_called_as_a_method_through_either_door() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    for client in [Client::with_session(&gateway).await, Client::with_key(&gateway).await] {
        let name = unique("made");
        let payload = json!({"method": "create", "parameter": {"vals_list": [{"name": name}]}, "on_model": true});
        let answer = client.call("call_function", "res.partner", json!({"payload": payload})).await;
        assert_eq!(answer["is_success"], true, "{answer}");
        assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
    }
}

#[tokio::test]
async fn a_call_on_no_records_teaches_nothing_about_the_method() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let (session, key) = (Client::with_session(&gateway).await, Client::with_key(&gateway).await);
    let name = unique("A");
    let id = odoo.create("res.partner", json!({"name": name})).await;
    let vals =
        |id: i64| json!({"search_key": {"id": id}, "payload": {"method": "name_search", "parameter": {"name": name}}});
    assert_eq!(key.call("call_function", "res.partner", vals(-1)).await["result"], json!([[id, name]]));
    assert_eq!(session.call("call_function", "res.partner", vals(id)).await["result"], json!([[id, name]]));
}

#[tokio::test]
async fn records_that_a_method_returns_are_given_as_ids_by_the_oldest_odoo_too() {
    let odoo = odoo_14().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "");
    let client = Client::log_in(&gateway, odoo).await;
    let id = odoo.create("res.partner", json!({"name": "returned"})).await;
    // Public in Odoo 14, and not declared to return records.
    let vals = json!({"search_key": {"id": id}, "payload": {"method": "exists"}});
    let found = client.call("call_function", "res.partner", vals).await;
    assert_eq!((&found["is_success"], &found["result"]), (&json!(true), &json!([id])), "{found}");
}
