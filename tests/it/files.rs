//! Files in payloads: where they go, whatever the model's own field for them is.

use serde_json::{Value, json};

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::{Odoo, odoo_with_project},
};

const TASK: &str = "project.task";

fn unique(what: &str) -> String {
    format!("{what} {}", uuid::Uuid::new_v4().simple())
}

/// The files with this in their name: `name model:id content`, in order.
async fn files(odoo: &Odoo, name: &str) -> Vec<String> {
    let fields = json!(["name", "res_model", "res_id", "datas"]);
    let named = json!([[["name", "like", name]], fields]);
    let rows = odoo.call("ir.attachment", "search_read", named, json!({"order": "name"})).await.unwrap();
    let rows = rows.as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    rows.map(|row| {
        format!("{} {}:{} {}", text(&row["name"]), text(&row["res_model"]), row["res_id"], text(&row["datas"]))
    })
    .collect()
}

#[tokio::test]
async fn files_of_a_model_that_computes_its_attachment_ids_are_made_and_tied() {
    let odoo = odoo_with_project().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "");
    let client = Client::log_in(&gateway, odoo).await;
    let name = unique("T");
    let file = |n: u8, datas: &str| json!([{"name": format!("{name}-{n}"), "datas": datas}]);
    let vals = json!({"strict": true, "payload": {"name": name, "attachment_ids": file(1, "aGVsbG8=")}});
    let answer = client.call("create_data", TASK, vals).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    let id = answer["result"]["id"].clone();
    let vals = json!({"strict": true, "search_key": {"id": id}, "payload": {"attachment_ids": file(2, "QQ==")}});
    assert_eq!(client.call("update_data", TASK, vals).await["is_success"], true);
    let expected = [format!("{name}-1 {TASK}:{id} aGVsbG8="), format!("{name}-2 {TASK}:{id} QQ==")];
    assert_eq!(files(odoo, &name).await, expected);
    let shown = odoo.call(TASK, "read", json!([[id], ["attachment_ids"]]), json!({})).await.unwrap();
    assert_eq!(shown[0]["attachment_ids"].as_array().unwrap().len(), 2, "{shown}");
}

#[tokio::test]
async fn files_of_lines_whose_model_computes_its_attachment_ids_are_tied_to_each_line() {
    let odoo = odoo_with_project().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "");
    let client = Client::log_in(&gateway, odoo).await;
    let name = unique("P");
    let task = |n: u8| json!({"name": format!("{name} task {n}"), "attachment_ids": [{"name": format!("{name}-{n}"), "datas": "QQ=="}]});
    let payload = json!({"name": name, "task_ids": [task(1), task(2)]});
    let answer = client.call("create_data", "project.project", json!({"strict": true, "payload": payload})).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    let mut expected = Vec::new();
    for n in 1..=2 {
        let named = json!([[["name", "=", format!("{name} task {n}")]]]);
        let id = odoo.call(TASK, "search", named, json!({})).await.unwrap()[0].clone();
        expected.push(format!("{name}-{n} {TASK}:{id} QQ=="));
    }
    assert_eq!(files(odoo, &name).await, expected);
}

#[tokio::test]
async fn a_refused_record_leaves_no_file_of_a_computed_attachment_ids() {
    let odoo = odoo_with_project().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::log_in(&gateway, odoo).await;
    for refused in [format!("{TASK}/create"), "ir.attachment/write".to_owned()] {
        let name = unique("T");
        let fails = refused.clone();
        proxy.run(move |_, rpc| if rpc == fails { Fault::Refuse } else { Fault::Pass });
        let payload = json!({"name": name, "attachment_ids": [{"name": name, "datas": "QQ=="}]});
        let answer = client.call("create_data", TASK, json!({"payload": payload})).await;
        assert_eq!(
            (&answer["error"]["code"], &answer["error"]["left"]),
            (&json!("user_error"), &Value::Null),
            "{answer}"
        );
        assert!(proxy.seen().contains(&refused), "{:?}", proxy.seen());
        assert_eq!(files(odoo, &name).await, Vec::<String>::new(), "{refused}");
        assert_eq!(odoo.search_count(TASK, json!([["name", "=", name]])).await, 0, "{refused}");
    }
}

#[tokio::test]
async fn files_of_a_stored_many2many_or_a_copy_of_one_go_into_the_write() {
    let odoo = odoo_with_project().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "");
    let client = Client::log_in(&gateway, odoo).await;
    for model in ["mail.message", "mail.mail"] {
        let name = unique("M");
        let payload = json!({"subject": name, "attachment_ids": [{"name": name, "datas": "QQ=="}]});
        let vals = json!({"strict": true, "payload": payload, "result_field": ["attachment_ids"]});
        let answer = client.call("create_data", model, vals).await;
        assert_eq!(answer["is_success"], true, "{answer}");
        assert_eq!(answer["result"]["attachment_ids"].as_array().unwrap().len(), 1, "{answer}");
        assert_eq!(gateway.last_methods(), ["web_save"]);
        assert_eq!(files(odoo, &name).await, [format!("{name} {model}:0 QQ==")]);
    }
}
