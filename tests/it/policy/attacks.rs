//! What was once found by attacks on real Odoos, as the attackers did it: a client of some models reads and writes others.

use serde_json::{Value, json};
use uuid::Uuid;

use super::table::everything;
use crate::support::{
    client::Client,
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo, odoo_14},
};

/// A gateway with clients of these policies, who act as the run's administrator.
fn clients(odoo: &Odoo, policies: &[String]) -> (Gateway, Vec<Client>) {
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

fn of_models(models: &[&str]) -> String {
    format!("models = {{ allow = {} }}", super::callers::list(models))
}

/// `ok`, or the code of the error.
fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or("ok")
}

#[tokio::test]
async fn a_file_of_another_record_is_not_read_or_written_through_a_document_that_is_made_of_it() {
    let odoo = odoo().await;
    let secret = json!({"name": "secret.txt", "datas": "c2VjcmV0", "res_model": "res.partner", "res_id": 1});
    let file = odoo.create("ir.attachment", secret).await;
    let policies = [of_models(&["product.*"]), of_models(&["product.*", "ir.attachment"])];
    let (_gateway, clients) = clients(odoo, &policies);
    let [client, both] = &clients[..] else { panic!("two clients") };
    let name = Uuid::new_v4().to_string();
    let template = json!({"name": name, "product_document_ids": [[0, 0, {"ir_attachment_id": file}]]});
    let attempts = [
        ("create_data", "product.document", json!({"payload": {"ir_attachment_id": file}, "result_field": ["datas"]})),
        ("create_data", "product.document", json!({"payload": {"ir_attachment_id": {"id": file}}})),
        ("create_data", "product.document", json!({"payload": {"ir_attachment_id": {"name": "secret.txt"}}})),
        ("create_data", "product.document", json!({"payload": {"ir_attachment_id": file, "datas": "b3du"}})),
        ("create_data", "product.template", json!({"payload": template})),
    ];
    for (route, model, vals) in attempts {
        let answer = client.call(route, model, vals.clone()).await;
        assert_eq!(code(&answer), "model_not_allowed", "{vals}: {answer}");
    }
    // A document with a file of its own needs no more than its own model.
    let own = json!({"payload": {"name": name, "datas": "b3du"}, "result_field": ["name", "datas"]});
    let made = client.call("create_data", "product.document", own).await;
    assert_eq!((code(&made), &made["result"]["datas"]), ("ok", &json!("b3du")), "{made}");
    let id = &made["result"]["id"];
    let linked = json!({"search_key": {"id": id}, "payload": {"ir_attachment_id": file}});
    let answer = client.call("update_data", "product.document", linked.clone()).await;
    assert_eq!(code(&answer), "model_not_allowed", "{answer}");
    let kept = odoo.call("ir.attachment", "read", json!([[file], ["datas", "res_model"]]), json!({})).await.unwrap();
    assert_eq!(kept, json!([{"id": file, "datas": "c2VjcmV0", "res_model": "res.partner"}]));
    // A caller who may touch files may choose one.
    assert_eq!(code(&both.call("update_data", "product.document", linked).await), "ok");
}

#[tokio::test]
async fn a_message_is_not_read_through_a_mail_that_is_made_of_it() {
    for odoo in [odoo().await, odoo_14().await] {
        let message = odoo.create("mail.message", json!({"body": "<p>secret</p>", "subject": "secret"})).await;
        let (_gateway, clients) =
            clients(odoo, &[of_models(&["mail.mail"]), of_models(&["mail.mail", "mail.message"])]);
        for (client, expected) in clients.iter().zip(["model_not_allowed", "ok"]) {
            let vals = json!({"payload": {"mail_message_id": message}, "result_field": ["subject"]});
            let answer = client.call("create_data", "mail.mail", vals).await;
            assert_eq!(code(&answer), expected, "Odoo {}: {answer}", odoo.version);
            assert_eq!(answer.to_string().contains("secret"), expected == "ok", "{answer}");
        }
        let own = json!({"payload": {"subject": "own"}, "result_field": ["subject"]});
        assert_eq!(code(&clients[0].call("create_data", "mail.mail", own).await), "ok");
    }
}

