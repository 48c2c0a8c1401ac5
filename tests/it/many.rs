//! Many records in one request: what it costs in calls to Odoo, and what becomes of each record where a call fails.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    support::{
        client::Client,
        fault::{Fault, FaultProxy},
        gateway::{CHANGED, Gateway, SETTLES_AT_ONCE},
        odoo::{Odoo, odoo},
        poll,
    },
    undo::FAULTS,
};

fn mark() -> String {
    Uuid::new_v4().simple().to_string()[..10].to_owned()
}

/// The methods of the calls to Odoo of the last request, but for those that read what a model is, or who calls.
fn methods(gateway: &Gateway) -> Vec<String> {
    let log = gateway.log();
    let calls = log.last().unwrap()["odoo"].as_array().unwrap().clone();
    let is_about_records = |call: &&Value| call["model"] != "res.users" && call["method"] != "fields_get";
    let method = |call: &Value| call["method"].as_str().unwrap_or_default().to_owned();
    calls.iter().filter(is_about_records).map(method).collect()
}

fn payloads(mark: &str, number: usize) -> Vec<Value> {
    let codes = ["TH", "FR", "BE", "DE"];
    let payload = |n: usize| json!({"name": format!("{mark} {n}"), "country_id": {"code": codes[n % 4]}, "parent_id": {"ref": format!("dad {} {mark}", n % 3)}});
    (0..number).map(payload).collect()
}

fn named(mark: &str) -> Value {
    json!([["name", "like", format!("{mark} ")]])
}

/// What happens to each RPC.
type Script = Box<dyn Fn(usize, &str) -> Fault + Send + Sync>;

#[tokio::test]
async fn two_hundred_new_records_with_two_lookups_each_are_three_calls() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let (client, mark) = (Client::with_bearer(&gateway).await, mark());
    for n in 0..3 {
        let dad = format!("dad {n} {mark}");
        odoo.create("res.partner", json!({"name": format!("dad{n}{mark}"), "ref": dad, "is_company": true})).await;
    }
    let answer = client.call("create_data", "res.partner", json!({"payload": payloads(&mark, 200)})).await;
    let answered = answer["result"].as_array().unwrap().len();
    assert_eq!((&answer["is_success"], answered), (&json!(true), 200), "{}", answer["messages"]);
    assert_eq!(methods(&gateway), ["search_read", "search_read", "create"]);
    // Each answer is that of its own record.
    let ids: Vec<&Value> = answer["result"].as_array().unwrap().iter().map(|one| &one["result"]["id"]).collect();
    let read =
        odoo.call("res.partner", "read", json!([ids, ["name", "country_id"]]), json!({"load": ""})).await.unwrap();
    for (n, row) in read.as_array().unwrap().iter().enumerate() {
        assert_eq!(row["name"], format!("{mark} {n}"));
    }
    // An update of all: one search, and a write each.
    let payload: Vec<Value> = ids.iter().map(|id| json!({"id": id, "function": mark})).collect();
    let update = json!({"search_key": ["id"], "payload": payload[..20]});
    let updated = client.call("update_data", "res.partner", update).await;
    assert_eq!(updated["is_success"], true, "{updated}");
    let made = methods(&gateway);
    assert_eq!((made.iter().filter(|method| *method == "search_read").count(), made.len()), (1, 21), "{made:?}");
    assert_eq!(odoo.search_count("res.partner", json!([["function", "=", mark]])).await, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_list_tells_in_the_log_how_far_it_is_while_it_runs_and_afterwards() {
    let (odoo, mark) = (odoo().await, mark());
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_bearer(&gateway).await;
    let (reached, release): (Arc<Notify>, Arc<Notify>) = Default::default();
    let (hold, parts) = (Fault::Hold { reached: reached.clone(), release: release.clone() }, AtomicUsize::new(0));
    proxy.run(move |_, rpc| match rpc.ends_with("/create") && parts.fetch_add(1, Relaxed) == 1 {
        true => hold.clone(),
        false => Fault::Pass,
    });
    let payload: Vec<Value> = (0..253).map(|n| json!({"name": format!("{mark} {n}")})).collect();
    let vals = json!({"payload": payload});
    let calling = tokio::spawn(async move { client.call("create_data", "res.partner", vals).await });
    reached.notified().await;
    poll(|| gateway.log_text().contains("\"call.progress\"")).await;
    let [running] = &gateway.run_json(&["log", "ls", "--json", "--state", "running"])[..] else { panic!("one call") };
    let shown = gateway.run(&["log", "show", running["id"].as_str().unwrap()]).1;
    assert!(shown.contains("250 of 253 records written\n"), "{shown}");
    release.notify_one();
    assert_eq!(calling.await.unwrap()["is_success"], true);
    let shown = gateway.run_json(&["log", "show", "--json", running["id"].as_str().unwrap()]);
    let [progress] = &shown[0]["progress"].as_array().unwrap()[..] else { panic!("{shown:?}") };
    assert_eq!(
        (&progress["written"], &progress["of"], &progress["model"], &progress["failed"]),
        (&json!(250), &json!(253), &json!("res.partner"), &Value::Null)
    );
    let followed: Vec<Value> = gateway.lines().into_iter().filter(|line| line["id"] == running["id"]).collect();
    let events: Vec<&str> = followed.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["call.received", "call.planned", "call.progress", "call.finished"]);
}

