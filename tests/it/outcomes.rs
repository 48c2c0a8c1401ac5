//! What the gateway finds out where the answer to a write was lost: nothing is lost, nothing is done twice.

mod hidden;
mod killed;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client, outcome},
    fault::{Fault, FaultProxy},
    gateway::{Gateway, new_client},
    odoo::{Odoo, odoo, odoo_14},
    poll,
};

/// What is not found within a second is not there.
const SHORT: &str = "retries = 0\n[delivery]\nlongest_request = \"1s\"";

/// A gateway before an Odoo whose answers can be cut.
struct Bench {
    odoo: &'static Odoo,
    proxy: FaultProxy,
    gateway: Gateway,
    client: Client,
}

impl Bench {
    async fn before(odoo: &'static Odoo, more: &str) -> Self {
        let proxy = FaultProxy::before(odoo).await;
        let gateway = Gateway::before(&proxy.url, &odoo.database, more);
        let client = match odoo.version {
            19 => Client::with_bearer(&gateway).await,
            _ => Client::log_in(&gateway, odoo).await,
        };
        Self { odoo, proxy, gateway, client }
    }

    async fn create(&self, model: &str, payload: Value) -> Answer {
        let body = json!({"model": model, "vals": {"payload": payload, "result_field": ["name"]}});
        self.client.post("create_data", body.to_string()).await
    }

    /// From now on, this is the end of every RPC whose path ends so, up to `most` times.
    fn cut(&self, end: &'static str, most: usize, fault: Fault) {
        let count = AtomicUsize::new(0);
        self.proxy.run(move |_, rpc| {
            let is_one = rpc.ends_with(end) && count.fetch_add(1, Relaxed) < most;
            if is_one { fault.clone() } else { Fault::Pass }
        });
    }

    /// From now on, this is the end of every create, for half as long as Odoo works on a request at most: so of each that is sent first,
    /// and of none that is sent again.
    fn cut_first_creates(&self, fault: Fault) {
        let began = OnceLock::new();
        self.proxy.run(move |_, rpc| {
            let is_create = ["/create", "/web_save"].iter().any(|end| rpc.ends_with(end));
            let is_first = is_create && began.get_or_init(Instant::now).elapsed() < Duration::from_millis(500);
            if is_first { fault.clone() } else { Fault::Pass }
        });
    }

    fn sent(&self, end: &str) -> usize {
        self.proxy.seen().iter().filter(|rpc| rpc.ends_with(end)).count()
    }

    async fn count(&self, name: &str) -> Value {
        self.odoo.search_count("res.partner", json!([["name", "=", name]])).await
    }
}

fn unique() -> String {
    format!("lost {}", Uuid::new_v4().simple())
}

fn record(answer: &Answer) -> &Value {
    assert_eq!((answer.status, &answer.json["result"]["is_success"]), (200, &json!(true)), "{answer:?}");
    &answer.json["result"]["result"]
}

#[tokio::test]
async fn a_record_that_was_created_is_found_and_answered_however_its_answer_was_lost() {
    for odoo in [odoo().await, odoo_14().await] {
        let bench = Bench::before(odoo, "retries = 0").await;
        for fault in [Fault::ResetAfter, Fault::CutReply] {
            // The first of them is not known by the ids of earlier ones, the second is.
            for _ in 0..2 {
                let name = unique();
                let write = if odoo.version == 19 { "/web_save" } else { "/create" };
                bench.cut(write, 1, fault.clone());
                let answer = bench.create("res.partner", json!({"name": name, "country_id": {"code": "BE"}})).await;
                assert_eq!(record(&answer)["name"], name.as_str(), "{answer:?}");
                assert_eq!((bench.count(&name).await, bench.sent(write)), (json!(1), 1), "{odoo:?}");
            }
        }
        let line = bench.gateway.log().pop().unwrap();
        assert_eq!((&line["state"], &line["error"]), (&json!("done"), &Value::Null), "{line}");
    }
}

