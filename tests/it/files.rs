//! Files in payloads: where they go, whatever the model's own field for them is.

use serde_json::{Value, json};

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    newer::odoo_20,
    odoo::{Odoo, odoo, odoo_14, odoo_with_project},
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

/// A gateway before an Odoo that is as 20 is, and a session in it.
async fn before_odoo_20(odoo: &Odoo) -> (FaultProxy, Gateway, Client) {
    let proxy = FaultProxy::posing_as(odoo, 20).await;
    proxy.run(|_, _| odoo_20());
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::log_in(&gateway, odoo).await;
    (proxy, gateway, client)
}

/// Base64 as a mail program breaks it, and what it is in one line.
const BROKEN: &str = "aGVs\r\nbG8=\n";
const WHOLE: &str = "aGVsbG8=";

#[tokio::test]
async fn files_reach_an_odoo_whose_attachments_have_raw_alone() {
    let odoo = odoo().await;
    let (_proxy, _gateway, client) = before_odoo_20(odoo).await;
    let name = unique("F");
    let file = |n: u8| json!([{"name": format!("{name}-{n}"), "datas": BROKEN}]);
    let payload =
        json!({"name": name, "attachment_ids": file(1), "child_ids": [{"name": "kid", "attachment_ids": file(2)}]});
    let answer = client.call("create_data", "res.partner", json!({"strict": true, "payload": payload})).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    let payload = json!({"move_type": "entry", "attachment_ids": file(3)});
    let answer = client.call("create_data", "account.move", json!({"strict": true, "payload": payload})).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    let there = files(odoo, &name).await;
    assert_eq!(there.len(), 3, "{there:?}");
    assert!(there.iter().all(|file| file.ends_with(&format!(" {WHOLE}"))), "{there:?}");
}

#[tokio::test]
async fn callers_who_name_datas_write_and_read_the_content_of_an_odoo_that_has_raw_alone() {
    let odoo = odoo().await;
    let (_proxy, _gateway, client) = before_odoo_20(odoo).await;
    let name = unique("F");
    let vals = json!({"strict": true, "payload": {"name": name, "datas": BROKEN}, "result_field": ["name", "datas"]});
    let answer = client.call("create_data", "ir.attachment", vals).await;
    let id = answer["result"]["id"].clone();
    assert_eq!(answer["result"], json!({"id": id, "name": name, "datas": WHOLE}), "{answer}");
    let vals = json!({"strict": true, "search_key": {"id": id}, "payload": {"datas": "QQ=="}});
    assert_eq!(client.call("update_data", "ir.attachment", vals).await["is_success"], true);
    let search = async |fields: Value| {
        let payload = json!({"search_field": fields, "search_domain": [["id", "=", id]]});
        client.call("search_data", "ir.attachment", json!({"payload": payload})).await["result"][0].clone()
    };
    assert_eq!(search(json!(["datas"])).await, json!({"id": id, "datas": "QQ=="}));
    assert_eq!(search(json!(["name", "raw"])).await, json!({"id": id, "name": name, "raw": "QQ=="}));
    let both = search(json!(["datas", "raw", "create_uid{id}"])).await;
    assert_eq!((&both["datas"], &both["raw"]), (&json!("QQ=="), &json!("QQ==")), "{both}");
    let vals = json!({"payload": {"name": name, "datas": "QQ==", "raw": "QUE="}});
    assert_eq!(client.call("create_data", "ir.attachment", vals).await["error"]["code"], "invalid_value");
    // Odoo's own commands, in a message's many2many.
    let commands = json!([[0, 0, {"name": format!("{name} m"), "datas": BROKEN}]]);
    let vals = json!({"payload": {"subject": name, "attachment_ids": commands}, "strict": true});
    let answer = client.call("create_data", "mail.message", vals).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    assert!(files(odoo, &format!("{name} m")).await[0].ends_with(WHOLE));
}

#[tokio::test]
async fn binary_fields_that_come_as_objects_are_answered_as_the_text_they_were() {
    let odoo = odoo().await;
    let (_proxy, _gateway, client) = before_odoo_20(odoo).await;
    const PIXEL: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let name = unique("I");
    let (one, two) = PIXEL.split_at(40);
    let payload = json!({"name": name, "image_1920": format!("{one}\r\n{two}")});
    let vals = json!({"payload": payload, "strict": true, "result_field": ["image_1920"]});
    let answer = client.call("create_data", "res.partner", vals).await;
    let image = answer["result"]["image_1920"].clone();
    assert!(image.as_str().is_some_and(|image| image.starts_with("iVBORw")), "{answer}");
    let id = answer["result"]["id"].clone();
    for fields in [json!(["image_1920"]), json!([]), json!(["image_1920", "category_id{name}"])] {
        let payload = json!({"search_field": fields, "search_domain": [["id", "=", id]]});
        let answer = client.call("search_data", "res.partner", json!({"payload": payload})).await;
        assert_eq!(answer["result"][0]["image_1920"], image, "{fields}: {answer}");
    }
    let payload = json!({"search_field": ["child_ids{image_1920}"], "search_domain": [["id", "=", id]]});
    odoo.create("res.partner", json!({"name": "kid", "parent_id": id, "image_1920": image})).await;
    let answer = client.call("search_data", "res.partner", json!({"payload": payload})).await;
    assert_eq!(answer["result"][0]["child_ids"][0]["image_1920"], image, "{answer}");
}

#[tokio::test]
async fn line_ends_are_taken_out_of_base64_and_left_in_a_raw_text() {
    for odoo in [odoo().await, odoo_14().await] {
        let gateway = Gateway::before(&odoo.url, &odoo.database, "");
        let client = Client::log_in(&gateway, odoo).await;
        // Odoo 14 takes no `raw` by RPC.
        let raw = (odoo.version == 19).then_some(("raw", "QUJD\nQUJD", "UVVKRApRVUpE"));
        for (field, content, expected) in [("datas", BROKEN, WHOLE)].into_iter().chain(raw) {
            let name = unique("F");
            let vals = json!({"strict": true, "payload": {"name": name, field: content}, "result_field": ["datas"]});
            let answer = client.call("create_data", "ir.attachment", vals).await;
            assert_eq!(answer["result"]["datas"], expected, "{answer}");
            let shown = gateway.log().last().unwrap()["odoo"].to_string();
            assert_eq!(shown.contains(WHOLE), field == "datas", "{shown}");
        }
    }
}

#[tokio::test]
async fn a_rule_on_a_files_content_holds_for_each_of_its_names() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "[policy]\nnever_read = [\"ir.attachment.datas\"]");
    let client = Client::log_in(&gateway, odoo).await;
    for field in ["datas", "raw", "db_datas"] {
        let payload = json!({"search_field": ["name", field], "limit": 1});
        let answer = client.call("search_data", "ir.attachment", json!({"payload": payload})).await;
        assert_eq!(answer["error"]["code"], "field_not_readable", "{field}: {answer}");
    }
}
