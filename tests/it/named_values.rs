//! Properties by label and analytic accounts by code: what they cost, and what a policy says.

use serde_json::{Value, json};

use crate::support::{client::Client, gateway::Gateway, odoo::Odoo, odoo::odoo};

const NAME: &str = "aa34746a6851ee4e";

fn unique(what: &str) -> String {
    format!("{what} {}", uuid::Uuid::new_v4().simple())
}

/// A sales team whose leads have a property `Shop order`.
async fn team(odoo: &Odoo) -> i64 {
    let definition = json!([{"name": NAME, "string": "Shop order", "type": "char"}]);
    odoo.create("crm.team", json!({"name": unique("team"), "lead_properties_definition": definition})).await
}

/// The RPCs of the last call on a model, by their methods.
fn methods_on(gateway: &Gateway, model: &str) -> Vec<String> {
    let log = gateway.log();
    let made = log.last().unwrap()["odoo"].as_array().unwrap().clone();
    let is_on = |rpc: &&Value| rpc["model"] == model && rpc["method"] != "fields_get";
    made.iter().filter(is_on).map(|rpc| rpc["method"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn all_accounts_of_a_call_are_looked_up_in_one_odoo_call_and_ids_in_none() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "");
    let client = Client::log_in(&gateway, odoo).await;
    let accounts = odoo.call("account.analytic.account", "search", json!([[]]), json!({"limit": 2})).await.unwrap();
    let (one, two) = (unique("C"), unique("D"));
    for (account, code) in accounts.as_array().unwrap().iter().zip([&one, &two]) {
        odoo.call("account.analytic.account", "write", json!([[account], {"code": code}]), json!({})).await.unwrap();
    }
    let partner = odoo.create("res.partner", json!({"name": unique("partner")})).await;
    let order = async |keys: [&str; 2]| {
        let line =
            |key: &str| json!({"name": "line", "display_type": "line_note", "analytic_distribution": {key: 100}});
        let lines: Vec<Value> = (0..20).map(|n| line(keys[n % 2])).collect();
        let vals = json!({"payload": {"partner_id": partner, "order_line": lines}});
        let answer = client.call("create_data", "sale.order", vals).await;
        assert_eq!(answer["is_success"], true, "{answer}");
        methods_on(&gateway, "account.analytic.account")
    };
    assert_eq!(order([&one, &two]).await, ["search_read"]);
    assert_eq!(order(["1", "2"]).await, Vec::<String>::new());
}

#[tokio::test]
async fn properties_cost_one_read_and_a_payload_without_any_costs_none() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "");
    let client = Client::log_in(&gateway, odoo).await;
    let team = team(odoo).await;
    let payload = json!({"name": unique("lead"), "team_id": team, "lead_properties": {"Shop order": "S-1"}});
    let answer = client.call("create_data", "crm.lead", json!({"payload": payload})).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    assert_eq!(methods_on(&gateway, "crm.team"), ["read"]);
    let id = answer["result"]["id"].clone();
    let update = async |payload: Value| {
        let answer =
            client.call("update_data", "crm.lead", json!({"search_key": {"id": id}, "payload": payload})).await;
        assert_eq!(answer["is_success"], true, "{answer}");
        (methods_on(&gateway, "crm.lead"), methods_on(&gateway, "crm.team"))
    };
    let with = update(json!({"lead_properties": {"Shop order": "S-2"}})).await;
    assert_eq!(with, (["search_read", "read", "write"].map(str::to_owned).to_vec(), vec![]));
    let without = update(json!({"contact_name": "x"})).await;
    assert_eq!(without, (["search_read", "write"].map(str::to_owned).to_vec(), vec![]));
}

#[tokio::test]
async fn a_policy_that_hides_definitions_leaves_odoos_own_names_alone() {
    let odoo = odoo().await;
    let policy = "[policy]\nnever_read = [\"crm.team.lead_properties_definition\"]";
    let gateway = Gateway::before(&odoo.url, &odoo.database, policy);
    let client = Client::log_in(&gateway, odoo).await;
    let team = team(odoo).await;
    let create = async |properties: Value| {
        let payload = json!({"name": unique("lead"), "team_id": team, "lead_properties": properties});
        client.call("create_data", "crm.lead", json!({"payload": payload})).await
    };
    let refused = create(json!({"Shop order": "S-1"})).await;
    assert_eq!(refused["error"]["code"], "field_not_readable", "{refused}");
    assert_eq!(refused["error"]["path"], "payload.lead_properties", "{refused}");
    assert!(!refused.to_string().contains(NAME), "{refused}");
    let written = create(json!({NAME: "S-1"})).await;
    assert_eq!(written["is_success"], true, "{written}");
    assert_eq!(methods_on(&gateway, "crm.team"), Vec::<String>::new());
}

#[tokio::test]
async fn an_account_is_named_only_where_the_policy_lets_its_model_be_touched() {
    let odoo = odoo().await;
    for (rules, key, code) in [
        ("models = { deny = [\"account.analytic.*\"] }", "CODE", "model_not_allowed"),
        ("models = { deny = [\"account.analytic.*\"] }", "1", "model_not_allowed"),
        ("never_read = [\"account.analytic.account.code\"]", "CODE", "field_not_readable"),
        ("domains = { \"account.analytic.account\" = [[\"id\", \"=\", 0]] }", "1", "outside_domain"),
        ("domains = { \"account.analytic.account\" = [[\"id\", \"=\", 0]] }", "CODE", "no_match"),
    ] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, &format!("[policy]\n{rules}"));
        let client = Client::log_in(&gateway, odoo).await;
        let lines = json!([{"name": "line", "display_type": "line_note", "analytic_distribution": {key: 100}}]);
        let vals = json!({"payload": {"partner_id": 1, "order_line": lines}});
        let answer = client.call("create_data", "sale.order", vals).await;
        assert_eq!(answer["error"]["code"], code, "{rules} {key}: {answer}");
    }
}