/// The answer to a `create` that Odoo does not see: as ids, the numbers at the ends of the names.
fn ids_by_name(request: &mut Value) -> Option<String> {
    let id = |values: &Value| values["name"].as_str()?.rsplit(' ').next()?.parse::<u64>().ok();
    let ids: Vec<u64> = request["vals_list"].as_array()?.iter().filter_map(id).collect();
    Some(json!(ids).to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_a_list_that_meet_in_one_row_follow_one_another_and_none_is_refused_for_it() {
    let (odoo, mark) = (odoo().await, mark());
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "retries = 0");
    let client = Client::with_bearer(&gateway).await;
    let conflict = r#"{"name": "psycopg2.errors.SerializationFailure", "message": "could not serialize", "debug": ""}"#;
    let conflict = Fault::Answer { status: "500 Internal Server Error", body: conflict.to_owned() };
    let parts = AtomicUsize::new(0);
    proxy.run(move |_, rpc| match rpc.ends_with("/create") {
        // One of the two that follow the first.
        true if parts.fetch_add(1, Relaxed) == 2 => conflict.clone(),
        true => Fault::Edit { ask: ids_by_name, answer: |_, _| {} },
        false => Fault::Pass,
    });
    let payload: Vec<Value> = (1..=1_300).map(|n| json!({"name": format!("{mark} {n}")})).collect();
    let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
    let results = answer["result"].as_array().unwrap();
    let ids: Vec<Option<u64>> = results.iter().map(|one| one["result"]["id"].as_u64()).collect();
    assert_eq!(ids, (1..=1_300).map(Some).collect::<Vec<_>>(), "{}", answer["messages"]);
    // 250, twice 500, the one of them once more, and the rest.
    assert_eq!(methods(&gateway), ["create"; 5]);
}

#[tokio::test]
async fn one_bad_record_among_many_costs_few_calls_and_leaves_the_others() {
    let (odoo, gateway) = (odoo().await, Gateway::start().await);
    let (client, mark) = (Client::with_bearer(&gateway).await, mark());
    let mut payload: Vec<Value> = (0..200).map(|n| json!({"name": format!("{mark} {n}")})).collect();
    payload[77] = json!({"name": false});
    let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
    assert_eq!(
        answer["error"],
        json!({"code": "records_refused", "retry": "unsafe", "records": [77]}),
        "{}",
        answer["messages"]
    );
    assert_eq!(answer["result"][77]["is_success"], false);
    assert_eq!(odoo.search_count("res.partner", named(&mark)).await, 199);
    // Halved from 200 to 1: two calls at each of eight levels, and the first.
    let creates = methods(&gateway).len();
    assert!(creates <= 17, "{creates}");
    let line = gateway.log().last().unwrap().clone();
    assert_eq!((&line["state"], &line["error"]), (&json!("in_doubt"), &json!("records_refused")), "{line}");
    assert!(line["message"].as_str().unwrap().contains("`payload[77]`"), "{line}");
}

#[tokio::test]
async fn records_whose_answer_was_lost_and_that_are_not_found_are_unknown_and_never_sent_again() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, SETTLES_AT_ONCE);
    let (client, mark) = (Client::with_session(&gateway).await, mark());
    proxy.run(|_, rpc| if rpc.ends_with("/create") { Fault::ResetAfter } else { Fault::Pass });
    // Two kinds of records: the second kind goes by itself, after the first was lost.
    let record = |n: u8| json!({"name": format!("{mark} {n}"), "website": CHANGED});
    let payload = json!([record(0), record(1), {"name": format!("{mark} 2"), "ref": "x", "website": CHANGED}]);
    let body = json!({"model": "res.partner", "vals": {"payload": payload}}).to_string();
    let answer = client.post("create_data", body).await;
    let error = &answer.json["error"]["data"];
    assert_eq!((answer.status, &error["retry"]), (504, &json!("unsafe")), "{answer:?}");
    assert_eq!(odoo.search_count("res.partner", named(&mark)).await, 3);
    assert_eq!(proxy.seen().iter().filter(|rpc| rpc.ends_with("/create")).count(), 2, "{:?}", proxy.seen());
}

