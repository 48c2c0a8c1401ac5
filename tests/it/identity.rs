//! Which record is meant: what external ids, archived records, several matches and hints cost, and what a caller with fewer
//! rights gets.

use serde_json::{Value, json};

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy, exception},
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo, odoo_14},
};

fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..12].to_owned()
}

async fn name_record(odoo: &Odoo, name: &str, model: &str, id: i64) {
    let values = json!({"module": "shop", "name": name, "model": model, "res_id": id});
    odoo.create("ir.model.data", values).await;
}

fn code(answer: &Value) -> &Value {
    &answer["error"]["code"]
}

fn message(answer: &Value) -> &str {
    answer["messages"].as_str().unwrap()
}

#[tokio::test]
async fn an_external_id_costs_no_more_than_another_key() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let u = unique();
    let tags = [format!("t1.{u}"), format!("t2.{u}"), format!("t3.{u}")];
    for tag in &tags {
        let id = odoo.create("res.partner.category", json!({"name": tag})).await;
        name_record(odoo, tag, "res.partner.category", id).await;
    }
    let create = async |payload: Value| {
        let answer = client.call("create_data", "res.partner", json!({"payload": payload, "strict": true})).await;
        assert_eq!(answer["is_success"], true, "{answer}");
        gateway.last_methods()
    };
    let one = create(json!({"name": u, "country_id": {"xml_id": "base.be"}})).await;
    assert_eq!(one, ["check_object_reference", "create"]);
    let records: Vec<Value> = tags.iter().map(|tag| json!({"xml_id": format!("shop.{tag}")})).collect();
    let three = create(json!({"name": u, "category_id": {"records": records}})).await;
    assert_eq!(three, ["search_read", "search_read", "create"]);
    let key = json!({"xml_id": format!("shop.p.{u}")});
    let upsert = async || {
        let vals = json!({"search_key": key, "payload": {"name": u}, "strict": true});
        assert_eq!(client.call("create_update_data", "res.partner", vals).await["is_success"], true);
        gateway.last_methods()
    };
    let rights = "check_access_rights";
    assert_eq!(upsert().await, ["check_object_reference", rights, "create", "create"]);
    assert_eq!(upsert().await, ["check_object_reference", "write"]);
}

#[tokio::test]
async fn a_user_without_access_to_external_ids_finds_by_them_and_makes_none_where_odoo_forbids_it() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let client = Client::with_login(&gateway, "demo", "demo");
        let u = unique();
        let key = json!({"xml_id": format!("shop.{u}")});
        let upsert = async |name: &str| {
            let vals = json!({"search_key": key, "payload": {"name": name}});
            client.call("create_update_data", "res.partner", vals).await
        };
        let made = upsert(&u).await;
        // From Odoo 19 on, only users with the right to give rights may make external ids; before, every user may.
        if odoo.version == 19 {
            assert_eq!((code(&made), &made["error"]["path"]), (&json!("access_error"), &json!("search_key.xml_id")));
            assert_eq!(odoo.search_count("res.partner", json!([["name", "=", u]])).await, 0);
            let id = odoo.create("res.partner", json!({"name": u})).await;
            name_record(odoo, &u, "res.partner", id).await;
        } else {
            assert_eq!(made["is_success"], true, "{made}");
        }
        let updated = upsert(&format!("{u} b")).await;
        assert_eq!(updated["messages"], "Record updated successfully", "{updated}");
        let be = json!({"name": u, "country_id": {"xml_id": "base.be"}, "state_id": {"xml_id": "base.state_us_5"}});
        let linked = client.call("create_data", "res.partner", json!({"payload": be, "strict": true})).await;
        assert_eq!(linked["is_success"], true, "{linked}");
        let us = json!({"records": [{"xml_id": "base.be"}, {"xml_id": "base.us"}]});
        let vals = json!({"payload": {"name": u, "country_ids": us}, "dry_run": true});
        let group = client.call("create_data", "res.country.group", vals).await;
        assert_eq!(group["is_success"], true, "{group}");
    }
}

#[tokio::test]
async fn a_record_whose_external_id_is_refused_is_taken_back() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_session(&gateway).await;
    let u = unique();
    proxy.run(|_, rpc| match rpc {
        "ir.model.data/create" => {
            let body = exception("odoo.exceptions.ValidationError", "no");
            Fault::Answer { status: "200 OK", body }
        }
        _ => Fault::Pass,
    });
    let vals = json!({"search_key": {"xml_id": format!("shop.{u}")}, "payload": {"name": u}});
    let answer = client.call("create_update_data", "res.partner", vals).await;
    assert_eq!(code(&answer), "validation_error", "{answer}");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", u]])).await, 0);
}

