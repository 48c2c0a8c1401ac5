//! Writes that take more than one record: what is made on the fly, files, and how many calls it takes.

use serde_json::{Value, json};

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::{odoo, odoo_14},
};

fn unique(what: &str) -> String {
    format!("{what} {}", uuid::Uuid::new_v4().simple())
}

fn methods(answer: &Value) -> Vec<String> {
    let calls = answer["result"]["calls"].as_array().unwrap().iter();
    calls.map(|call| format!("{} {}", call["model"].as_str().unwrap(), call["method"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_dry_run_shows_lookups_and_calls_and_writes_nothing() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let (name, dad) = (unique("A"), unique("dad"));
    let vals = json!({
        "dry_run": true,
        "payload": {
            "name": name, "country_id": {"code": "TH"}, "parent_id": {"name": dad}, "comment": "x".repeat(5000),
            "child_ids": [{"name": "k", "attachment_ids": [{"name": "a.txt", "datas": "QQ=="}]}],
        },
        "auto_create": {"parent_id": {"name": dad}},
    });
    let answer = client.call("create_data", "res.partner", vals).await;
    assert_eq!(
        (&answer["is_success"], answer["messages"].as_str()),
        (&json!(true), Some("Dry run: nothing was written"))
    );
    let lookups = answer["result"]["lookups"].as_array().unwrap();
    assert!(lookups.contains(&json!({"model": "res.partner", "field": "name", "value": dad, "ids": []})), "{answer}");
    assert!(lookups.iter().any(|lookup| lookup["value"] == "TH" && lookup["ids"].as_array().unwrap().len() == 1));
    assert_eq!(
        methods(&answer),
        ["res.partner create", "ir.attachment create", "res.partner create", "ir.attachment write"]
    );
    let calls = &answer["result"]["calls"];
    assert_eq!(calls[0]["undo"], "deleted again if a later call is refused");
    assert_eq!(calls[2]["args"]["vals_list"][0]["parent_id"], "<id from call 1>");
    let comment = calls[2]["args"]["vals_list"][0]["comment"].as_str().unwrap();
    assert!(comment.ends_with("… (5000 bytes)") && comment.len() < 300, "{comment}");
    assert_eq!(calls[3]["ids"], json!(["<id from call 2>"]));
    assert_eq!(calls[3]["args"]["vals"]["res_id"], "<id from call 3>.child_ids[0]");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "in", [name, dad]]])).await, 0);
}

#[tokio::test]
async fn a_dry_run_of_a_search_or_a_method_calls_neither() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let id = odoo.create("res.partner", json!({"name": unique("A")})).await;
    let vals = json!({"dry_run": true, "payload": {"search_field": ["name", "child_ids{name}"], "search_domain": [["id", "=", id]]}});
    let answer = client.call("search_data", "res.partner", vals).await;
    assert_eq!(methods(&answer), ["res.partner web_search_read"]);
    let vals = json!({"dry_run": true, "search_key": {"id": id}, "payload": {"method": "unlink"}});
    let answer = client.call("call_function", "res.partner", vals).await;
    assert_eq!(
        (methods(&answer), &answer["result"]["calls"][0]["ids"]),
        (vec!["res.partner unlink".to_owned()], &json!([id]))
    );
    assert_eq!(odoo.search_count("res.partner", json!([["id", "=", id]])).await, 1);
}

#[tokio::test]
async fn an_order_with_200_lines_and_50_products_takes_few_lookups_and_one_write() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let run = uuid::Uuid::new_v4().simple().to_string();
    let products: Vec<Value> = (0..50)
        .map(|n| json!({"name": format!("P{n}"), "default_code": format!("{run}-{n}"), "type": "consu"}))
        .collect();
    odoo.call("product.product", "create", json!([products]), json!({})).await.unwrap();
    odoo.create("res.partner", json!({"name": run, "ref": run})).await;
    let lines: Vec<Value> = (0..200)
        .map(|n| json!({"product_id": {"default_code": format!("{run}-{}", n % 50)}, "product_uom_qty": n + 1}))
        .collect();
    let vals = json!({"payload": {
        "partner_id": {"ref": run}, "client_order_ref": run, "user_id": {"login": "admin"}, "team_id": {"name": "Sales"}, "order_line": lines,
    }});
    for client in [Client::with_session(&gateway).await, Client::with_bearer(&gateway).await] {
        let answer = client.call("create_data", "sale.order", vals.clone()).await;
        assert_eq!(answer["is_success"], true, "{answer}");
        let mut methods = gateway.last_methods();
        assert_eq!(methods.pop().as_deref(), Some("create"));
        assert_eq!(methods, ["search_read"; 4]);
        let id = answer["result"]["id"].clone();
        assert_eq!(
            odoo.search_count(
                "sale.order.line",
                json!([["order_id", "=", id], ["product_id.default_code", "like", run]])
            )
            .await,
            200
        );
    }
}