#[tokio::test]
async fn records_whose_answer_was_lost_are_found_each_and_sent_again_where_none_of_them_is_there() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, SETTLES_AT_ONCE);
    let client = Client::with_session(&gateway).await;
    for (fault, is_atomic, creates) in [
        (Fault::ResetAfter, false, 1),
        (Fault::ResetAfter, true, 1),
        (Fault::ResetBefore, false, 2),
        (Fault::ResetBefore, true, 2),
    ] {
        let (mark, count) = (mark(), AtomicUsize::new(0));
        let script = fault.clone();
        proxy.run(move |_, rpc| {
            let is_first = rpc.ends_with("/create") && count.fetch_add(1, Relaxed) == 0;
            if is_first { script.clone() } else { Fault::Pass }
        });
        // Two of them are equal.
        let names: Vec<String> = [0, 1, 1, 2].iter().map(|n| format!("{mark} {n}")).collect();
        let payload: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        let answer = client.call("create_data", "res.partner", json!({"payload": payload, "atomic": is_atomic})).await;
        let ids: Vec<Value> =
            answer["result"].as_array().unwrap().iter().map(|one| one["result"]["id"].clone()).collect();
        let read = odoo.call("res.partner", "read", json!([ids, ["name"]]), json!({})).await.unwrap();
        let read: Vec<&str> = read.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        assert_eq!(read, names, "{fault:?} {answer}");
        assert_eq!(odoo.search_count("res.partner", named(&mark)).await, 4, "{fault:?}");
        assert_eq!(proxy.seen().iter().filter(|rpc| rpc.ends_with("/create")).count(), creates, "{fault:?}");
    }
}

#[tokio::test]
async fn a_missing_record_that_is_refused_refuses_each_that_needs_it_and_no_other() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let (client, mark) = (Client::with_session(&gateway).await, mark());
    proxy.run(|_, rpc| if rpc == "res.partner.category/create" { Fault::Refuse } else { Fault::Pass });
    let tag = json!({"records": [{"name": format!("tag {mark}")}]});
    let payload = json!([{"name": format!("{mark} 0"), "category_id": tag}, {"name": format!("{mark} 1")}, {"name": format!("{mark} 2"), "category_id": tag}]);
    let vals = json!({"payload": payload, "auto_create": {"category_id": {"name": format!("tag {mark}")}}});
    let answer = client.call("create_data", "res.partner", vals).await;
    assert_eq!(answer["error"]["records"], json!([0, 2]), "{answer}");
    assert_eq!(odoo.search_count("res.partner", named(&mark)).await, 1);
    assert_eq!(proxy.seen().iter().filter(|rpc| *rpc == "res.partner.category/create").count(), 1);
}

#[tokio::test]
async fn a_request_whose_records_never_came_to_a_decision_is_answered_as_one_that_did_not() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let (client, mark) = (Client::with_session(&gateway).await, mark());
    let vals = json!({"payload": [{"name": format!("{mark} 0")}, {"name": format!("{mark} 1")}]});
    assert_eq!(
        client.call("create_data", "res.partner", json!({"payload": [], "dry_run": true})).await["is_success"],
        true
    );
    proxy.run(|_, rpc| {
        if rpc.ends_with("/create") {
            Fault::Answer { status: "429 Too Many Requests", body: String::new() }
        } else {
            Fault::Pass
        }
    });
    let answer = client.post("create_data", json!({"model": "res.partner", "vals": vals}).to_string()).await;
    let error = &answer.json["error"]["data"];
    assert_eq!(
        (answer.status, &error["code"], &error["retry"]),
        (503, &json!("odoo_overloaded"), &json!("safe")),
        "{answer:?}"
    );
    assert_eq!(odoo.search_count("res.partner", named(&mark)).await, 0);
}