#[tokio::test]
async fn a_client_resolves_external_ids_of_its_models_and_learns_nothing_of_others() {
    let odoo = odoo().await;
    let (key, entry) = new_client("shop");
    let policy = format!(
        "{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n\
         routes = [\"create_data\", \"create_update_data\", \"update_data\"]\n\
         models = {{ allow = [\"res.partner\", \"res.country\"] }}\nnever_read = [\"res.partner.vat\"]\n",
        odoo.login
    );
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &policy, &[("ODOO_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "authorization", &format!("Bearer {key}"));
    let u = unique();
    let create = async |payload: Value| client.call("create_data", "res.partner", json!({"payload": payload})).await;
    let made = create(json!({"name": u, "country_id": {"xml_id": "base.be"}})).await;
    assert_eq!(made["is_success"], true, "{made}");
    // A user, a company, and nothing at all: the same answer.
    let mut said = Vec::new();
    for external_id in ["base.user_admin", "base.main_company", "base.no_such"] {
        let answer = create(json!({"name": u, "country_id": {"xml_id": external_id}})).await;
        assert_eq!(code(&answer), "no_match", "{answer}");
        said.push(message(&answer).replace(external_id, ""));
    }
    assert!(said.iter().all(|text| *text == said[0]), "{said:?}");
    // The model of external ids itself is not the client's, so it names no record by one.
    let vals = json!({"search_key": {"xml_id": format!("shop.{u}")}, "payload": {"name": format!("{u} b")}});
    let answer = client.call("create_update_data", "res.partner", vals).await;
    assert_eq!((code(&answer), &answer["error"]["path"]), (&json!("model_not_allowed"), &json!("search_key.xml_id")));
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", format!("{u} b")]])).await, 0);
    // A field that must not be read is no hint.
    let answer = create(json!({"name": u, "vta": "x"})).await;
    assert!(!answer.to_string().contains("did you mean"), "{answer}");
}

#[tokio::test]
async fn what_an_upsert_tells_of_archived_records_costs_no_call() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let u = unique();
    odoo.create("res.partner", json!({"name": u, "ref": u, "active": false})).await;
    let vals = json!({"search_key": {"ref": u}, "payload": {"name": u}});
    let answer = client.call("create_update_data", "res.partner", vals).await;
    assert_eq!(answer["warnings"][0]["code"], "archived_match", "{answer}");
    assert_eq!(gateway.last_methods(), ["search_read", "create"]);
    let vals = json!({"search_key": {"ref": [u, "x"], "function": [u, "x"]}, "payload": {"name": format!("{u} c")}});
    let answer = client.call("create_update_data", "res.partner", vals).await;
    assert_eq!(answer["warnings"][0]["code"], "search_key_not_written", "{answer}");
}

#[tokio::test]
async fn a_lookup_that_finds_nothing_is_refused_with_what_is_near_and_two_searches_more() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let client = Client::log_in(&gateway, odoo).await;
        let u = unique();
        let archived = odoo.create("res.partner", json!({"name": format!("gone {u}"), "active": false})).await;
        let near = odoo.create("res.partner", json!({"name": format!("Dad {u} & Sons")})).await;
        let refused = async |payload: Value| {
            let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
            assert_eq!(code(&answer), "no_match", "{answer}");
            (message(&answer).to_owned(), gateway.last_methods().len())
        };
        let (said, calls) = refused(json!({"name": u, "parent_id": {"name": format!("gone {u}")}})).await;
        assert!(said.contains(&format!("{archived} exists, but is archived")) && calls == 2, "{said} {calls}");
        let (said, calls) = refused(json!({"name": u, "parent_id": {"name": format!("dad {u}")}})).await;
        assert!(said.contains(&format!("There is: 'Dad {u} & Sons' ({near})")) && calls == 3, "{said} {calls}");
        let (said, _) = refused(json!({"name": u, "country_id": {"name": "thailand"}})).await;
        assert!(said.contains("There is: 'Thailand' (217)"), "{said}");
        let (said, _) = refused(json!({"name": u, "country_id": {"name": format!("%{u}")}})).await;
        assert!(said.ends_with("found no match."), "{said}");
        // A currency that is not in use.
        odoo.call("res.currency", "search", json!([[["name", "=", "ZMW"]]]), json!({})).await.unwrap();
        let payload = json!({"name": u, "currency_id": {"name": "ZMW"}});
        let answer = client.call("create_data", "product.pricelist", json!({"payload": payload})).await;
        assert!(message(&answer).contains("exists, but is archived"), "{answer}");
    }
}

