//! All mistakes of a call in one answer: wrong fields, values, lookups and parameters, at every depth.

use serde_json::{Value, json};

use crate::support::{client::Client, gateway::Gateway, odoo::odoo};

fn unique(what: &str) -> String {
    format!("{what} {}", uuid::Uuid::new_v4().simple())
}

/// Codes and paths of all mistakes.
fn told(error: &Value) -> Vec<(&str, &str)> {
    let listed = error["errors"].as_array().unwrap_or_else(|| panic!("no list of errors: {error}"));
    listed.iter().map(|one| (one["code"].as_str().unwrap(), one["path"].as_str().unwrap_or_default())).collect()
}

#[tokio::test]
async fn an_order_with_six_mistakes_is_told_of_all_of_them_at_once_and_nothing_is_written() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let client = Client::with_session(&gateway).await;
    let (code, gone) = (unique("P"), unique("gone"));
    odoo.create("product.product", json!({"name": code, "default_code": code})).await;
    let order = json!({
        "client_order_ref": code,
        "partner_id": {"ref": gone},
        "date_orderr": "2026-01-31",
        "commitment_date": "soon",
        "state": "drafft",
        "order_line": [{"product_id": {"default_code": code}}, {"product_id": {"default_code": format!("{code}!")}}],
    });
    let vals = json!({"payload": order, "result_feld": ["name"], "strict": true});
    let answer = client.call("create_data", "sale.order", vals).await;
    let error = &answer["error"];
    assert_eq!(
        told(error),
        [
            ("no_match", "payload.partner_id"),
            ("unknown_field", "payload.date_orderr"),
            ("invalid_value", "payload.commitment_date"),
            ("invalid_value", "payload.state"),
            ("no_match", "payload.order_line[1].product_id"),
            ("unknown_parameter", "result_feld"),
        ],
        "{answer}"
    );
    // What is told first is what would be told alone.
    assert_eq!((&error["code"], &error["path"]), (&json!("unknown_parameter"), &json!("result_feld")));
    assert!(answer["messages"].as_str().unwrap().starts_with("`result_feld` is not a parameter of this call"));
    let meant: Vec<&Value> = error["errors"].as_array().unwrap().iter().map(|one| &one["did_you_mean"]).collect();
    let meant = meant.into_iter().filter(|meant| meant.is_array()).collect::<Vec<_>>();
    assert_eq!(meant, [&json!(["date_order"]), &json!(["draft"]), &json!(["result_field"])]);
    let no_match = &error["errors"][0];
    assert_eq!(
        (&no_match["model"], &no_match["key"], &no_match["value"], &no_match["message"]),
        (
            &json!("res.partner"),
            &json!({"ref": gone}),
            &json!(gone),
            &json!(format!("'partner_id': '{gone}' found no match."))
        )
    );
    assert!(
        error["errors"].as_array().unwrap().iter().all(|one| one["hint"].as_str().is_some_and(|hint| !hint.is_empty()))
    );
    // Two lookups, and two searches at most for what is near each of those that found nothing.
    let asked = gateway.last_methods();
    assert!(asked.len() <= 6 && asked.iter().all(|method| method == "search_read"), "{asked:?}");
    assert_eq!(odoo.search_count("sale.order", json!([["client_order_ref", "=", code]])).await, 0);
    let log = gateway.log();
    let kept = &log.last().unwrap()["result"]["error"]["errors"];
    assert_eq!(kept.as_array().map(Vec::len), Some(6), "the log keeps all of them");
}

#[tokio::test]
async fn what_only_warns_stays_a_warning_and_mistakes_in_records_to_create_are_told_too() {
    let gateway = Gateway::start().await;
    let client = Client::with_session(&gateway).await;
    let gone = unique("gone");
    let payload = json!({"nmae": "x", "color": "red", "parent_id": {"ref": gone}, "user_id": {"loginn": "admin"}});
    let auto_create = json!({"parent_id": {"ref": gone, "name": gone, "country_id": {"code": "Q9"}, "color": [1]}});
    for dry_run in [false, true] {
        let vals = json!({"payload": payload, "auto_create": auto_create, "dry_run": dry_run});
        let answer = client.call("create_data", "res.partner", vals).await;
        assert_eq!(
            told(&answer["error"]),
            [
                ("invalid_value", "payload.color"),
                ("unknown_lookup_field", "payload.user_id"),
                ("no_match", "auto_create.parent_id.country_id"),
                ("invalid_value", "auto_create.parent_id.color"),
            ],
            "{answer}"
        );
        assert_eq!(answer["error"]["path"], "payload.color");
        assert_eq!(answer["warnings"][0]["path"], "payload.nmae");
        assert_eq!(answer["warnings"][0]["did_you_mean"], json!(["name"]));
    }
}

#[tokio::test]
async fn of_what_the_policy_denies_nothing_is_asked_and_the_answer_is_the_same_whatever_odoo_has() {
    let odoo = odoo().await;
    let gateway = Gateway::start_with("[policy]\nnever_write = [\"res.partner.comment\"]\n").await;
    let client = Client::with_session(&gateway).await;
    let there = unique("there");
    odoo.create("res.partner", json!({"name": there, "ref": there})).await;
    let mut answers = Vec::new();
    for (sought, comment) in [(&there, "comment"), (&there.replace("there", "where"), "comment")] {
        let payload = json!({comment: "x", "parent_id": {"ref": sought}, "color": "red"});
        let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
        assert_eq!(
            told(&answer["error"]),
            [("field_not_writable", "payload.comment"), ("invalid_value", "payload.color")],
            "{answer}"
        );
        assert_eq!(gateway.last_methods(), Vec::<String>::new());
        answers.push(answer);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn each_record_of_a_list_has_its_own_mistakes_and_an_atomic_list_those_of_all() {
    let gateway = Gateway::start().await;
    let client = Client::with_session(&gateway).await;
    let name = unique("list");
    let payload = json!([
        {"name": name, "color": "red", "country_id": {"code": "Q9"}},
        {"name": name, "comment": "right"},
        {"name": name, "parent_id": {"ref": name}, "country_id": {"code": "Q8"}},
    ]);
    let vals = |atomic: bool| json!({"payload": payload, "atomic": atomic, "dry_run": !atomic});
    let answer = client.call("create_data", "res.partner", vals(false)).await;
    let refused = answer["result"]["refused"].as_array().unwrap();
    assert_eq!(
        refused.iter().map(told).collect::<Vec<_>>(),
        [
            [("invalid_value", "payload[0].color"), ("no_match", "payload[0].country_id")],
            [("no_match", "payload[2].parent_id"), ("no_match", "payload[2].country_id")],
        ],
        "{answer}"
    );
    let answer = client.call("create_data", "res.partner", vals(true)).await;
    assert_eq!(told(&answer["error"]).len(), 4, "{answer}");
    assert_eq!(answer["error"]["path"], "payload[0].color");
}