#[tokio::test]
async fn a_policy_decides_on_each_record_with_its_place() {
    let odoo = odoo().await;
    let narrowed = "[policy]\nnever_write = [\"res.partner.street\"]\nmax_records = { write = 1 }\n\
                    domains = { \"res.partner\" = [[\"is_company\", \"=\", false]] }";
    let gateway = Gateway::before(&odoo.url, &odoo.database, narrowed);
    let (client, mark) = (Client::with_bearer(&gateway).await, mark());
    let payload = json!([{"name": format!("{mark} 0")}, {"name": format!("{mark} 1"), "street": "s"},
        {"name": format!("{mark} 2"), "is_company": true}, {"name": format!("{mark} 3")}]);
    let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
    let denied = |place: usize| (&answer["result"][place]["error"]["code"], &answer["result"][place]["error"]["path"]);
    assert_eq!(answer["error"]["records"], json!([1, 2]), "{answer}");
    assert_eq!(denied(1), (&json!("field_not_writable"), &json!("payload[1].street")), "{answer}");
    assert_eq!(denied(2).0, &json!("outside_domain"), "{answer}");
    assert_eq!(odoo.search_count("res.partner", named(&mark)).await, 2);
    // Each search key counts for itself.
    for _ in 0..2 {
        odoo.create("res.partner", json!({"name": format!("{mark} twin"), "ref": mark})).await;
    }
    let update = json!({"search_key": ["ref"], "payload": [{"ref": mark, "city": mark}, {"ref": format!("{mark} none"), "city": "c"}]});
    let answer = client.call("update_data", "res.partner", update).await;
    let error = &answer["result"][0]["error"];
    assert_eq!((&error["code"], &error["path"]), (&json!("too_many_records"), &json!("search_key[0]")), "{answer}");
    assert_eq!(odoo.search_count("res.partner", json!([["city", "=", mark]])).await, 0);
}

#[tokio::test]
async fn an_atomic_list_is_undone_whole_where_its_update_is_refused() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let (client, mark) = (Client::with_session(&gateway).await, mark());
    odoo.create("res.partner", json!({"name": format!("old{mark}"), "ref": format!("old{mark}")})).await;
    let file = json!([{"name": format!("{mark} f.txt"), "datas": "SGVsbG8="}]);
    let payload = json!([
        {"ref": format!("old{mark}"), "street": mark},
        {"ref": format!("new1{mark}"), "name": format!("{mark} 1"), "attachment_ids": file, "parent_id": {"ref": format!("dad{mark}")}},
        {"ref": format!("new2{mark}"), "name": format!("{mark} 2"), "child_ids": [{"name": format!("{mark} kid")}]}]);
    let vals = json!({"search_key": ["ref"], "payload": payload, "atomic": true,
        "auto_create": {"parent_id": {"name": format!("{mark} dad"), "ref": format!("dad{mark}")}}});
    let census = async || {
        let file = odoo.search_count("ir.attachment", named(&mark)).await;
        (
            odoo.search_count("res.partner", named(&mark)).await,
            file,
            odoo.search_count("res.partner", json!([["street", "=", mark]])).await,
        )
    };
    proxy.run(|_, rpc| if rpc == "res.partner/write" { Fault::Refuse } else { Fault::Pass });
    let answer = client.call("create_update_data", "res.partner", vals.clone()).await;
    assert_eq!((&answer["is_success"], &answer["error"]["code"]), (&json!(false), &json!("user_error")), "{answer}");
    assert_eq!(census().await, (json!(0), json!(0), json!(0)));
    proxy.run(|_, _| Fault::Pass);
    let answer = client.call("create_update_data", "res.partner", vals).await;
    assert_eq!(answer["is_success"], true, "{answer}");
    assert_eq!(census().await, (json!(4), json!(1), json!(1)));
    assert_eq!(proxy.seen().iter().filter(|rpc| *rpc == "res.partner/create").count(), 2, "{:?}", proxy.seen());
}