#[tokio::test]
async fn a_create_that_did_not_reach_odoo_is_sent_once_more_when_it_can_appear_no_more() {
    for odoo in [odoo().await, odoo_14().await] {
        let bench = Bench::before(odoo, SHORT).await;
        let write = if odoo.version == 19 { "/web_save" } else { "/create" };
        for fault in [Fault::ResetBefore, Fault::BadGateway] {
            let name = unique();
            bench.cut(write, 1, fault);
            let answer = bench.create("res.partner", json!({"name": name})).await;
            assert_eq!(record(&answer)["name"], name.as_str(), "{answer:?}");
            assert_eq!((bench.count(&name).await, bench.sent(write)), (json!(1), 2), "{odoo:?}");
        }
        // Twice, and no more.
        let name = unique();
        bench.cut(write, 9, Fault::ResetBefore);
        let answer = bench.create("res.partner", json!({"name": name})).await;
        assert_eq!((outcome(&answer).as_str(), answer.status), ("outcome_unknown", 504), "{answer:?}");
        let error = &answer.json["error"]["data"];
        let message = error["message"].as_str().unwrap();
        assert_eq!((&error["retry"], &error["left"][0]["model"]), (&json!("unsafe"), &json!("res.partner")), "{error}");
        for word in [&name, "sent twice", "log settle", "UTC"] {
            assert!(message.contains(word), "{message}");
        }
        assert_eq!((bench.count(&name).await, bench.sent(write)), (json!(0), 2), "{odoo:?}");
        assert_eq!(bench.gateway.log().last().unwrap()["state"], "in_doubt");
    }
}

