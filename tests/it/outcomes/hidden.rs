//! What is found out of the writes of a user that does not see what it writes.

use serde_json::{Value, json};

use super::{Bench, SHORT, record, unique};
use crate::support::{
    client::{Client, outcome},
    fault::Fault,
    odoo::{Odoo, odoo},
};

async fn id_of(odoo: &Odoo, model: &str, name: &str) -> Value {
    let found =
        odoo.call("ir.model.data", "search_read", json!([[["model", "=", model], ["name", "=", name]]]), json!({}));
    found.await.unwrap()[0]["res_id"].clone()
}

/// The login, and password, of a user that may create records of these models, and sees none of them.
async fn user_that_sees_no(models: &[&str], odoo: &Odoo) -> String {
    let login = unique();
    let group = odoo.create("res.groups", json!({"name": login})).await;
    for model in models {
        let model =
            odoo.call("ir.model", "search", json!([[["model", "=", model]]]), json!({})).await.unwrap()[0].clone();
        let rule = json!({"name": login, "model_id": model, "groups": [[4, group]], "domain_force": "[(0, '=', 1)]",
            "perm_read": true, "perm_write": false, "perm_create": false, "perm_unlink": false});
        odoo.create("ir.rule", rule).await;
    }
    let mut groups = vec![json!([4, group])];
    for name in ["group_user", "group_partner_manager"] {
        groups.push(json!([4, id_of(odoo, "res.groups", name).await]));
    }
    odoo.create("res.users", json!({"name": login, "login": login, "password": login, "group_ids": groups})).await;
    login
}

#[tokio::test]
async fn what_a_record_rule_hides_from_its_user_is_in_doubt_and_is_never_written_twice() {
    let odoo = odoo().await;
    let bench = Bench::before(odoo, SHORT).await;
    let login = user_that_sees_no(&["res.partner.category", "res.partner.bank"], odoo).await;
    let client = Client::with_login(&bench.gateway, &login, &login);
    let id = odoo.create("res.partner", json!({"name": login})).await;
    let category = |name: &str| json!({"model": "res.partner.category", "vals": {"payload": {"name": name}}});
    let account = |number: &str| {
        let lines = json!({"bank_ids": {"mode": "add", "records": [{"acc_number": number}]}});
        json!({"model": "res.partner", "vals": {"search_key": {"id": id}, "payload": lines}})
    };
    // Nothing is wrong with them where their answers arrive.
    record(&client.post("create_data", category(&unique()).to_string()).await);
    record(&client.post("update_data", account(&unique()).to_string()).await);
    for (fault, times) in [(Fault::ResetAfter, 1), (Fault::ResetBefore, 0)] {
        let name = unique();
        bench.cut("/create", 1, fault.clone());
        let answer = client.post("create_data", category(&name).to_string()).await;
        assert_eq!(outcome(&answer), "outcome_unknown", "{answer:?}");
        assert!(answer.json.to_string().contains("this user sees no record of the model"), "{answer:?}");
        let created = odoo.search_count("res.partner.category", json!([["name", "=", name]])).await;
        assert_eq!((created, bench.sent("/create")), (json!(times), 1));

        bench.cut("/write", 1, fault);
        let answer = client.post("update_data", account(&name).to_string()).await;
        assert_eq!(outcome(&answer), "outcome_unknown", "{answer:?}");
        assert!(answer.json.to_string().contains("this user sees no lines of `res.partner.bank`"), "{answer:?}");
        let added = odoo.search_count("res.partner.bank", json!([["acc_number", "=", name]])).await;
        assert_eq!((added, bench.sent("/write")), (json!(times), 1));
    }
}