#[tokio::test]
async fn a_lead_does_not_rewrite_the_properties_of_its_team_or_tell_names_of_other_models() {
    let odoo = odoo().await;
    let team = odoo.create("crm.team", json!({"name": Uuid::new_v4().to_string()})).await;
    let lead = odoo.create("crm.lead", json!({"name": "x", "type": "lead", "team_id": team})).await;
    let policies = [of_models(&["crm.lead"]), of_models(&["crm.*"]), of_models(&["crm.*", "res.users"]), everything()];
    let (_gateway, clients) = clients(odoo, &policies);
    let definition = |comodel: &str, id: i64| json!([{"name": "a", "string": "A", "type": "many2one", "comodel": comodel, "value": id, "definition_changed": true}]);
    let update = |properties: Value| json!({"search_key": {"id": lead}, "payload": {"lead_properties": properties}, "result_field": ["lead_properties"]});
    let definitions = async || {
        let read = json!([[team], ["lead_properties_definition"]]);
        odoo.call("crm.team", "read", read, json!({})).await.unwrap()[0]["lead_properties_definition"].take()
    };
    for (client, comodel) in
        [(0, "res.users"), (0, "ir.config_parameter"), (0, "crm.stage"), (1, "res.users"), (1, "ir.rule")]
    {
        for properties in [definition(comodel, 2), json!(definition(comodel, 2).to_string())] {
            let answer = clients[client].call("update_data", "crm.lead", update(properties)).await;
            assert_eq!(code(&answer), "model_not_allowed", "{comodel}: {answer}");
        }
        let values = json!({"lead_properties_definition": [{"name": "a", "type": "many2one", "comodel": comodel}]});
        let direct = json!({"search_key": {"id": team}, "payload": values});
        let answer = clients[client].call("update_data", "crm.team", direct.clone()).await;
        assert_eq!(code(&answer), "model_not_allowed", "{comodel}: {answer}");
    }
    assert_eq!(definitions().await, json!([]));
    let stage = odoo.call("crm.stage", "search", json!([[], 0, 1]), json!({})).await.unwrap()[0].as_i64().unwrap();
    let allowed = clients[1].call("update_data", "crm.lead", update(definition("crm.stage", stage))).await;
    assert_eq!((code(&allowed), &allowed["warnings"]), ("ok", &Value::Null), "{allowed}");
    assert_eq!(allowed["result"]["lead_properties"][0]["value"][0], json!(stage), "{allowed}");
    // Somebody defines one that leads elsewhere: it is written by id like any link, and its name is not told.
    assert_eq!(code(&clients[2].call("update_data", "crm.lead", update(definition("res.users", 2))).await), "ok");
    // Who may not see the definitions names properties as Odoo does, and not by a name that has to be looked up.
    let values = clients[0].call("update_data", "crm.lead", update(json!({"a": 2}))).await;
    assert_eq!(code(&values), "model_not_allowed", "{values}");
    let renamed = json!({"search_key": {"id": lead}, "payload": {"name": "y"}, "result_field": ["lead_properties"]});
    let values = clients[0].call("update_data", "crm.lead", renamed).await;
    assert_eq!((code(&values), &values["warnings"][0]["code"]), ("ok", &json!("result_not_read")), "{values}");
    let found = json!([["lead_properties.a", "=", 2], ["id", "=", lead]]);
    for (client, fields, expected) in [
        (0, json!(["lead_properties"]), "model_not_allowed"),
        (0, json!(["name"]), "ok"),
        (0, json!([]), "ok"),
        (2, json!(["lead_properties"]), "ok"),
        (3, json!([]), "ok"),
    ] {
        let vals = json!({"payload": {"search_domain": found, "search_field": fields}});
        let answer = clients[client].call("search_data", "crm.lead", vals).await;
        assert_eq!(code(&answer), expected, "{fields}: {answer}");
        let is_told = answer["result"][0].get("lead_properties").is_some();
        assert_eq!(
            (answer["result"].as_array().map_or(0, Vec::len), is_told),
            (usize::from(expected == "ok"), expected == "ok" && client > 1)
        );
    }
}

#[tokio::test]
async fn a_field_that_is_never_read_is_not_told_letter_by_letter_by_searches_for_names() {
    for odoo in [odoo().await, odoo_14().await] {
        let secret = Uuid::new_v4().simple().to_string();
        let partner = odoo.create("res.partner", json!({"name": "zq", "ref": secret})).await;
        let child = odoo.create("res.partner", json!({"name": "zq child", "parent_id": partner})).await;
        let hidden = "never_read = [\"res.partner.ref\", \"res.partner.email\"]\nmax_records = { write = 9 }\n";
        let names = if odoo.version < 17 { "name" } else { "complete_name" };
        let searched =
            |fields: &[&str]| format!("{hidden}name_search = {{ \"res.partner\" = {} }}", super::callers::list(fields));
        let policies = [
            everything(),
            hidden.to_owned(),
            hidden.replace("res.partner.ref", "*.ref"),
            searched(&[names, "ref"]),
            searched(&[names]),
        ];
        let (_gateway, clients) = clients(odoo, &policies);
        let search = |condition: Value, id: i64| {
            let payload = json!({"search_domain": [["id", "=", id], condition], "search_field": ["name"]});
            ("search_data", json!({"payload": payload}))
        };
        let attempts = |part: &str, whole: &str| {
            let written = json!({"name": "x"});
            [
                search(json!(["display_name", "ilike", part]), partner),
                search(json!(["display_name", "=", whole]), partner),
                search(json!(["parent_id", "ilike", part]), child),
                search(json!(["parent_id", "=", whole]), child),
                search(json!(["parent_id", "in", [whole]]), child),
                search(json!(["parent_id", "child_of", whole]), child),
                search(json!(["parent_id.display_name", "=ilike", whole]), child),
                ("update_data", json!({"search_key": {"display_name": whole}, "payload": written, "dry_run": true})),
                ("update_data", json!({"search_key": {"parent_id": whole}, "payload": written, "dry_run": true})),
                (
                    "create_data",
                    json!({"payload": {"name": "x", "parent_id": {"display_name": whole}}, "dry_run": true}),
                ),
            ]
        };
        let mut told = 0;
        let wrong = secret.replace(char::is_numeric, "z");
        for (right, wrong) in attempts(&secret[..9], &secret).into_iter().zip(attempts(&wrong[..9], &wrong)) {
            let ask = async |client: usize, (route, vals): &(&str, Value)| {
                clients[client].call(route, "res.partner", vals.clone()).await
            };
            // Where nothing is forbidden the answers tell right from wrong; that is what an attacker lives on.
            let (of_right, of_wrong) = (ask(0, &right).await, ask(0, &wrong).await);
            told += usize::from((code(&of_right), &of_right["result"]) != (code(&of_wrong), &of_wrong["result"]));
            for client in 1..=3 {
                for attempt in [&right, &wrong] {
                    let answer = ask(client, attempt).await;
                    assert_eq!(code(&answer), "field_not_readable", "Odoo {}: {attempt:?}: {answer}", odoo.version);
                }
            }
            // What the operator says of the search is believed.
            assert_ne!(code(&ask(4, &right).await), "field_not_readable");
        }
        // A name itself is not searched before Odoo 17.
        let least = if odoo.version < 17 { 4 } else { 10 };
        assert!(told >= least, "Odoo {}: {told} of 10", odoo.version);
    }
}

