//! What is not taken at a hook: what is not proven to come from its sender, and what makes no call.

use std::time::{Duration, Instant};

use futures_util::future;
use http::HeaderMap;
use serde_json::{Value, json};

use super::{
    CONTACT, Contacts, OLD_SECRET, SECRET, by_github, by_standard_webhooks, contact, contacts_named, headers,
    hexadecimal, is, mac, now, outcome,
};
use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    odoo::odoo,
};

const SIGNATURE: &str = "X-Hub-Signature-256";

#[tokio::test]
async fn what_is_not_rightly_signed_never_comes_near_odoo() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let contacts = Contacts::before(&proxy.url, odoo, CONTACT);
    proxy.run(|_, _| Fault::Pass);
    let (body, name) = contact();
    let right = format!("sha256={}", hexadecimal(&mac(SECRET, &body)));
    let base64 = "sha256=dXEH6g60IG/CESIczphMa5w=";
    for (sent, code) in [
        (vec![], "signature_missing"),
        (vec![("X-Hub-Signature", "sha1=7038")], "signature_missing"),
        (vec![(SIGNATURE, &*right), (SIGNATURE, &right)], "signature_malformed"),
        (vec![(SIGNATURE, "")], "signature_malformed"),
        (vec![(SIGNATURE, "sha256=")], "signature_malformed"),
        (vec![(SIGNATURE, &right["sha256=".len()..])], "signature_malformed"),
        (vec![(SIGNATURE, &right[..right.len() - 1])], "signature_malformed"),
        (vec![(SIGNATURE, base64)], "signature_malformed"),
        (vec![(SIGNATURE, &right[..right.len() - 2])], "signature_wrong"),
        // It proves who it is to Odoo, which is not what is asked here.
        (vec![("x-api-key", &*odoo.key)], "signature_missing"),
        (vec![("x-api-key", &*contacts.key)], "signature_missing"),
    ] {
        let answer = contacts.deliver("signed", headers(&sent), &body).await;
        assert_eq!(outcome(&answer), is(401, code), "{sent:?}");
    }
    for secret in ["another", ""] {
        let answer = contacts.deliver("signed", by_github(secret, &body), &body).await;
        assert_eq!(outcome(&answer), is(401, "signature_wrong"), "{secret}");
    }
    let edited = body.replace("hook", "look");
    let answer = contacts.deliver("signed", by_github(SECRET, &body), &edited).await;
    assert_eq!(outcome(&answer), is(401, "signature_wrong"));
    assert!(proxy.seen().is_empty(), "{:?}", proxy.seen());
    assert_eq!(contacts_named(&name).await, 0);
    assert!(!contacts.gateway.log_text().contains(&name), "what a stranger sent is not kept");
    assert_eq!(contacts.deliver_signed(&body).await, is(200, "ok"));
}