#[tokio::test]
async fn a_search_with_three_levels_over_80_records_takes_one_call() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let name = unique("page");
    let partners: Vec<Value> =
        (0..80).map(|n| json!({"name": format!("{name} {n}"), "child_ids": [[0, 0, {"name": "k"}]]})).collect();
    odoo.call("res.partner", "create", json!([partners]), json!({})).await.unwrap();
    let client = Client::with_session(&gateway).await;
    let payload = json!({"search_field": ["name", "child_ids{name, parent_id{name, child_ids{name}}}"], "search_domain": [["name", "like", name]]});
    let answer = client.call("search_data", "res.partner", json!({"payload": payload})).await;
    let records = answer["result"].as_array().unwrap();
    assert_eq!(records.len(), 80);
    assert!(
        records.iter().all(|record| record["child_ids"][0]["parent_id"][0]["child_ids"][0]["name"] == "k"),
        "{}",
        records[0]
    );
    assert_eq!(gateway.last_methods(), ["web_search_read"]);
}

#[tokio::test]
async fn of_several_many2many_records_only_the_missing_ones_are_made_in_the_one_write() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let (there, missing, unneeded) = (unique("there"), unique("missing"), unique("unneeded"));
    odoo.create("res.partner.category", json!({"name": there})).await;
    let made: Vec<Value> = [&there, &missing, &unneeded].iter().map(|name| json!({"name": name})).collect();
    let records = json!([{"name": there}, {"name": missing}]);
    let vals = json!({"payload": {"name": unique("A"), "category_id": {"records": records}}, "auto_create": {"category_id": made}, "result_field": ["category_id"]});
    let body = json!({"model": "res.partner", "vals": vals}).to_string();
    let answer = client.post("create_data", body).await;
    assert_eq!(answer.json["result"]["result"]["category_id"].as_array().unwrap().len(), 2, "{answer:?}");
    assert_eq!(answer.headers["gateway-atomicity"], "single-call");
    let count = async |name: &str| odoo.search_count("res.partner.category", json!([["name", "=", name]])).await;
    assert_eq!((count(&there).await, count(&missing).await, count(&unneeded).await), (json!(1), json!(1), json!(0)));
    assert_eq!(gateway.last_methods(), ["search_read", "web_save"]);
}

#[tokio::test]
async fn a_record_that_several_places_need_is_made_once_before_them() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_bearer(&gateway).await;
    let tag = unique("tag");
    let tags = json!({"mode": "add", "records": [{"name": tag}]});
    let vals = json!({"payload": {"name": unique("A"), "category_id": tags, "child_ids": [{"name": "k", "category_id": tags}]}, "auto_create": {"category_id": {"name": tag}}});
    let answer = client.post("create_data", json!({"model": "res.partner", "vals": vals}).to_string()).await;
    assert_eq!(answer.headers["gateway-atomicity"], "compensated", "{answer:?}");
    assert_eq!(odoo.search_count("res.partner.category", json!([["name", "=", tag]])).await, 1);
    assert_eq!(odoo.search_count("res.partner", json!([["category_id.name", "=", tag]])).await, 2);
}