#[tokio::test]
async fn a_flag_of_a_context_has_no_field_answered_that_must_not_be_read() {
    for odoo in [odoo().await, odoo_14().await] {
        let secret = format!("{}@example.com", Uuid::new_v4().simple());
        let partner = odoo.create("res.partner", json!({"name": "zq", "email": secret})).await;
        let hidden = "never_read = [\"res.partner.email\"]\n";
        let policies = [everything(), hidden.to_owned(), format!("{hidden}context_flags = [\"show_email\"]\n")];
        let (_gateway, clients) = clients(odoo, &policies);
        let ask = async |client: usize, context: Value| {
            let payload = json!({"search_domain": [["id", "=", partner]], "search_field": ["display_name"]});
            clients[client].call("search_data", "res.partner", json!({"context": context, "payload": payload})).await
        };
        let flagged = json!({"show_email": true});
        // Odoo 14 has stored the name.
        let told = ask(0, flagged.clone()).await.to_string().contains(&secret);
        assert_eq!(told, odoo.version > 14, "Odoo {}", odoo.version);
        let refused = ask(1, flagged.clone()).await;
        assert_eq!(code(&refused), "field_not_readable", "Odoo {}: {refused}", odoo.version);
        assert_eq!(refused["error"]["path"], "context.show_email", "{refused}");
        assert_eq!(code(&ask(1, json!({"lang": "en_US", "active_test": false})).await), "ok");
        // What the operator says of a flag is believed.
        assert_eq!(code(&ask(2, flagged).await), "ok");
        assert_eq!(code(&ask(2, json!({"show_vat": true})).await), "field_not_readable");
    }
}

#[tokio::test]
async fn a_record_that_a_context_or_a_message_names_is_decided_like_one_of_a_payload() {
    for odoo in [odoo().await, odoo_14().await] {
        let policies = [
            of_models(&["mail.*"]),
            of_models(&["mail.*", "res.partner"]),
            format!(
                "{}\ndomains = {{ \"res.partner\" = [[\"id\", \"=\", 1]] }}",
                of_models(&["mail.*", "res.partner"])
            ),
            everything(),
        ];
        let (_gateway, clients) = clients(odoo, &policies);
        let search = json!({"search_domain": [["id", "=", 1]], "search_field": ["id"]});
        for (context, expected) in [
            (
                json!({"active_model": "res.partner", "active_id": 1}),
                ["model_not_allowed", "ok", "outside_domain", "ok"],
            ),
            (
                json!({"active_model": "res.users"}),
                ["model_not_allowed", "model_not_allowed", "model_not_allowed", "ok"],
            ),
            (json!({"active_ids": [1]}), ["model_not_allowed", "model_not_allowed", "model_not_allowed", "ok"]),
            (json!({"tracking_disable": true}), ["ok", "ok", "ok", "ok"]),
        ] {
            for (client, expected) in clients.iter().zip(expected) {
                let vals = json!({"context": context, "payload": search});
                let answer = client.call("search_data", "mail.message", vals).await;
                assert_eq!(code(&answer), expected, "Odoo {}: {context}: {answer}", odoo.version);
            }
        }
        let ids = if odoo.version < 17 { json!({"res_id": 5}) } else { json!({"res_ids": "[5]"}) };
        let mut payload = json!({"model": "res.country", "composition_mode": "comment"});
        payload.as_object_mut().unwrap().extend(ids.as_object().unwrap().clone());
        let vals = json!({"payload": payload, "result_field": ["subject"]});
        let answer = clients[0].call("create_data", "mail.compose.message", vals).await;
        assert_eq!(code(&answer), "model_not_allowed", "Odoo {}: {answer}", odoo.version);
    }
}
