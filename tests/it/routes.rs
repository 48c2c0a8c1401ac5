//! The routes beyond what cases of data can say: which Odoo calls they take, who may use them, and what the log has of them.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    case,
    client::Client,
    fault::{Fault, FaultProxy, exception},
    gateway::{CHANGED, Gateway, SETTLES_AT_ONCE, new_client},
    odoo::{Odoo, odoo, odoo_14},
};

fn unique(name: &str) -> String {
    format!("{name} {}", Uuid::new_v4())
}

/// `ok`, or the code of the error.
fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or("ok")
}

/// A gateway with clients of these policies, who act as the run's administrator.
fn clients(odoo: &Odoo, policies: &[&str]) -> (Gateway, Vec<Client>) {
    let (mut keys, mut entries) = (Vec::new(), String::new());
    for (number, policy) in policies.iter().enumerate() {
        let (key, entry) = new_client(&format!("client-{number}"));
        entries += &format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n{policy}\n", odoo.login);
        keys.push(key);
    }
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &entries, &[("ODOO_KEY", &odoo.key)]);
    let clients = keys.iter().map(|key| Client::with_header(&gateway, "x-api-key", key)).collect();
    (gateway, clients)
}

async fn tags(odoo: &Odoo, name: &str, count: usize) {
    let values: Vec<Value> = (0..count).map(|n| json!({"name": format!("{name} {n}"), "color": n % 2})).collect();
    odoo.call("res.partner.category", "create", json!([values]), json!({})).await.unwrap();
}

#[tokio::test]
async fn a_search_without_a_limit_takes_one_call_and_beyond_the_limit_of_rows_is_refused_with_their_number() {
    let odoo = odoo().await;
    let name = unique("rows");
    tags(odoo, &name, 6).await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "[limits]\nrows = 5");
    let client = Client::with_key(&gateway).await;
    let search = |more: Value| {
        let mut payload = json!({"search_domain": [["name", "like", name]], "search_field": ["name"]});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.call("search_data", "res.partner.category", json!({"payload": payload}))
    };
    let refused = search(json!({})).await;
    assert_eq!(code(&refused), "too_many_rows", "{refused}");
    assert!(refused["messages"].as_str().unwrap().contains("finds 6 records"), "{refused}");
    assert_eq!(gateway.last_methods(), ["search_read", "search_count"]);
    assert_eq!(search(json!({"limit": 6})).await["result"].as_array().unwrap().len(), 6);
    assert_eq!(gateway.last_methods(), ["search_read"]);
    let rest = search(json!({"offset": 1, "order": "id"})).await;
    assert_eq!(rest["result"].as_array().unwrap().len(), 5, "{rest}");
    assert_eq!(gateway.last_methods(), ["search_read"]);
    let groups = json!({"search_domain": [["name", "like", name]], "group": ["name"]});
    let refused = client.call("search_data", "res.partner.category", json!({"payload": groups})).await;
    assert_eq!(code(&refused), "too_many_rows", "{refused}");
}

#[tokio::test]
async fn a_search_that_finds_thousands_is_counted_and_read_whole() {
    let odoo = odoo().await;
    let name = unique("many");
    tags(odoo, &name, 2_001).await;
    let gateway = Gateway::start().await;
    let client = Client::with_key(&gateway).await;
    let payload = json!({"search_domain": [["name", "like", name]], "search_field": ["name"]});
    let found = client.call("search_data", "res.partner.category", json!({"payload": payload})).await;
    let mut ids: Vec<i64> = found["result"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2_001);
    assert_eq!(gateway.last_methods(), ["search_read", "search_count", "search_read"]);
}

