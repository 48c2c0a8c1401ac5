//! A delivery is done once, however often and however fast it comes; and one that came to nothing may come again.

use std::{fs, io::Write, sync::Arc};

use futures_util::future;
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    CONTACT, Contacts, SECRET, by_github, by_standard_webhooks, contact, contacts_named, deliver, headers, is, now,
    outcome,
};
use crate::support::{
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::odoo,
    poll_for,
};

/// What happens to the RPC that makes the contact, or to the first one of all.
async fn with_fault(at_first: bool, fault: Fault) -> (Contacts, FaultProxy) {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let contacts = Contacts::before(&proxy.url, odoo, CONTACT);
    proxy.run(move |number, rpc| match (at_first && number == 0) || (!at_first && rpc == "res.partner/create") {
        true => fault.clone(),
        false => Fault::Pass,
    });
    (contacts, proxy)
}

#[tokio::test]
async fn a_delivery_that_comes_again_is_acknowledged_and_makes_nothing() {
    let contacts = Contacts::start().await;
    let (body, name) = contact();
    assert_eq!(contacts.deliver_signed(&body).await, is(200, "ok"));
    let first = contacts.gateway.log().last().unwrap()["id"].as_str().unwrap().to_owned();
    let again = contacts.deliver("signed", by_github(SECRET, &body), &body).await;
    assert_eq!(outcome(&again), is(200, "replayed"));
    let message = again.json["error"]["message"].as_str().unwrap();
    assert!(message.contains(&first), "it names the call that it is: {message}");
    assert_eq!(contacts_named(&name).await, 1);
    let line = contacts.gateway.log().last().unwrap().clone();
    // It was recognised, and has not failed.
    assert_eq!(
        (&line["event"], &line["state"], &line["error"], &line["client"]),
        (&"call.refused".into(), &"ignored".into(), &"replayed".into(), &"signed".into())
    );
}

#[tokio::test]
async fn an_id_is_one_delivery_whenever_it_is_signed() {
    let contacts = Contacts::start().await;
    let (body, name) = contact();
    let id = format!("msg_{}", Uuid::new_v4());
    for (id, away, expected) in
        [(&*id, -120, "ok"), (&id, -60, "replayed"), (&id, 0, "replayed"), ("msg_other", 0, "ok")]
    {
        let answer = contacts.deliver("timed", by_standard_webhooks(id, now() + away, &body), &body).await;
        assert_eq!(outcome(&answer), is(200, expected), "{id} {away}");
    }
    assert_eq!(contacts_named(&name).await, 2);
}

/// A client that signs, may call all routes, and has two hooks.
async fn with_all_routes() -> (Gateway, NamedTempFile) {
    let odoo = odoo().await;
    let mut template = NamedTempFile::new().unwrap();
    template.write_all(b"{payload: .vals.payload, search_key: .vals.search_key}").unwrap();
    let mut more = format!(
        "[[client]]\nname = \"signed\"\nodoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\nmodels = {{ allow = [\"res.partner\"] }}\n\
         [client.signature]\nscheme = \"github\"\nsecret_env = \"SECRET\"\n",
        odoo.login
    );
    for hook in ["one", "two"] {
        more += &format!(
            "[[hook]]\npath = \"/hooks/{hook}\"\nclient = \"signed\"\nroute = \"create_update_data\"\nmodel = \"res.partner\"\n\
             template = \"{}\"\naccept = \"answer\"\n",
            template.path().display()
        );
    }
    let gateway =
        Gateway::before_with(&odoo.url, &odoo.database, &more, &[("SECRET", SECRET), ("ODOO_KEY", &odoo.key)]);
    (gateway, template)
}

#[tokio::test]
async fn a_signed_body_is_taken_once_whatever_route_or_hook_it_is_sent_to() {
    let (gateway, _template) = with_all_routes().await;
    let targets = [
        "/api/create_data?client=signed",
        "/api/create_update_data?client=signed",
        "/api/update_data?client=signed",
        "/hooks/one",
        "/hooks/two",
    ];
    for first in targets {
        let (_, name) = contact();
        // A body that each of them can do something with.
        let vals = json!({"payload": {"name": name}, "search_key": {"name": name}});
        let body = json!({"model": "res.partner", "vals": vals}).to_string();
        assert_eq!(outcome(&deliver(&gateway, first, by_github(SECRET, &body), &body).await), is(200, "ok"), "{first}");
        let made = contacts_named(&name).await;
        for again in targets {
            let answer = deliver(&gateway, again, by_github(SECRET, &body), &body).await;
            assert_eq!(outcome(&answer), is(200, "replayed"), "{first}, then {again}");
        }
        assert_eq!(contacts_named(&name).await, made);
    }
}