#[tokio::test]
async fn a_record_of_another_company_is_told_from_none() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let u = unique();
    let company = odoo.create("res.company", json!({"name": format!("Company {u}")})).await;
    let uid = odoo.uid().await;
    odoo.call("res.users", "write", json!([[uid], {"company_ids": [[4, company]]}]), json!({})).await.unwrap();
    let other = odoo.create("res.partner", json!({"name": u, "company_id": company})).await;
    let payload = json!({"name": "kid", "parent_id": {"name": u}});
    let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
    assert!(message(&answer).contains(&format!("{other} exists in another company")), "{answer}");
}

#[tokio::test]
async fn several_matches_of_a_many2many_are_said_with_names_and_one_is_taken_where_the_field_says_which() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let client = Client::log_in(&gateway, odoo).await;
        let u = unique();
        let tax = async |kind: &str| {
            odoo.create("account.tax", json!({"name": format!("T {u}"), "amount": 15, "type_tax_use": kind})).await
        };
        let (sale, purchase) = (tax("sale").await, tax("purchase").await);
        let taxes = json!({"records": [{"name": format!("T {u}")}]});
        let product = json!({"name": u, "taxes_id": taxes, "supplier_taxes_id": taxes});
        let answer = client.call("create_data", "product.template", json!({"payload": product, "strict": true})).await;
        assert_eq!(answer["is_success"], true, "{answer}");
        let read = async |model: &str, id: &Value, fields: Value| {
            odoo.call(model, "read", json!([[id], fields]), json!({})).await.unwrap()[0].clone()
        };
        let product = read("product.template", &answer["result"]["id"], json!(["taxes_id", "supplier_taxes_id"])).await;
        assert_eq!((&product["taxes_id"], &product["supplier_taxes_id"]), (&json!([sale]), &json!([purchase])));
        // Lines of orders, of which only the version's own fields differ.
        let variant = odoo.create("product.product", json!({"name": u})).await;
        let partner = odoo.create("res.partner", json!({"name": u})).await;
        let (of_sale, of_purchase) = if odoo.version == 19 { ("tax_ids", "tax_ids") } else { ("tax_id", "taxes_id") };
        for (model, field, right) in [("sale.order", of_sale, sale), ("purchase.order", of_purchase, purchase)] {
            let line = json!({"product_id": variant, "name": u, field: taxes});
            let payload = json!({"partner_id": partner, "order_line": [line]});
            let answer = client.call("create_data", model, json!({"payload": payload, "strict": true})).await;
            assert_eq!(answer["is_success"], true, "{model}: {answer}");
            let lines = format!("{model}.line");
            let domain = json!([["order_id", "=", answer["result"]["id"]], [field, "in", [right]]]);
            assert_eq!(odoo.search_count(&lines, domain).await, 1, "{model}");
            let wrong = if right == sale { purchase } else { sale };
            let domain = json!([["order_id", "=", answer["result"]["id"]], [field, "in", [wrong]]]);
            assert_eq!(odoo.search_count(&lines, domain).await, 0, "{model}");
        }
        // Where nothing says which, all are linked and named; strictly, none is.
        let tags = json!([{"name": format!("V {u}"), "color": 3}, {"name": format!("V {u}"), "color": 4}]);
        let tags = odoo.call("res.partner.category", "create", json!([tags]), json!({})).await.unwrap();
        let payload = json!({"name": u, "category_id": {"records": [{"name": format!("V {u}")}]}});
        let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
        let warning = &answer["warnings"][0];
        assert_eq!(
            (&warning["code"], &warning["path"]),
            (&json!("several_matched"), &json!("payload.category_id.records[0]"))
        );
        let said = warning["message"].as_str().unwrap();
        assert!(said.ends_with(&format!("linked: {} (V {u}), {} (V {u})", tags[0], tags[1])), "{said}");
        let linked = read("res.partner", &answer["result"]["id"], json!(["category_id"])).await;
        assert_eq!(linked["category_id"], tags);
        let answer = client.call("create_data", "res.partner", json!({"payload": payload, "strict": true})).await;
        assert_eq!(code(&answer), "several_matched", "{answer}");
    }
}