#[tokio::test]
async fn counting_grouping_and_deleting_take_one_call_each_beside_finding() {
    let odoo = odoo().await;
    let name = unique("cost");
    tags(odoo, &name, 2).await;
    let gateway = Gateway::start().await;
    let client = Client::with_key(&gateway).await;
    let domain = json!([["name", "like", name]]);
    client
        .call("search_data", "res.partner.category", json!({"payload": {"search_domain": domain, "count": true}}))
        .await;
    assert_eq!(gateway.last_methods(), ["search_count"]);
    let group = json!({"payload": {"search_domain": domain, "group": ["color"], "aggregates": ["id:max"]}});
    let groups = client.call("search_data", "res.partner.category", group).await;
    assert_eq!(groups["result"].as_array().unwrap().len(), 2, "{groups}");
    assert_eq!(gateway.last_methods(), ["formatted_read_group"]);
    let key = json!({"search_key": {"name": [format!("{name} 0"), format!("{name} 1")]}});
    let deleted = client.call("delete_data", "res.partner.category", key).await;
    assert_eq!(deleted["result"]["id"].as_array().unwrap().len(), 2, "{deleted}");
    assert_eq!(gateway.last_methods(), ["search_read", "unlink"]);
    let call = gateway.run_json(&["log", "ls", "--route", "delete_data", "--json"]).remove(0);
    assert_eq!((&call["state"], &call["model"]), (&json!("done"), &json!("res.partner.category")));
}

#[tokio::test]
async fn a_client_deletes_only_where_its_policy_names_the_route_and_within_its_number_and_domain() {
    let odoo = odoo().await;
    let name = unique("kept");
    tags(odoo, &name, 4).await;
    let delete = "routes = [\"delete_data\", \"search_data\"]\n";
    let domain = format!(
        "{delete}domains = {{ \"res.partner.category\" = [[\"color\", \"=\", 1]] }}\nmax_records = {{ write = 9 }}"
    );
    let (_gateway, clients) = clients(odoo, &["", delete, &domain]);
    let all: Vec<String> = (0..4).map(|n| format!("{name} {n}")).collect();
    let key = json!({"search_key": {"name": all}});
    let [silent, one, narrowed] = &clients[..] else { panic!("three clients") };
    let refused = silent.post("delete_data", json!({"model": "res.partner.category", "vals": key}).to_string()).await;
    assert_eq!(refused.json["error"]["data"]["code"], "route_not_allowed", "{refused:?}");
    let refused = one.call("delete_data", "res.partner.category", key.clone()).await;
    assert_eq!(code(&refused), "too_many_records", "{refused}");
    assert_eq!(odoo.search_count("res.partner.category", json!([["name", "like", name]])).await, 4);
    let deleted = narrowed.call("delete_data", "res.partner.category", key).await;
    assert_eq!(deleted["result"]["id"].as_array().map(Vec::len), Some(2), "{deleted}");
    let left = json!([["name", "like", name], ["color", "=", 0]]);
    assert_eq!(odoo.search_count("res.partner.category", left).await, 2);
}

#[tokio::test]
async fn counting_and_grouping_read_no_field_that_must_not_be_read() {
    let odoo = odoo().await;
    let (gateway, clients) = clients(odoo, &["never_read = [\"res.partner.vat\"]\nmax_records = { read = 1 }"]);
    for payload in [
        json!({"count": true, "search_domain": [["vat", "like", "B"]]}),
        json!({"group": ["vat"]}),
        json!({"aggregates": ["vat:max"]}),
        json!({"group": ["country_id"], "search_domain": [["parent_id.vat", "like", "B"]]}),
    ] {
        let before = gateway.log().len();
        let answer = clients[0].call("search_data", "res.partner", json!({"payload": payload})).await;
        assert_eq!(code(&answer), "field_not_readable", "{payload}: {answer}");
        assert_eq!(gateway.log().len(), before + 1);
        assert_eq!(gateway.last_methods(), Vec::<String>::new(), "{payload}");
    }
    let groups = clients[0].call("search_data", "res.partner", json!({"payload": {"group": ["name"]}})).await;
    assert_eq!(code(&groups), "too_many_records", "{groups}");
}

#[tokio::test]
async fn a_context_sets_no_default_that_must_not_be_written() {
    let odoo = odoo().await;
    let (gateway, clients) = clients(odoo, &["never_write = [\"res.partner.function\"]"]);
    for (route, vals) in [
        ("create_data", json!({"payload": {"name": "x"}})),
        ("search_data", json!({"payload": {"limit": 1, "search_field": ["name"]}})),
    ] {
        let mut vals = vals;
        vals["context"] = json!({"default_function": "boss"});
        let answer = clients[0].call(route, "res.partner", vals.clone()).await;
        assert_eq!(
            (code(&answer), &answer["error"]["path"]),
            ("field_not_writable", &json!("context.default_function"))
        );
        assert_eq!(gateway.last_methods(), Vec::<String>::new());
        // A field of another model may lead anywhere, in whatever the call creates beside its record.
        vals["context"] = json!({"default_user_ids_of_another": 1});
        let answer = clients[0].call(route, "res.partner", vals).await;
        assert_eq!(
            (code(&answer), &answer["error"]["path"], &answer["error"]["rule"]),
            (
                "field_not_writable",
                &json!("context.default_user_ids_of_another"),
                &json!("models, fields or records are narrowed")
            )
        );
    }
}