#[tokio::test]
async fn a_record_that_odoo_creates_late_is_waited_for() {
    let bench = Bench::before(odoo().await, "timeout = \"500ms\"\nconnect_timeout = \"400ms\"").await;
    // What is known of the models, and a first record.
    assert_eq!(outcome(&bench.create("res.partner", json!({"name": unique()})).await), "ok");
    let (reached, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    bench.cut("/web_save", 1, Fault::Hold { reached: reached.clone(), release: release.clone() });
    let name = unique();
    let late = async {
        reached.notified().await;
        poll(|| bench.sent("/search_read") > 0).await;
        release.notify_one();
    };
    let (answer, ()) = join(bench.create("res.partner", json!({"name": name})), late).await;
    assert_eq!(record(&answer)["name"], name.as_str(), "{answer:?}");
    assert_eq!((bench.count(&name).await, bench.sent("/web_save")), (json!(1), 1));
}

#[tokio::test]
async fn a_record_is_found_and_its_absence_is_certain_however_many_the_user_creates_meanwhile() {
    let (odoo, model) = (odoo().await, "res.partner.category");
    let bench = Bench::before(odoo, SHORT).await;
    let count = async |name: &str| odoo.search_count(model, json!([["name", "=", name]])).await;
    let writes = || bench.sent("res.partner.category/web_save");
    // Others, of which nothing is known, come between the lost answer and the look for its record.
    let (looks, released) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let hold = Fault::Hold { reached: looks.clone(), release: released.clone() };
    let (lost, held) = (AtomicUsize::new(0), AtomicUsize::new(0));
    bench.proxy.run(move |_, rpc| match rpc {
        "res.partner.category/web_save" if lost.fetch_add(1, Relaxed) == 0 => Fault::ResetAfter,
        "res.partner.category/search_read" if held.fetch_add(1, Relaxed) == 0 => hold.clone(),
        _ => Fault::Pass,
    });
    let many = async {
        looks.notified().await;
        let others: Vec<Value> = (0..10_500).map(|number| json!({"name": format!("other {number}")})).collect();
        odoo.call(model, "create", json!([others]), json!({})).await.unwrap();
        released.notify_one();
    };
    let name = unique();
    let (answer, ()) = join(bench.create(model, json!({"name": name})), many).await;
    assert_eq!(record(&answer)["name"], name.as_str(), "{answer:?}");
    assert_eq!((count(&name).await, writes()), (json!(1), 1));

    let name = unique();
    bench.cut("/web_save", 1, Fault::ResetBefore);
    let answer = bench.create(model, json!({"name": name})).await;
    assert_eq!(record(&answer)["name"], name.as_str(), "{answer:?}");
    assert_eq!((count(&name).await, writes()), (json!(1), 2));
}

#[tokio::test]
async fn an_upsert_creates_one_record_and_updates_the_one_that_others_made_meanwhile() {
    for odoo in [odoo().await, odoo_14().await] {
        let bench = Bench::before(odoo, SHORT).await;
        let upsert = async |key: &str, name: &str| {
            let vals = json!({"search_key": {"ref": key}, "payload": {"name": name}});
            bench.client.post("create_update_data", json!({"model": "res.partner", "vals": vals}).to_string()).await
        };
        for fault in [Fault::ResetAfter, Fault::ResetBefore] {
            let name = unique();
            bench.cut("/create", 1, fault);
            let answer = upsert(&name, &name).await;
            let id = record(&answer)["id"].clone();
            let found = odoo.call("res.partner", "search", json!([[["ref", "=", name]]]), json!({})).await.unwrap();
            assert_eq!(found, json!([id]));
        }
        let name = unique();
        let (reached, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        bench.cut("/search_read", 1, Fault::Hold { reached: reached.clone(), release: release.clone() });
        let meanwhile = async {
            reached.notified().await;
            bench.cut("/create", 1, Fault::ResetBefore);
            release.notify_one();
            poll(|| bench.sent("/create") == 1).await;
            odoo.create("res.partner", json!({"name": "by a person", "ref": name})).await
        };
        let (answer, id) = join(upsert(&name, &name), meanwhile).await;
        assert_eq!(record(&answer)["id"], id, "{answer:?}");
        assert_eq!(bench.count(&name).await, 1);
    }
}

#[tokio::test]
async fn an_update_is_read_back_and_written_again_where_it_was_not_done() {
    for odoo in [odoo().await, odoo_14().await] {
        let bench = Bench::before(odoo, SHORT).await;
        let update = async |name: &str, payload: Value| {
            let vals = json!({"search_key": {"name": name}, "payload": payload});
            bench.client.post("update_data", json!({"model": "res.partner", "vals": vals}).to_string()).await
        };
        for (fault, writes) in [(Fault::ResetAfter, 1), (Fault::ResetBefore, 2), (Fault::BadGateway, 2)] {
            let name = unique();
            odoo.create("res.partner", json!({"name": name})).await;
            bench.cut("/write", 1, fault);
            let payload = json!({"function": name, "color": 7, "comment": "<p>seen</p>"});
            record(&update(&name, payload).await);
            let written = json!([["function", "=", name], ["color", "=", 7], ["comment", "like", "seen"]]);
            assert_eq!((odoo.search_count("res.partner", written).await, bench.sent("/write")), (json!(1), writes));
        }
        // A line is looked for below its record, also where the update has nothing else.
        for (fault, writes) in [(Fault::ResetAfter, 1), (Fault::ResetBefore, 2)] {
            for alone in [true, false] {
                let name = unique();
                odoo.create("res.partner", json!({"name": name})).await;
                bench.cut("/write", 1, fault.clone());
                let line = format!("line of {name}");
                let mut payload = json!({"child_ids": {"mode": "add", "records": [{"name": line}]}});
                if !alone {
                    payload["function"] = json!(name);
                }
                let answer = update(&name, payload).await;
                assert_eq!(outcome(&answer), "ok", "{answer:?}");
                assert_eq!((bench.count(&line).await, bench.sent("/write")), (json!(1), writes), "alone: {alone}");
            }
        }
    }
}

#[tokio::test]
async fn a_deletion_is_done_where_the_records_are_gone_and_repeated_where_they_are_not() {
    for odoo in [odoo().await, odoo_14().await] {
        let bench = Bench::before(odoo, SHORT).await;
        for (fault, times) in [(Fault::ResetAfter, 1), (Fault::ResetBefore, 2)] {
            let name = unique();
            let id = odoo.create("res.partner", json!({"name": name})).await;
            bench.cut("/unlink", 1, fault);
            let body = json!({"model": "res.partner", "vals": {"search_key": {"id": id}}});
            record(&bench.client.post("delete_data", body.to_string()).await);
            assert_eq!((bench.count(&name).await, bench.sent("/unlink")), (json!(0), times));
        }
    }
}

#[tokio::test]
async fn calls_of_a_batch_whose_answer_is_lost_are_settled_each_by_itself() {
    for odoo in [odoo().await, odoo_14().await] {
        let bench = Bench::before(odoo, SHORT).await;
        let create = async |name: String| {
            let body = json!({"model": "res.partner", "vals": {"payload": {"name": name, "is_company": true}}});
            let answer = bench.client.post("create_data", body.to_string()).await;
            (name, answer)
        };
        // Who may read what it creates is known after the first.
        join_all((0..4).map(|_| create(unique()))).await;
        for fault in [Fault::ResetAfter, Fault::ResetBefore] {
            bench.cut_first_creates(fault);
            let mut ids = Vec::new();
            for (name, answer) in join_all((0..16).map(|_| create(unique()))).await {
                let id = record(&answer)["id"].as_i64().unwrap();
                let found =
                    odoo.call("res.partner", "search", json!([[["name", "=", name]]]), json!({})).await.unwrap();
                assert_eq!(found, json!([id]), "{answer:?}");
                ids.push(id);
            }
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), 16);
        }
    }
}