#[tokio::test]
async fn what_auto_create_cannot_make_is_refused_and_nothing_is_written() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let (name, dad) = (unique("kid"), unique("dad"));
    let model = "res.partner.category";
    let cases = [
        // An entry with another value would never be found by the lookup.
        (json!({"parent_id": {"name": "another"}}), "no_match"),
        // A record that says nothing of the field it is looked up by is made, looked for in vain, and taken back.
        (json!({"parent_id": {"color": 3}}), "validation_error"),
        (json!({"parent_id": {"name": dad, "parent_id": {"name": dad}}}), "circular_auto_create"),
        (json!({"parent_id": {"name": dad, "parent_id": {"name": "nowhere"}}}), "no_match"),
        (json!({"parent_id": "dad"}), "invalid_value"),
        (json!({"parent_id": ["dad"]}), "invalid_value"),
        (json!([]), "invalid_value"),
    ];
    for (auto_create, code) in cases {
        let vals = json!({"payload": {"name": name, "parent_id": {"name": dad}}, "auto_create": auto_create});
        let answer = client.call("create_data", model, vals).await;
        assert_eq!(
            (&answer["is_success"], answer["error"]["code"].as_str()),
            (&json!(false), Some(code)),
            "{auto_create}: {answer}"
        );
    }
    assert_eq!(odoo.search_count(model, json!([["name", "in", [name, dad]]])).await, 0);
}

#[tokio::test]
async fn a_record_that_its_lookup_does_not_find_once_made_is_taken_back() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let (name, made) = (unique("kid"), unique("made"));
    let lookup = |value: &str| json!({"payload": {"name": name, "parent_id": {"display_name": value}}, "auto_create": {"parent_id": {"name": made}}});
    let answer = client.call("create_data", "res.partner.category", lookup("quite another")).await;
    assert_eq!(answer["error"]["code"], "not_found_afterwards", "{answer}");
    assert_eq!(odoo.search_count("res.partner.category", json!([["name", "in", [name, made]]])).await, 0);
    let answer = client.call("create_data", "res.partner.category", lookup(&made)).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    assert_eq!(odoo.search_count("res.partner.category", json!([["parent_id.name", "=", made]])).await, 1);
}

#[tokio::test]
async fn files_of_a_model_with_a_relation_of_its_own_go_into_the_write_and_keep_the_old_ones() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let file = |name: &str| json!([{"name": name, "datas": "SGVsbG8="}]);
    let payload = json!({"move_type": "entry", "ref": unique("M"), "attachment_ids": file("one.txt")});
    let answer = client.call("create_data", "account.move", json!({"payload": payload})).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    assert_eq!(gateway.last_methods(), ["create"]);
    let id = answer["result"]["id"].clone();
    let update = json!({"search_key": {"id": id}, "payload": {"attachment_ids": file("two.txt")}});
    assert_eq!(client.call("update_data", "account.move", update).await["is_success"], true);
    assert_eq!(
        client
            .call("update_data", "account.move", json!({"search_key": {"id": id}, "payload": {"attachment_ids": []}}))
            .await["is_success"],
        true
    );
    let attached =
        json!([["res_model", "=", "account.move"], ["res_id", "=", id], ["name", "in", ["one.txt", "two.txt"]]]);
    assert_eq!(odoo.search_count("ir.attachment", attached).await, 2);
}

#[tokio::test]
async fn an_ambiguous_lookup_lists_candidates_and_says_where_it_stands() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let name = unique("twin");
    let twins: Vec<i64> = [
        odoo.create("res.partner", json!({"name": name})).await,
        odoo.create("res.partner", json!({"name": name})).await,
    ]
    .into();
    let payload = json!({"name": "x", "child_ids": [{"name": "k1"}, {"name": "k2", "parent_id": {"name": name}}]});
    let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
    assert_eq!(answer["error"]["code"], "ambiguous_match", "{answer}");
    assert_eq!(answer["error"]["path"], "payload.child_ids[1].parent_id", "{answer}");
    let mut candidates: Vec<i64> =
        answer["error"]["candidates"].as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect();
    candidates.sort_unstable();
    assert_eq!(candidates, twins);
    assert!(answer["messages"].as_str().unwrap().contains(&format!("{} ({name})", twins[0])), "{answer}");
}

#[tokio::test]
async fn a_field_that_odoo_got_while_the_gateway_runs_is_seen() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let field = format!("x_new_{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let create = async || {
        client
            .call(
                "create_data",
                "res.partner.category",
                json!({"payload": {"name": unique("A"), field.as_str(): "v"}, "result_field": ["name"]}),
            )
            .await
    };
    assert_eq!(create().await["warnings"][0]["code"], "unknown_field");
    let model =
        odoo.call("ir.model", "search", json!([[["model", "=", "res.partner.category"]]]), json!({})).await.unwrap()[0]
            .clone();
    odoo.create("ir.model.fields", json!({"name": field, "model_id": model, "ttype": "char", "state": "manual"})).await;
    // What is remembered may be trusted for a second.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !create().await["warnings"].is_null() {
        assert!(std::time::Instant::now() < deadline, "the new field is not seen");
    }
    assert_eq!(odoo.search_count("res.partner.category", json!([[field, "=", "v"]])).await, 1);
}