#[tokio::test]
async fn a_signed_body_that_a_route_refused_may_be_sent_to_another() {
    let (gateway, _template) = with_all_routes().await;
    let (_, name) = contact();
    let body = json!({"model": "res.partner", "vals": {"payload": {"name": name}}}).to_string();
    for (target, expected) in
        [("update_data", "missing_parameter"), ("create_data", "ok"), ("create_update_data", "replayed")]
    {
        let target = format!("/api/{target}?client=signed");
        let answer = deliver(&gateway, &target, by_github(SECRET, &body), &body).await;
        assert_eq!(outcome(&answer), is(200, expected), "{target}");
    }
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn copies_of_a_delivery_that_come_at_the_same_time_make_one_record() {
    let contacts = Contacts::start().await;
    let (body, name) = contact();
    let outcomes = future::join_all((0..12).map(|_| contacts.deliver_signed(&body))).await;
    let done = outcomes.iter().filter(|outcome| **outcome == is(200, "ok")).count();
    let known = outcomes.iter().filter(|outcome| [is(200, "replayed"), is(409, "replayed")].contains(outcome)).count();
    assert_eq!((done, known), (1, 11), "{outcomes:?}");
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn a_copy_is_not_acknowledged_before_the_first_is_done() {
    let (reached, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    let (contacts, _proxy) = with_fault(false, hold).await;
    let (body, name) = contact();
    let meanwhile = async {
        reached.notified().await;
        let copy = contacts.deliver_signed(&body).await;
        release.notify_one();
        copy
    };
    let (first, copy) = future::join(contacts.deliver_signed(&body), meanwhile).await;
    // The sender comes back, and is told how it ended.
    assert_eq!((first, copy), (is(200, "ok"), is(409, "replayed")));
    assert_eq!(contacts.deliver_signed(&body).await, is(200, "replayed"));
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn a_delivery_that_came_to_nothing_may_come_again() {
    let refusal = r#"{"name": "odoo.exceptions.UserError", "message": "made to fail", "debug": ""}"#.to_owned();
    let refusal = Fault::Answer { status: "422 UNPROCESSABLE ENTITY", body: refusal };
    for (at_first, fault, expected) in [
        (true, Fault::ResetBefore, is(502, "odoo_no_answer")),
        (true, Fault::BadGateway, is(502, "odoo_no_answer")),
        (false, refusal, is(422, "user_error")),
    ] {
        let (contacts, proxy) = with_fault(at_first, fault.clone()).await;
        let (body, name) = contact();
        assert_eq!(contacts.deliver_signed(&body).await, expected, "{fault:?}");
        assert_eq!(contacts_named(&name).await, 0);
        proxy.run(|_, _| Fault::Pass);
        assert_eq!(contacts.deliver_signed(&body).await, is(200, "ok"), "{fault:?}");
        assert_eq!(contacts.deliver_signed(&body).await, is(200, "replayed"), "{fault:?}");
        assert_eq!(contacts_named(&name).await, 1);
    }
}

#[tokio::test]
async fn a_delivery_waits_for_an_odoo_that_is_down() {
    let odoo = odoo().await;
    // Where nobody is.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let contacts = Contacts::before(&format!("http://{nobody}"), odoo, CONTACT);
    let (body, name) = contact();
    for _ in 0..7 {
        let (status, code) = contacts.deliver_signed(&body).await;
        assert!(code == "odoo_unreachable" && [502, 503].contains(&status), "{status} {code}");
    }
    // What it sent is kept all the same: the signature says who it is.
    let lines = contacts.gateway.lines();
    let received: Vec<_> = lines.iter().filter(|line| line["event"] == "call.received").collect();
    assert!(received.iter().all(|line| line["sent"]["body"]["name"] == name) && received.len() == 7, "{received:?}");
    let _proxy = FaultProxy::at(nobody, odoo).await;
    // Not `replayed` before it is done: a sender would take that for the end.
    poll_for(async || match contacts.deliver_signed(&body).await {
        (200, code) if code == "ok" => true,
        outcome => {
            assert_eq!(outcome.1, "odoo_unreachable");
            false
        }
    })
    .await;
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn a_delivery_whose_answer_was_lost_is_found_and_not_done_again() {
    let (contacts, proxy) = with_fault(false, Fault::ResetAfter).await;
    let (body, name) = contact();
    assert_eq!(contacts.deliver_signed(&body).await, is(200, "ok"));
    proxy.run(|_, _| Fault::Pass);
    assert_eq!(contacts.deliver_signed(&body).await, is(200, "replayed"));
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn a_delivery_is_known_when_the_gateway_was_killed_meanwhile() {
    let contacts = Contacts::start().await;
    let (body, name) = contact();
    assert_eq!(contacts.deliver_signed(&body).await, is(200, "ok"));
    let contacts = contacts.after_kill().await;
    assert_eq!(contacts.deliver_signed(&body).await, is(200, "replayed"));
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn what_has_been_taken_is_known_after_the_configuration_is_read_again() {
    let contacts = Contacts::start().await;
    let (body, name) = contact();
    assert_eq!(contacts.deliver_signed(&body).await, is(200, "ok"));
    contacts.gateway.signal("HUP");
    let reloads = "odoo_gateway_reloads_total{outcome=\"done\"}";
    poll_for(async || contacts.gateway.metrics().await.contains_key(reloads)).await;
    assert_eq!(contacts.deliver_signed(&body).await, is(200, "replayed"));
    assert_eq!(contacts_named(&name).await, 1);
}

/// The id of the last call.
fn last(contacts: &Contacts) -> String {
    contacts.gateway.log().last().unwrap()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_a_template_fails_on_is_run_again_by_the_operator_when_it_is_mended() {
    let contacts = Contacts::with_template("error(\"not yet\")").await;
    let (body, name) = contact();
    assert_eq!(contacts.deliver_signed(&body).await, is(422, "hook_template"));
    let failed = last(&contacts);
    let (status, told, said) = contacts.gateway.run(&["replay", &failed]);
    assert!(status == Some(1) && format!("{told}{said}").contains("not yet"), "{told}{said}");
    fs::write(contacts.template.path(), CONTACT).unwrap();
    let (status, told, said) = contacts.gateway.run(&["replay", &failed]);
    assert_eq!(status, Some(0), "{told}{said}");
    assert_eq!(contacts_named(&name).await, 1);
    let again = contacts.gateway.log().last().unwrap().clone();
    assert_eq!((&again["replay_of"], &again["client"]), (&json!(failed), &json!("signed")));
}

/// Orders of Shopify have a `token`, payments of Stripe a `client_secret`: of what the templates make of them, no part.
#[tokio::test]
async fn what_the_log_hides_of_a_body_keeps_no_call_from_being_run_again_that_has_no_part_of_it() {
    let contacts = Contacts::start().await;
    let (_, name) = contact();
    let body = json!({"name": name, "token": "123456abcd"}).to_string();
    assert_eq!(contacts.deliver_signed(&body).await, is(200, "ok"));
    assert!(!contacts.gateway.log_text().contains("123456abcd"));
    let (status, told, said) = contacts.gateway.run(&["replay", "--dry-run", &last(&contacts)]);
    assert_eq!(status, Some(0), "{told}{said}");
}

#[tokio::test]
async fn no_header_with_a_key_token_or_signature_is_in_the_log_or_before_a_template() {
    // The template shows all that it sees.
    let contacts = Contacts::with_template("{payload: {name, comment: ($headers | tojson)}}").await;
    let (body, name) = contact();
    let key = Uuid::new_v4().simple().to_string() + "89abcdef";
    let secret = |place: &str| format!("{place}-S3cret");
    let hidden = ["X-Webhook-Key", "X-Auth", "X-Gitlab-Token", "X-Shop-Secret", "X-Line-Signature", "X-Session-Id"];
    let secrets: Vec<String> = hidden.iter().map(|name| secret(name)).collect();
    let mut sent: Vec<(&str, &str)> = hidden.iter().copied().zip(secrets.iter().map(String::as_str)).collect();
    sent.extend([("x-api-key", contacts.key.as_str()), ("x-odd", &key)]);
    sent.extend([("x-topic", "contacts/create"), ("idempotency-key", "delivery-1")]);
    assert_eq!(outcome(&contacts.deliver("keyed", headers(&sent), &body).await), is(200, "ok"));
    let line = contacts.gateway.log().pop().unwrap();
    let seen: serde_json::Value = serde_json::from_str(line["vals"]["payload"]["comment"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&seen["x-topic"], &seen["idempotency-key"], &seen["x-odd"]),
        (&json!("contacts/create"), &json!("delivery-1"), &json!("***"))
    );
    let text = contacts.gateway.log_text();
    assert!(text.contains(&name) && !text.contains("S3cret") && !text.contains(&key), "{text}");
    assert!(!text.contains(&contacts.key) && !text.to_lowercase().contains("x-webhook-key"), "{text}");
}

#[tokio::test]
async fn what_a_template_says_of_a_body_is_without_its_secrets() {
    let contacts = Contacts::with_template("error(\"no such \" + .token)").await;
    let body = json!({"name": "x", "token": "123456abcd"}).to_string();
    assert_eq!(contacts.deliver_signed(&body).await, is(422, "hook_template"));
    let line = contacts.gateway.log().pop().unwrap();
    assert!(line["message"].as_str().unwrap().contains("no such ***"), "{line}");
    assert!(!contacts.gateway.log_text().contains("123456abcd"));
    let (status, told, _) = contacts.gateway.run(&["replay", &last(&contacts)]);
    assert!(status == Some(1) && told.contains("parts of its body were hidden in the log (body.token)"), "{told}");
}