/// The contexts of the RPCs of the last call, by method.
fn contexts(gateway: &Gateway) -> Vec<(String, Value)> {
    let log = gateway.log();
    let made = log.last().unwrap()["odoo"].as_array().unwrap().clone();
    let text = |rpc: &Value| format!("{}/{}", rpc["model"].as_str().unwrap(), rpc["method"].as_str().unwrap());
    made.iter().filter(|rpc| rpc["method"] != "fields_get").map(|rpc| (text(rpc), rpc["context"].clone())).collect()
}

#[tokio::test]
async fn every_call_to_odoo_is_made_in_the_context_and_defaults_stay_with_their_model() {
    let odoo = odoo().await;
    let gateway = Gateway::start().await;
    let client = Client::with_key(&gateway).await;
    // Known before, so that no upkeep is in the log.
    client.call("search_data", "res.partner", json!({"payload": {"limit": 1, "search_field": ["name"]}})).await;
    let payload = json!({"name": unique("context"), "category_id": {"records": [{"name": unique("new")}]},
        "attachment_ids": [{"name": "a", "datas": "QQ=="}]});
    let create = json!([{"name": payload["category_id"]["records"][0]["name"]}]);
    let vals = json!({"payload": payload, "auto_create": {"category_id": create},
        "context": {"tracking_disable": true, "default_function": "F"}});
    let plan = client.call("create_data", "res.partner", {
        let mut dry = vals.clone();
        dry["dry_run"] = json!(true);
        dry
    });
    let plan = plan.await;
    let made = client.call("create_data", "res.partner", vals).await;
    assert_eq!(code(&made), "ok", "{made}");
    let contexts = contexts(&gateway);
    assert!(contexts.iter().any(|(rpc, _)| rpc == "ir.attachment/create"), "{contexts:?}");
    for (rpc, context) in &contexts {
        assert_eq!(context["tracking_disable"], true, "{rpc}: {context}");
        let has_default = context.get("default_function").is_some();
        assert_eq!(has_default, rpc.starts_with("res.partner/"), "{rpc}: {context}");
    }
    let main = plan["result"]["calls"].as_array().unwrap().iter().find(|call| call["model"] == "res.partner").unwrap();
    assert_eq!(
        (&main["context"]["tracking_disable"], &main["context"]["default_function"]),
        (&json!(true), &json!("F"))
    );
    assert_eq!(
        odoo.search_count("res.partner", json!([["id", "=", made["result"]["id"]], ["function", "=", "F"]])).await,
        1
    );
}

#[tokio::test]
async fn a_language_costs_one_call_before_odoo_16_and_none_after_it() {
    for (odoo, by_key, expected) in
        [(odoo_14().await, false, vec!["search_read", "search_read"]), (odoo().await, true, vec!["search_read"])]
    {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let client = match by_key {
            true => Client::with_key(&gateway).await,
            false => Client::log_in(&gateway, odoo).await,
        };
        let vals = json!({"payload": {"limit": 1, "search_field": ["name"]}, "context": {"lang": "en_US"}});
        assert_eq!(code(&client.call("search_data", "res.partner", vals.clone()).await), "ok");
        client.call("search_data", "res.partner", vals).await;
        assert_eq!(gateway.last_methods(), expected, "Odoo {}", odoo.version);
    }
}

#[tokio::test]
async fn calls_with_different_contexts_share_no_new_record_and_no_lookup() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "max_in_flight = 1");
    let client = Client::with_key(&gateway).await;
    let tag = unique("tag");
    tags(odoo, &tag, 1).await;
    let call = |function: String| {
        let payload = json!({"name": unique("shared"), "category_id": {"records": [{"name": format!("{tag} 0")}]}});
        let vals = json!({"payload": payload, "context": {"default_function": function}});
        let client = client.clone();
        async move { client.call("create_data", "res.partner", vals).await["result"]["id"].as_i64().unwrap() }
    };
    let functions: Vec<String> = (0..8).map(|n| unique(&format!("f{n}"))).collect();
    let ids = futures_util::future::join_all(functions.iter().cloned().map(call)).await;
    for (id, function) in ids.iter().zip(&functions) {
        let own = json!([["id", "=", id], ["function", "=", function]]);
        assert_eq!(odoo.search_count("res.partner", own).await, 1, "{function}");
    }
}

