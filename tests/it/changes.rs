//! A change of a user in Odoo counts a few seconds later, however often callers ask.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    client::{Client, outcome},
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::{Odoo, odoo, odoo_14},
    poll_for,
};

/// The id of a group.
async fn group(odoo: &Odoo, module: &str, name: &str) -> Value {
    let domain = json!([["module", "=", module], ["name", "=", name]]);
    let found = odoo.call("ir.model.data", "search_read", json!([domain, ["res_id"]]), json!({})).await.unwrap();
    found[0]["res_id"].clone()
}

/// A user that may sell, with a password: number and login.
async fn user(odoo: &Odoo) -> (i64, String) {
    let login = format!("changes-{}", Uuid::new_v4());
    let groups = if odoo.version < 19 { "groups_id" } else { "group_ids" };
    let mut ids = Vec::new();
    for name in ["group_user", "group_partner_manager"] {
        ids.push(group(odoo, "base", name).await);
    }
    let values = json!({"name": login, "login": login, "password": "a long enough one", groups: [[6, 0, ids]]});
    (odoo.create("res.users", values).await, login)
}

async fn write(odoo: &Odoo, user: i64, values: Value) {
    odoo.call("res.users", "write", json!([[user], values]), json!({})).await.unwrap();
}

/// A partner of a company that was just made. Odoo caches which companies a user has, and a request beside the one that
/// makes a company may have cached those of before (14-19): a write of the user has it look again.
async fn created_in(odoo: &Odoo, name: &str, company: i64) -> Value {
    let mut made = Value::Null;
    poll_for(async || {
        let values = json!([{"name": name, "company_id": company}]);
        match odoo.call("res.partner", "create", values, json!({})).await {
            Ok(id) => made = id,
            Err(_) => write(odoo, odoo.uid().await, json!({"company_ids": [[4, company, 0]]})).await,
        }
        !made.is_null()
    })
    .await;
    made
}

#[tokio::test]
async fn a_company_that_is_changed_in_odoo_is_the_one_of_calls_a_few_seconds_later() {
    for (odoo, protocol) in [(odoo().await, "auto"), (odoo_14().await, "auto"), (odoo().await, "json-rpc")] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, &format!("protocol = \"{protocol}\""));
        let (uid, login) = user(odoo).await;
        let client = Client::with_login(&gateway, &login, "a long enough one");
        let company = odoo.create("res.company", json!({"name": format!("changes {}", Uuid::new_v4())})).await;
        // A partner of the same name in each company, as lookups find them.
        let name = format!("changes {}", Uuid::new_v4());
        let own = odoo.call("res.users", "read", json!([[uid], ["company_id"]]), json!({})).await.unwrap();
        let first = own[0]["company_id"][0].as_i64().unwrap();
        let in_first = odoo.create("res.partner", json!({"name": name, "company_id": first})).await;
        let in_second = created_in(odoo, &name, company).await;
        let parent = async || {
            let payload = json!({"name": "x", "parent_id": {"name": name}});
            let made =
                client.call("create_data", "res.partner", json!({"payload": payload, "result_field": ["parent_id"]}));
            let made = made.await;
            match &made["result"]["parent_id"][0] {
                Value::Null => panic!("Odoo {} by {protocol}: {made}", odoo.version),
                parent => parent.clone(),
            }
        };
        assert_eq!(parent().await, in_first, "Odoo {} by {protocol}", odoo.version);
        write(odoo, uid, json!({"company_ids": [[6, 0, [first, company]]], "company_id": company})).await;
        // For as long as the gateway is asked all the time, and waits for nothing.
        let changed = std::time::Instant::now();
        poll_for(async || parent().await == in_second).await;
        assert!(changed.elapsed().as_secs() < 15, "Odoo {} by {protocol}: {:?}", odoo.version, changed.elapsed());
    }
}

#[tokio::test]
async fn a_language_that_is_changed_in_odoo_is_the_one_of_calls_a_few_seconds_later() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let (uid, login) = user(odoo).await;
    let client = Client::with_login(&gateway, &login, "a long enough one");
    let find = json!([[["code", "=", "fr_FR"]]]);
    let french = odoo.call("res.lang", "search", find, json!({"context": {"active_test": false}})).await.unwrap();
    odoo.call("res.lang", "write", json!([french, {"active": true}]), json!({})).await.unwrap();
    let search = async || {
        let payload = json!({"limit": 1, "search_field": ["name"]});
        client.call("search_data", "res.partner", json!({"payload": payload})).await;
        let sent = proxy.last_request_to("/res.partner/");
        ["en_US", "fr_FR"].into_iter().find(|language| sent.contains(language))
    };
    assert_eq!(search().await, Some("en_US"));
    write(odoo, uid, json!({"lang": "fr_FR"})).await;
    let changed = std::time::Instant::now();
    poll_for(async || search().await == Some("fr_FR")).await;
    assert!(changed.elapsed().as_secs() < 15, "{:?}", changed.elapsed());
}

#[tokio::test]
async fn rights_that_a_user_has_no_more_have_the_fields_of_the_model_asked_again() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    // All fields are named then, as the gateway has seen the model.
    let gateway = Gateway::before(&proxy.url, &odoo.database, "[policy]\nnever_read = [\"res.country.phone_code\"]");
    let client = Client::with_key(&gateway).await;
    let search = async || {
        let body = r#"{"model": "res.country", "vals": {"payload": {"limit": 1}}}"#;
        outcome(&client.post("search_data", body).await)
    };
    assert_eq!(search().await, "ok");
    let denied = r#"{"name": "odoo.exceptions.AccessError", "message": "no right to a field", "debug": ""}"#;
    let is_asked_again = AtomicBool::new(false);
    proxy.run(move |_, rpc| match rpc {
        "res.country/fields_get" => {
            is_asked_again.store(true, Relaxed);
            Fault::Pass
        }
        "res.country/search_read" if !is_asked_again.load(Relaxed) => {
            Fault::Answer { status: "403 FORBIDDEN", body: denied.to_owned() }
        }
        _ => Fault::Pass,
    });
    // What the gateway has seen of the model in this very moment, it does not look at again.
    poll_for(async || search().await == "ok").await;
}