#[tokio::test]
async fn a_signature_of_another_time_is_stale() {
    let contacts = Contacts::start().await;
    let (body, name) = contact();
    for (away, expected) in
        [(-310, is(401, "signature_stale")), (310, is(401, "signature_stale")), (-200, is(200, "ok"))]
    {
        let signed = by_standard_webhooks("msg_1", now() + away, &body);
        assert_eq!(outcome(&contacts.deliver("timed", signed, &body).await), expected, "{away}");
    }
    // What is old and wrong is wrong: nobody learns more.
    let answer = contacts.deliver("timed", by_standard_webhooks("msg_2", now() - 310, &body), "{}").await;
    assert_eq!(outcome(&answer), is(401, "signature_wrong"));
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn the_secret_before_is_taken_beside_that_of_now() {
    let contacts = Contacts::start().await;
    for secret in [SECRET, OLD_SECRET] {
        let (body, name) = contact();
        let answer = contacts.deliver("signed", by_github(secret, &body), &body).await;
        assert_eq!(outcome(&answer), is(200, "ok"), "{answer:?}");
        assert_eq!(contacts_named(&name).await, 1);
    }
}

#[tokio::test]
async fn a_hook_of_a_client_with_a_key_takes_that_key_and_no_other() {
    let contacts = Contacts::start().await;
    let (body, name) = contact();
    let key = |key: &str| headers(&[("x-api-key", key)]);
    let odoo = odoo().await;
    for (sent, expected) in [
        (HeaderMap::new(), is(401, "no_credentials")),
        (key(&contacts.other_key), is(401, "unknown_client")),
        (key(&odoo.key), is(401, "unknown_client")),
        (by_github(SECRET, &body), is(401, "no_credentials")),
        (key(&contacts.key), is(200, "ok")),
        // It is no delivery that could be known again.
        (headers(&[("authorization", &format!("Bearer {}", contacts.key))]), is(200, "ok")),
    ] {
        assert_eq!(outcome(&contacts.deliver("keyed", sent.clone(), &body).await), expected, "{sent:?}");
    }
    assert_eq!(contacts_named(&name).await, 2);
    let line = contacts.gateway.log().last().unwrap().clone();
    assert_eq!(
        (&line["client"], &line["hook"], &line["route"]),
        (&json!("keyed"), &json!("keyed"), &json!("create_data"))
    );
}

#[tokio::test]
async fn a_signed_request_may_go_to_a_plain_route_that_names_its_client() {
    let contacts = Contacts::start().await;
    let (_, name) = contact();
    let call = |model: &str| json!({"id": 7, "model": model, "vals": {"payload": {"name": name}}}).to_string();
    let send = async |path: &str, signed: HeaderMap, body: String| {
        outcome(&Client::nobody(&contacts.gateway).send("POST", path, signed, Some(body)).await)
    };
    let (body, foreign) = (call("res.partner"), call("res.country"));
    let signed = by_github(SECRET, &body);
    for (path, code) in [
        ("/api/create_data", "no_credentials"),
        ("/api/create_data?client=", "unknown_client"),
        ("/api/create_data?client=nobody", "unknown_client"),
        ("/api/create_data?client=keyed", "unknown_client"),
        ("/api/create_data?client=timed", "signature_missing"),
        ("/api/search_data?client=signed", "route_not_allowed"),
        ("/api/create_data?client=signed", "ok"),
        ("/api/create_data?client=signed", "replayed"),
    ] {
        assert_eq!(send(path, signed.clone(), body.clone()).await, is(200, code), "{path}");
    }
    assert_eq!(send("/api/create_data?client=signed", signed, foreign.clone()).await, is(200, "signature_wrong"));
    let answer = send("/api/create_data?client=signed", by_github(SECRET, &foreign), foreign).await;
    assert_eq!(answer, is(200, "model_not_allowed"));
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn a_hook_takes_posts_at_its_own_path_alone() {
    let contacts = Contacts::start().await;
    let (body, _) = contact();
    let nobody = Client::nobody(&contacts.gateway);
    for method in ["GET", "PUT", "HEAD", "OPTIONS", "DELETE"] {
        let answer = nobody.send(method, "/hooks/signed", by_github(SECRET, &body), Some(body.clone())).await;
        assert_eq!((answer.status, answer.headers["allow"].to_str().unwrap()), (405, "POST"), "{method}");
    }
    for path in [
        "/hooks",
        "/hooks/",
        "/hooks/nothing",
        "/hooks/signed//",
        "/hooks/Signed",
        "/hooks/%73igned",
        "/de/hooks/signed",
    ] {
        let answer = nobody.send("POST", path, by_github(SECRET, &body), Some(body.clone())).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_sender_that_knocks_at_a_wrong_path_is_told_so_and_the_operator_which_hook_is_meant() {
    let contacts = Contacts::start().await;
    let (body, _) = contact();
    let nobody = Client::nobody(&contacts.gateway);
    let mut ids = Vec::new();
    for path in ["/hooks/sinned", "/hooks/zzzzzzzzz", "/hooks/sined/segment"] {
        let answer = nobody.send("POST", path, by_github(SECRET, &body), Some(body.clone())).await;
        assert_eq!((answer.status, &answer.json["error"]["code"]), (404, &json!("no_hook")), "{path}");
        assert!(!answer.json.to_string().contains("signed"), "a stranger learns of no hook: {answer:?}");
        ids.push(answer.headers["gateway-call-id"].to_str().unwrap().to_owned());
    }
    let failed = contacts.gateway.run_json(&["log", "ls", "--state", "failed", "--error", "no_hook", "--json"]);
    let mut found: Vec<&str> = failed.iter().map(|call| call["id"].as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, ids);
    contacts.gateway.terminate();
    let (_, said, _) = contacts.gateway.ended().await;
    assert_eq!(said.matches("did its sender mean `/hooks/signed`?").count(), 2, "{said}");
    assert_eq!(said.matches("no hook has this path").count(), 3, "{said}");
}

#[tokio::test]
async fn a_body_of_which_the_template_makes_nothing_is_refused_and_waits_in_the_log() {
    let template = "if .name == null then empty elif .name == 1 then {payload: {}}, {} elif .name == 2 then {name} \
                    elif .name == 3 then false else error(\"no name like \\(.name)\") end";
    let contacts = Contacts::with_template(template).await;
    for (name, expected) in [
        (json!(null), is(422, "no_payload")),
        (json!(3), is(422, "no_payload")),
        (json!(1), is(422, "hook_template")),
        (json!(2), is(422, "hook_template")),
        (json!("Steve"), is(422, "hook_template")),
    ] {
        let body = json!({"name": name, "note": "as it came"}).to_string();
        let sent = |kind: &str| {
            let mut sent = by_github(SECRET, &body);
            sent.extend(headers(&[("X-GitHub-Event", kind), ("cookie", "session_id=crumbs")]));
            sent
        };
        let answer = contacts.deliver("signed", sent("issues"), &body).await;
        assert_eq!(outcome(&answer), expected, "{name}: {answer:?}");
        let lines = contacts.gateway.lines();
        let received = lines.iter().rfind(|line| line["event"] == "call.received").unwrap();
        let kept = &received["sent"];
        assert_eq!(kept["body"], serde_json::from_str::<Value>(&body).unwrap(), "{received}");
        assert_eq!((&kept["headers"]["x-github-event"], &kept["headers"]["cookie"]), (&json!("issues"), &Value::Null));
        assert_eq!((&received["vals"], &received["hook"]), (&json!({}), &json!("signed")));
        assert_eq!(lines.last().unwrap()["error"], expected.1);
        // Nothing was done, so it may come again.
        assert_eq!(outcome(&contacts.deliver("signed", sent("issues"), &body).await), expected, "{name}");
    }
    let said = contacts.gateway.log().last().unwrap()["message"].as_str().unwrap().to_owned();
    assert!(said.contains("no name like Steve"), "{said}");
    assert!(said.contains("line 1, column "), "{said}");
}

#[tokio::test]
async fn a_rightly_signed_body_that_is_no_json_is_told_as_that() {
    let contacts = Contacts::start().await;
    for (body, expected) in [
        ("", is(422, "hook_body")),
        ("name=Steve", is(422, "hook_body")),
        ("{\"name\": \"a\", \"name\": \"b\"}", is(422, "hook_body")),
        ("[1]", is(422, "hook_template")),
    ] {
        assert_eq!(contacts.deliver_signed(body).await, expected, "{body}");
    }
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    // It was signed, so the log has it.
    assert_eq!(contacts.deliver_signed(&deep).await, is(422, "hook_body"));
}

#[tokio::test]
async fn what_a_hook_may_not_touch_is_told_by_the_status() {
    let contacts = Contacts::with_template("{payload: {name, user_id: {login: \"admin\"}}}").await;
    let (body, name) = contact();
    assert_eq!(contacts.deliver_signed(&body).await, is(403, "model_not_allowed"));
    assert_eq!(contacts_named(&name).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_that_makes_much_of_a_senders_number_ends_and_the_gateway_does_not() {
    let code = "if .kind == \"range\" then [range(.number)] elif .kind == \"text\" then .name * .number
        elif .kind == \"deep\" then (def f: 1 + f; f) elif .kind == \"nested\" then reduce range(.number) as $n (.; [.])
        elif .kind == \"endless\" then last(repeat(1)) else . end | {payload: {name: (.name? // \"x\")}}";
    let contacts = Contacts::with_template(code).await;
    contacts.gateway.limit_address_space(4 << 30);
    let before = contacts.gateway.memory().0;
    for (kind, number) in
        [("range", 300_000_000_u64), ("text", 1_000_000_000), ("deep", 1), ("nested", 100_000_000), ("endless", 1)]
    {
        let body = json!({"kind": kind, "number": number, "name": "x"}).to_string();
        let started = Instant::now();
        let outcome = contacts.deliver_signed(&body).await;
        println!("{kind}: {outcome:?} after {:.1?}", started.elapsed());
        assert_eq!(outcome, is(422, "hook_limits"), "{kind}");
    }
    let (body, name) = contact();
    assert_eq!(contacts.deliver_signed(&body).await, is(200, "ok"));
    assert_eq!(contacts_named(&name).await, 1);
    let most = contacts.gateway.memory().1;
    assert!(most < before + (64 << 20), "{} MiB", most >> 20);
}

/// More at once than there are places for templates (8). Those that find no place within the patience are told to come again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_that_never_end_give_their_places_back_whatever_their_processes_do() {
    let code = "if .endless then last(repeat(1)) else . end | {payload: {name: .name}}";
    let contacts = Contacts::with_template(code).await;
    for is_stopped in [false, true] {
        let bodies: Vec<String> =
            (0..10).map(|n| json!({"endless": true, "number": n, "stopped": is_stopped}).to_string()).collect();
        let deliveries = future::join_all(bodies.iter().map(|body| contacts.deliver_signed(body)));
        let stop = async {
            if is_stopped {
                // Such a process cannot end itself.
                contacts.gateway.stop_children(8).await;
            }
        };
        let (outcomes, ()) = future::join(deliveries, stop).await;
        let ended = outcomes.iter().filter(|outcome| **outcome == is(422, "hook_limits")).count();
        let turned_away = outcomes.iter().filter(|outcome| **outcome == is(503, "too_busy")).count();
        assert!(ended >= 8 && ended + turned_away == 10, "{outcomes:?}");
        let (body, name) = contact();
        let started = Instant::now();
        assert_eq!(contacts.deliver_signed(&body).await, is(200, "ok"));
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
        assert_eq!(contacts_named(&name).await, 1);
        // The one that made the contact.
        assert_eq!(contacts.gateway.children().len(), 1);
    }
}