#[tokio::test]
async fn keys_are_compared_in_any_case_where_that_is_configured() {
    let odoo = odoo().await;
    let ignoring = "[compat]\nignore_case = [\"res.partner.email\"]";
    let gateway = Gateway::before(&odoo.url, &odoo.database, ignoring);
    let client = Client::with_session(&gateway).await;
    let u = unique();
    let mut made = Vec::new();
    for name in ["Jose\u{301}", "ann_", "annx"] {
        made.push(odoo.create("res.partner", json!({"name": u, "email": format!("{name}@{u}.Com")})).await);
    }
    let upsert = async |email: &str| {
        let vals = json!({"search_key": {"email": email}, "payload": {"function": u}, "strict": true});
        client.call("create_update_data", "res.partner", vals).await
    };
    let josé = upsert(&format!(" JOSÉ@{u}.com ")).await;
    assert_eq!(josé["result"]["id"], json!([made[0]]), "{josé}");
    let ann = upsert(&format!("ANN_@{u}.com")).await;
    assert_eq!(ann["result"]["id"], json!([made[1]]), "{ann}");
    assert_eq!(gateway.last_methods(), ["search_read", "write"]);
    // Lookups, all of one field by one query.
    let kids: Vec<Value> =
        ["JOSÉ", "Ann_", "ANNX"].iter().map(|name| json!({"email": format!("{name}@{u}.com")})).collect();
    for (kid, parent) in kids.iter().zip(&made) {
        let payload = json!({"name": format!("kid {u}"), "parent_id": kid});
        let answer = client.call("create_data", "res.partner", json!({"payload": payload, "strict": true})).await;
        let domain = json!([["id", "=", answer["result"]["id"]], ["parent_id", "=", parent]]);
        assert_eq!(odoo.search_count("res.partner", domain).await, 1, "{answer}");
    }
    let records = json!({"records": kids});
    let vals = json!({"payload": {"subject": u, "partner_ids": records}, "strict": true});
    let answer = client.call("create_data", "mail.message", vals).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    assert_eq!(gateway.last_methods(), ["search_read", "create"]);
    // At the same moment, in different cases: one record.
    let keys: Vec<String> = ["new", "NEW", "New", " new"].iter().map(|name| format!("{name}@{u}.org")).collect();
    let answers = futures_util::future::join_all(keys.iter().map(|key| upsert_named(&client, key, &u))).await;
    assert!(answers.iter().all(|answer| answer["is_success"] == true), "{answers:?}");
    assert_eq!(odoo.search_count("res.partner", json!([["email", "=ilike", format!("new@{u}.org")]])).await, 1);
}

async fn upsert_named(client: &Client, email: &str, name: &str) -> Value {
    let vals = json!({"search_key": {"email": email}, "payload": {"name": name}});
    client.call("create_update_data", "res.partner", vals).await
}

#[tokio::test]
async fn an_unknown_field_comes_with_the_one_that_is_meant() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let client = Client::log_in(&gateway, odoo).await;
        let u = unique();
        let partner = odoo.create("res.partner", json!({"name": u})).await;
        let is_new = odoo.version == 19;
        let (sent, meant) = if is_new { ("tax_id", "tax_ids") } else { ("tax_ids", "tax_id") };
        let line = json!({"name": u, "display_type": "line_note", sent: false});
        let vals = json!({"payload": {"partner_id": partner, "order_line": [line]}, "dry_run": true});
        let answer = client.call("create_data", "sale.order", vals).await;
        let said = answer["warnings"][0]["message"].as_str().unwrap();
        assert!(said.ends_with(&format!("did you mean `{meant}`?")), "{answer}");
        let lookup = json!({"payload": {"name": u, "country_id": {"cod": "BE"}}});
        let answer = client.call("create_data", "res.partner", lookup).await;
        assert!(
            code(&answer) == "unknown_lookup_field" && message(&answer).ends_with("did you mean `code`?"),
            "{answer}"
        );
        let listed = json!({"payload": {"name": u}, "result_field": ["emial"]});
        let answer = client.call("create_data", "res.partner", listed).await;
        assert!(code(&answer) == "unknown_field" && message(&answer).ends_with("did you mean `email`?"), "{answer}");
    }
}