#[tokio::test]
async fn equal_creates_get_a_record_each_whichever_answers_are_lost() {
    let odoo = odoo().await;
    let bench = Bench::before(odoo, SHORT).await;
    let id = |answer: &Answer| record(answer)["id"].as_i64().unwrap();
    for faults in [
        [Fault::ResetAfter, Fault::ResetAfter],
        [Fault::ResetAfter, Fault::ResetBefore],
        [Fault::Pass, Fault::ResetBefore],
        [Fault::ResetBefore, Fault::ResetBefore],
    ] {
        let (name, count) = (unique(), AtomicUsize::new(0));
        let script = faults.clone();
        bench.proxy.run(move |_, rpc| match rpc.ends_with("/web_save") {
            true => script.get(count.fetch_add(1, Relaxed)).cloned().unwrap_or(Fault::Pass),
            false => Fault::Pass,
        });
        let create = || bench.create("res.partner", json!({"name": name}));
        let (one, other) = join(create(), create()).await;
        assert_ne!(id(&one), id(&other), "{faults:?}");
        assert_eq!(bench.count(&name).await, 2, "{faults:?}");
    }
}

#[tokio::test]
async fn a_record_that_a_person_makes_meanwhile_or_that_odoo_changes_is_not_taken_for_the_calls() {
    let odoo = odoo().await;
    let bench = Bench::before(odoo, SHORT).await;
    let (login, name) = (unique(), unique());
    let manager = json!([[["module", "=", "base"], ["name", "=", "group_partner_manager"]], ["res_id"]]);
    let manager = odoo.call("ir.model.data", "search_read", manager, json!({})).await.unwrap()[0]["res_id"].clone();
    let groups = json!([[4, manager]]);
    let user = json!({"name": login, "login": login, "password": login, "group_ids": groups});
    odoo.create("res.users", user).await;
    let theirs = Client::with_login(&bench.gateway, &login, &login);
    let body = |name: &str| json!({"model": "res.partner.category", "vals": {"payload": {"name": name}}}).to_string();
    // The user is known to see what it creates.
    record(&theirs.post("create_data", body(&unique())).await);
    bench.cut("/create", 1, Fault::ResetBefore);
    let by_person = async {
        poll(|| bench.sent("/create") == 1).await;
        odoo.create("res.partner.category", json!({"name": name})).await
    };
    let (answer, by_person) = join(theirs.post("create_data", body(&name)), by_person).await;
    assert_ne!(record(&answer)["id"], by_person, "{answer:?}");
    assert_eq!(odoo.search_count("res.partner.category", json!([["name", "=", name]])).await, 2);

    let name = unique();
    // Changed by Odoo: the address of a website gets a scheme.
    bench.cut("/web_save", 1, Fault::ResetAfter);
    let answer = bench.create("res.partner", json!({"name": name, "website": "odoo.example/x"})).await;
    assert_eq!((outcome(&answer).as_str(), answer.status), ("outcome_unknown", 504), "{answer:?}");
    let found = odoo.call("res.partner", "search", json!([[["name", "=", name]]]), json!({})).await.unwrap();
    let message = answer.json["error"]["data"]["message"].as_str().unwrap();
    assert!(message.contains(&format!("res.partner {}", found[0])), "{message} {found}");
}

#[tokio::test]
async fn a_method_is_called_again_only_where_the_client_names_it_as_safe() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (key, entry) = new_client("shop");
    let entry = format!(
        "{entry}odoo_login = \"{}\"\nodoo_key_env = \"SHOP_KEY\"\nmethods = [\"*\"]\nmodels = {{ allow = [\"res.partner\"] }}\nsafe_methods = [\"res.partner.toggle_*\", \"*.message_post\"]",
        odoo.login
    );
    let more = format!("{SHORT}\n{entry}");
    let gateway = Gateway::before_with(&proxy.url, &odoo.database, &more, &[("SHOP_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "authorization", &format!("Bearer {key}"));
    let id = odoo.create("res.partner", json!({"name": unique()})).await;
    let call = async |method: &str, parameter: Value| {
        let path = format!("/{method}");
        let name = method.to_owned();
        let count = AtomicUsize::new(0);
        proxy.run(move |_, rpc| match rpc.ends_with(&format!("/{name}")) && count.fetch_add(1, Relaxed) == 0 {
            true => Fault::ResetBefore,
            false => Fault::Pass,
        });
        let vals = json!({"search_key": {"id": id}, "payload": {"method": method, "parameter": parameter}});
        let answer = client.post("call_function", json!({"model": "res.partner", "vals": vals}).to_string()).await;
        (outcome(&answer), proxy.seen().iter().filter(|rpc| rpc.ends_with(&path)).count())
    };
    assert_eq!(call("toggle_active", json!({})).await, ("ok".to_owned(), 2));
    assert_eq!(call("message_post", json!({"body": "x"})).await, ("odoo_no_answer".to_owned(), 1));
    assert_eq!(call("create_company", json!({})).await, ("odoo_no_answer".to_owned(), 1));
}