#[tokio::test]
async fn a_method_can_be_called_on_the_model_without_a_search_key() {
    let gateway = Gateway::start().await;
    for client in [Client::with_session(&gateway).await, Client::with_key(&gateway).await] {
        let payload =
            json!({"method": "search_count", "parameter": {"domain": [["code", "=", "TH"]]}, "on_model": true});
        let answer = client.call("call_function", "res.country", json!({"payload": payload})).await;
        assert_eq!(
            (&answer["result"], gateway.last_methods()),
            (&json!(1), vec!["search_count".to_owned()]),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn methods_that_odoo_lets_nobody_call_are_refused_by_name() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let id = odoo.create("res.partner", json!({"name": unique("A")})).await;
    for client in [Client::with_session(&gateway).await, Client::with_key(&gateway).await] {
        for method in ["_write", "sudo", "with_context"] {
            let vals = json!({"search_key": {"id": id}, "payload": {"method": method}});
            let answer = client.call("call_function", "res.partner", vals).await;
            assert_eq!(answer["error"]["code"], "private_method", "{method}: {answer}");
            assert!(answer["messages"].as_str().unwrap().contains(method));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_kept_exactly_is_refused_and_the_rest_is_kept() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let name = unique("exact");
    let body =
        |values: &str| format!(r#"{{"model": "res.partner", "vals": {{"payload": {{"name": "{name}", {values}}}}}}}"#);
    for values in [
        r#""ref": 1, "ref": 2"#,
        r#""color": 1e400"#,
        r#""color": NaN"#,
        r#""ref": "\ud800""#,
        r#""color": 123456789012345678901234567890"#,
    ] {
        let answer = client.post("create_data", body(values)).await;
        assert_eq!(
            (answer.status, answer.json["error"]["data"]["code"].as_str()),
            (400, Some("invalid_json")),
            "{values}"
        );
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 0);
    let answer = client
        .post("create_data", body(r#""partner_latitude": 13.756331, "partner_longitude": -0.1, "comment": "a\u0001b""#))
        .await;
    let id = answer.json["result"]["result"]["id"].clone();
    let read = odoo
        .call("res.partner", "read", json!([[id], ["partner_latitude", "partner_longitude"]]), json!({}))
        .await
        .unwrap();
    assert_eq!(
        (&read[0]["partner_latitude"], &read[0]["partner_longitude"]),
        (&json!(13.756331), &json!(-0.1)),
        "{answer:?}"
    );
}

/// What an Odoo before 17 lacks is not asked for: the methods that take a specification.
#[tokio::test]
async fn before_odoo_17_relations_are_read_by_one_call_for_each_level() {
    let odoo = odoo_14().await;
    for door in ["session", "json-rpc", "xml-rpc"] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, &format!("protocol = \"{door}\""));
        let client = Client::with_login(&gateway, &odoo.login, &odoo.password);
        let name = unique("old");
        let lines: Vec<Value> =
            (0..10).map(|n| json!({"name": format!("k{n}"), "country_id": {"code": "TH"}})).collect();
        let vals = json!({"payload": {"name": name, "child_ids": lines}, "result_field": ["name", "country_id", "child_ids{country_id{code}}"]});
        let answer = client.call("create_data", "res.partner", vals).await;
        assert_eq!(answer["result"]["name"], name, "{answer}");
        assert_eq!(answer["result"]["child_ids"][9]["country_id"][0]["code"], "TH");
        assert_eq!(gateway.last_methods(), ["search_read", "create", "read", "read", "read"]);

        let payload = json!({"search_field": ["name", "child_ids{name, parent_id{name, child_ids{name}}}"], "search_domain": [["name", "=", name]]});
        let answer = client.call("search_data", "res.partner", json!({"payload": payload})).await;
        assert_eq!(
            answer["result"][0]["child_ids"][3]["parent_id"][0]["child_ids"].as_array().unwrap().len(),
            10,
            "{answer}"
        );
        assert_eq!(gateway.last_methods(), ["search_read", "read", "read", "read"]);

        let vals = json!({"search_key": {"name": name}, "payload": {"phone": "5"}, "result_field": ["phone"]});
        let answer = client.call("update_data", "res.partner", vals).await;
        assert_eq!(answer["result"]["phone"], "5", "{answer}");
        assert_eq!(gateway.last_methods(), ["search_read", "write", "read"]);
    }
}

#[tokio::test]
async fn missing_records_that_need_one_another_without_end_are_refused() {
    let gateway = Gateway::start().await;
    let client = Client::with_session(&gateway).await;
    let run = unique("chain");
    let link = |n: u32| json!({"name": format!("{run} {n}"), "parent_id": {"name": format!("{run} {}", n + 1)}});
    let entries: Vec<Value> = (0..100).map(link).collect();
    let vals = json!({"payload": {"name": run, "parent_id": {"name": format!("{run} 0")}}, "auto_create": {"parent_id": entries}});
    let answer = client.call("create_data", "res.partner.category", vals).await;
    assert_eq!((&answer["is_success"], &answer["error"]["path"]), (&json!(false), &json!("auto_create")), "{answer}");
}

#[tokio::test]
async fn a_result_that_cannot_be_read_after_the_write_is_no_failure_to_write() {
    let odoo = odoo().await;
    let proxy = FaultProxy::posing_as(odoo, 16).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_session(&gateway).await;
    proxy.run(|_, rpc| if rpc.ends_with("/read") { Fault::BadGateway } else { Fault::Pass });
    let name = unique("unread");
    let answer =
        client.call("create_data", "res.partner", json!({"payload": {"name": name}, "result_field": ["phone"]})).await;
    assert_eq!(
        (&answer["is_success"], &answer["warnings"][0]["code"]),
        (&json!(true), &json!("result_not_read")),
        "{answer}"
    );
    assert_eq!(
        odoo.search_count("res.partner", json!([["name", "=", name], ["id", "=", answer["result"]["id"]]])).await,
        1
    );
}

#[tokio::test]
async fn an_entry_that_two_different_lookups_fit_makes_one_record() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let (name, reference) = (unique("dad"), unique("R"));
    let vals = json!({
        "payload": {"name": unique("A"), "parent_id": {"name": name}, "child_ids": [{"name": "k", "parent_id": {"ref": reference}}]},
        "auto_create": {"parent_id": {"name": name, "ref": reference}},
    });
    let answer = client.call("create_data", "res.partner", vals).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
}

#[tokio::test]
async fn an_archived_entry_would_not_be_found_again_and_is_refused() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let dad = unique("dad");
    let vals = json!({"payload": {"name": "kid", "parent_id": {"name": dad}}, "auto_create": {"parent_id": {"name": dad, "active": false}}});
    let answer = client.call("create_data", "res.partner.category", vals).await;
    assert_eq!(
        (&answer["is_success"], &answer["error"]["code"]),
        (&json!(false), &json!("not_found_afterwards")),
        "{answer}"
    );
    let any = json!([["name", "=", dad], ["active", "in", [true, false]]]);
    assert_eq!(odoo.search_count("res.partner.category", any).await, 0);
}

#[tokio::test]
async fn files_of_new_lines_find_their_line_beside_archived_old_ones() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let name = unique("top");
    let old = json!([[0, 0, {"name": "archived", "active": false}], [0, 0, {"name": "old"}]]);
    let id = odoo.create("res.partner.category", json!({"name": name, "child_ids": old})).await;
    let lines = json!([{"name": format!("new {name}"), "attachment_ids": [{"name": name, "datas": "QQ=="}]}]);
    let answer = client
        .call("update_data", "res.partner.category", json!({"search_key": {"id": id}, "payload": {"child_ids": lines}}))
        .await;
    assert_eq!(answer["is_success"], true, "{answer}");
    let line = odoo
        .call("res.partner.category", "search", json!([[["name", "=", format!("new {name}")]]]), json!({}))
        .await
        .unwrap();
    let tied = json!([["name", "=", name], ["res_model", "=", "res.partner.category"], ["res_id", "=", line[0]]]);
    assert_eq!(odoo.search_count("ir.attachment", tied).await, 1);
}