#[tokio::test]
async fn the_warnings_of_a_refusal_stand_in_the_log() {
    let gateway = Gateway::start().await;
    let client = Client::with_key(&gateway).await;
    let refused = client.call("create_data", "res.partner", json!({"payload": {"naem": "x"}})).await;
    assert_eq!(refused["warnings"][0]["code"], "unknown_field", "{refused}");
    let call = gateway.run_json(&["log", "ls", "--json"]).remove(0);
    assert_eq!((&call["state"], &call["warnings"]), (&json!("failed"), &json!(1)), "{call}");
    let (_, table, _) = gateway.run(&["log", "ls"]);
    assert!(table.contains("failed, 1 warning"), "{table}");
    let (_, shown, _) = gateway.run(&["log", "show", call["id"].as_str().unwrap()]);
    assert!(shown.contains("failed, 1 warning") && shown.contains("payload.naem"), "{shown}");
}

#[tokio::test]
async fn warnings_travel_with_an_odoo_that_does_not_answer_too() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, SETTLES_AT_ONCE);
    let client = Client::with_key(&gateway).await;
    proxy.run(|_, rpc| if rpc.ends_with("/create") { Fault::ResetAfter } else { Fault::Pass });
    let payload = json!({"name": unique("lost"), "naem": "x", "website": CHANGED});
    let body = json!({"model": "res.partner", "vals": {"payload": payload}});
    let answer = client.post("create_data", body.to_string()).await;
    let data = &answer.json["error"]["data"];
    assert_eq!((answer.status, &data["warnings"][0]["path"]), (504, &json!("payload.naem")), "{answer:?}");
}

#[tokio::test]
async fn files_of_a_message_that_odoo_refuses_are_deleted_again() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_session(&gateway).await;
    let body = exception("odoo.exceptions.UserError", "no messages today");
    proxy.run(move |_, rpc| match rpc.ends_with("/message_post") {
        true => Fault::Answer { status: "200 OK", body: body.clone() },
        false => Fault::Pass,
    });
    let name = unique("file");
    let parameter = json!({"body": "x", "attachments": [[name, "QQ=="]]});
    let vals = json!({"search_key": {"id": 1}, "payload": {"method": "message_post", "parameter": parameter}});
    let answer = client.call("call_function", "res.partner", vals).await;
    assert_eq!((code(&answer), &answer["error"]["retry"]), ("user_error", &json!("no")), "{answer}");
    let seen = proxy.seen();
    assert!(seen.iter().any(|rpc| rpc == "ir.attachment/create"), "{seen:?}");
    assert_eq!(odoo.search_count("ir.attachment", json!([["name", "=", name]])).await, 0);
}

#[tokio::test]
async fn a_wizard_that_the_policy_does_not_name_is_not_opened() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (key, entry) = new_client("narrow");
    let policy = "models = { allow = [\"res.partner\"] }\nmethods = [\"res.partner.create_company\", \"*.process\"]";
    let entry = format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n{policy}\n", odoo.login);
    let gateway = Gateway::before_with(
        &proxy.url,
        &odoo.database,
        &format!("protocol = \"json-2\"\n{entry}"),
        &[("ODOO_KEY", &odoo.key)],
    );
    let client = Client::with_header(&gateway, "x-api-key", &key);
    let wizard = r#"{"type": "ir.actions.act_window", "target": "new", "res_model": "stock.backorder.confirmation"}"#;
    proxy.run(move |_, rpc| match rpc.ends_with("/create_company") {
        true => Fault::Answer { status: "200 OK", body: wizard.to_owned() },
        false => Fault::Pass,
    });
    let payload = json!({"method": "create_company", "then": {"method": "process"}});
    let answer =
        client.call("call_function", "res.partner", json!({"search_key": {"id": 1}, "payload": payload})).await;
    assert_eq!(
        (code(&answer), &answer["error"]["path"], &answer["error"]["retry"]),
        ("model_not_allowed", &json!("payload.then.method"), &json!("unsafe")),
        "{answer}"
    );
    assert!(!proxy.seen().iter().any(|rpc| rpc.starts_with("stock.")), "{:?}", proxy.seen());
    let told = client
        .call("call_function", "res.partner", json!({"search_key": {"id": 1}, "payload": {"method": "create_company"}}))
        .await;
    assert_eq!((code(&told), &told["warnings"][0]["code"]), ("ok", &json!("odoo_asks_back")), "{told}");
}