/// A list whose records are written in each of the ways that there are.
fn of_each_kind(u: &str) -> Value {
    json!({"payload": [
        {"name": format!("k0 {u}"), "parent_id": {"ref": format!("dad {u}")}},
        {"name": format!("k1 {u}")},
        {"name": format!("k2 {u}"), "attachment_ids": [{"name": format!("f {u}.txt"), "datas": "SGVsbG8="}]},
        {"name": format!("k3 {u}"), "child_ids": [{"name": format!("kid {u}")}]}],
        "auto_create": {"parent_id": {"name": format!("dad {u}"), "ref": format!("dad {u}")}}})
}

/// What is wrong with an answer, held against what is in Odoo.
async fn untold(odoo: &Odoo, u: &str, answer: &Value) -> Option<String> {
    let whole = if answer.get("error").is_some() { &answer["error"]["data"] } else { &answer["result"]["error"] };
    let count = async |model: &str, name: String| {
        odoo.search_count(model, json!([["name", "=", name]])).await.as_i64().unwrap()
    };
    let mut left: Vec<Value> = whole["left"].as_array().cloned().unwrap_or_default();
    let mut needs_dad = false;
    for n in 0..4 {
        let one = &answer["result"]["result"][n];
        let error = if one.is_null() { whole } else { &one["error"] };
        left.extend(one["error"]["left"].as_array().cloned().unwrap_or_default());
        let (is_success, there) = (one["is_success"] == true, count("res.partner", format!("k{n} {u}")).await);
        let is_told = match (is_success, error["retry"].as_str()) {
            (true, _) => there == 1,
            (false, Some("unsafe")) => error["left"].as_array().is_some_and(|left| !left.is_empty()),
            (false, _) => there == 0,
        };
        if !is_told {
            return Some(format!("record {n} is there {there} times"));
        }
        needs_dad |= is_success && n == 0;
    }
    let names =
        |model: &str| left.iter().any(|left| left["model"] == model || left["with"].to_string().contains(model));
    let (dad, file) =
        (count("res.partner", format!("dad {u}")).await, count("ir.attachment", format!("f {u}.txt")).await);
    let has_file = answer["result"]["result"][2]["is_success"] == true;
    if (needs_dad && dad != 1) || (!needs_dad && dad > 0 && !names("res.partner")) {
        return Some(format!("the missing record is there {dad} times"));
    }
    if (has_file && file != 1) || (!has_file && file > 0 && !names("ir.attachment")) {
        return Some(format!("the file is there {file} times"));
    }
    None
}

#[tokio::test]
async fn every_failure_of_every_rpc_is_told_of_each_record() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    // What is repeated would not fail; here every failure must come to its end.
    let gateway = Gateway::before(&proxy.url, &odoo.database, &format!("retries = 0\n{SETTLES_AT_ONCE}"));
    let client = Client::with_session(&gateway).await;
    let run = async |script: Script| {
        let u = mark();
        proxy.run(script);
        let body = json!({"model": "res.partner", "vals": of_each_kind(&u)}).to_string();
        let answer = client.post("create_data", body).await.json;
        (untold(odoo, &u, &answer).await, answer)
    };
    // The first run fills the memory of schemas, the second shows the RPCs that a call makes then.
    for _ in 0..2 {
        let (problem, answer) = run(Box::new(|_, _| Fault::Pass)).await;
        assert_eq!((problem, &answer["result"]["is_success"]), (None, &json!(true)), "{answer}");
    }
    let rpcs = proxy.seen();
    let mut bad = Vec::new();
    for (k, rpc) in rpcs.iter().enumerate() {
        for (name, fault) in FAULTS {
            let (problem, answer) = run(Box::new(move |n, _| if n == k { fault.clone() } else { Fault::Pass })).await;
            bad.extend(problem.map(|problem| format!("{name} at {rpc} ({k}): {problem}: {answer}")));
        }
        let (problem, answer) = run(Box::new(move |n, _| if n >= k { Fault::ResetAfter } else { Fault::Pass })).await;
        bad.extend(problem.map(|problem| format!("gone after {rpc} ({k}): {problem}: {answer}")));
    }
    assert!(bad.is_empty(), "{} of {} RPCs:\n{}", bad.len(), rpcs.len(), bad.join("\n"));
}