#[tokio::test]
async fn what_stands_beside_vals_never_gets_to_odoo() {
    let gateway = Gateway::start().await;
    let client = Client::with_key(&gateway).await;
    let body = json!({"params": {"model": "res.partner", "vals": {"payload": {}}, "limit": 2}});
    let answer = client.post("search_data", body.to_string()).await;
    let data = &answer.json["error"]["data"];
    assert_eq!((answer.status, data["code"].as_str()), (200, Some("misplaced_parameter")), "{answer:?}");
}

#[tokio::test]
async fn a_write_whose_result_may_not_be_read_is_done_with_a_warning_and_one_that_may_not_be_done_is_refused() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_session(&gateway).await;
    let hidden = exception("odoo.exceptions.AccessError", "a rule hides it");
    let id = odoo.create("res.partner", json!({"name": unique("hidden"), "function": "before"})).await;
    let update = json!({"search_key": {"id": id}, "payload": {"function": "after"}, "result_field": ["function"]});
    let create = json!({"payload": {"name": unique("hidden")}, "result_field": ["function"]});
    for (route, vals) in [("update_data", &update), ("create_data", &create)] {
        let body = hidden.clone();
        proxy.run(move |_, rpc| match rpc.ends_with("/web_save") || rpc.ends_with("/read") {
            true => Fault::Answer { status: "200 OK", body: body.clone() },
            false => Fault::Pass,
        });
        let answer = client.call(route, "res.partner", vals.clone()).await;
        assert_eq!((code(&answer), &answer["warnings"][0]["code"]), ("ok", &json!("result_not_read")), "{answer}");
    }
    let after = json!([["id", "=", id], ["function", "=", "after"]]);
    assert_eq!(odoo.search_count("res.partner", after.clone()).await, 1);
    let back = json!({"search_key": {"id": id}, "payload": {"function": "again"}, "result_field": ["function"]});
    proxy.run(move |_, rpc| match rpc.ends_with("/web_save") || rpc.ends_with("/write") {
        true => Fault::Answer { status: "200 OK", body: hidden.clone() },
        false => Fault::Pass,
    });
    assert_eq!(code(&client.call("update_data", "res.partner", back).await), "access_error");
    assert_eq!(odoo.search_count("res.partner", after).await, 1);
}

/// The cases whose RPCs have arguments that no other route sends.
const BY_EVERY_PROTOCOL: [&str; 5] = ["groups", "period of a group", "counts", "are deleted", "files decoded"];

#[tokio::test]
async fn counting_grouping_deleting_and_files_of_messages_work_by_every_protocol() {
    for (odoo, protocol) in [
        (odoo_14().await, "json-rpc"),
        (odoo_14().await, "xml-rpc"),
        (odoo().await, "session"),
        (odoo().await, "json-rpc"),
        (odoo().await, "xml-rpc"),
    ] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, &format!("protocol = \"{protocol}\""));
        let client = match protocol {
            "session" => Client::log_in(&gateway, odoo).await,
            _ => Client::with_login(&gateway, &odoo.login, &odoo.key),
        };
        let cases = case::load("payloads/routes.json");
        let is_meant =
            |case: &&Value| BY_EVERY_PROTOCOL.iter().any(|part| case["name"].as_str().unwrap().contains(part));
        let cases: Vec<&Value> = cases.iter().filter(is_meant).collect();
        assert_eq!(cases.len(), BY_EVERY_PROTOCOL.len());
        for case in cases {
            let outcome = case::run(case, &gateway, odoo, &client, &mut Vec::new()).await;
            assert_eq!(outcome, Ok(()), "{} by {protocol} on Odoo {}", case["name"], odoo.version);
        }
    }
}
