//! Calls that come at the same time share Odoo's work, and nothing else: each has its own record, error, log and end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use futures_util::future;
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client, outcome},
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::{Odoo, odoo},
    poll_for,
};

/// A gateway before a proxy that holds the first calls for a model's records until others have come.
struct Crowd {
    proxy: FaultProxy,
    gateway: Gateway,
    client: Client,
    /// Begins the names of all records of this test.
    name: String,
}

/// A refusal of Odoo's, as JSON-2 gives it.
const REFUSED: &str = r#"{"name": "odoo.exceptions.UserError", "message": "made to fail"}"#;

/// With `max_in_flight = 2`, one batch runs at a time. A call that is held looks slow, and slow jobs go
/// in smaller batches, by the time that a call may take.
const ONE_AT_A_TIME: &str = "max_in_flight = 2\ntimeout = \"30m\"\nbatch_wait = \"30m\"";

impl Crowd {
    async fn before(odoo: &Odoo, more: &str) -> Self {
        let proxy = FaultProxy::before(odoo).await;
        let gateway = Gateway::before(&proxy.url, &odoo.database, &format!("{ONE_AT_A_TIME}\n{more}"));
        let client = Client::with_header(&gateway, "x-api-key", &odoo.key);
        let crowd = Self { proxy, gateway, client, name: format!("crowd {}", Uuid::new_v4()) };
        // Who calls and what the models look like is known from here on.
        assert_eq!(outcome(&crowd.create(json!({"name": crowd.named("first")})).await), "ok");
        crowd
    }

    fn named(&self, what: impl std::fmt::Display) -> String {
        format!("{} {what}", self.name)
    }

    async fn create(&self, payload: Value) -> Answer {
        self.post(create("res.partner", json!({"payload": payload}))).await
    }

    async fn post(&self, (route, body): Call) -> Answer {
        self.client.post(route, body.to_string()).await
    }

    /// All of these, each as soon as the one before it is there: the first is held at Odoo's door until the others wait
    /// behind it.
    async fn together(&self, rpc: &str, calls: Vec<Call>) -> Vec<Answer> {
        self.together_with(rpc, calls, |_| Fault::Pass).await
    }

    /// The same, with what happens to the RPCs of that name which follow the first, by their number from 1.
    async fn together_with(
        &self,
        rpc: &str,
        calls: Vec<Call>,
        then: impl Fn(usize) -> Fault + Send + Sync + 'static,
    ) -> Vec<Answer> {
        let (reached, release): (Arc<Notify>, Arc<Notify>) = Default::default();
        let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
        let (held, number) = (rpc.to_owned(), AtomicUsize::new(0));
        self.proxy.run(move |_, rpc| {
            if made(rpc) != held {
                return Fault::Pass;
            }
            match number.fetch_add(1, Relaxed) {
                0 => hold.clone(),
                number => then(number),
            }
        });
        let mut answers = Vec::new();
        for (before, (route, body)) in calls.into_iter().enumerate() {
            let client = self.client.clone();
            answers.push(tokio::spawn(async move { client.post(route, body.to_string()).await }));
            match before {
                0 => reached.notified().await,
                _ => poll_for(async || self.waiting().await == before as f64).await,
            }
        }
        release.notify_one();
        future::join_all(answers).await.into_iter().map(Result::unwrap).collect()
    }

    async fn waiting(&self) -> f64 {
        self.gateway.metrics().await.get("odoo_gateway_odoo_waiting").copied().unwrap_or_default()
    }

    /// How many calls of this name Odoo has had since the last crowd came.
    fn seen(&self, call: &str) -> usize {
        self.proxy.seen().iter().filter(|seen| made(seen) == call).count()
    }

    /// The same, of this RPC alone.
    fn seen_as(&self, rpc: &str) -> usize {
        self.proxy.seen().iter().filter(|seen| *seen == rpc).count()
    }
}

/// The name of an RPC; that of a `create` also for one that creates records and reads them.
fn made(rpc: &str) -> String {
    rpc.replace("/web_save", "/create")
}

/// A route and a body.
type Call = (&'static str, Value);

fn create(model: &str, vals: Value) -> Call {
    ("create_data", json!({"model": model, "vals": vals}))
}

fn partner(payload: Value) -> Call {
    create("res.partner", json!({"payload": payload}))
}

fn id(answer: &Answer) -> i64 {
    answer.json["result"]["result"]["id"].as_i64().unwrap_or_else(|| panic!("{answer:?}"))
}

async fn name_of(odoo: &Odoo, model: &str, id: i64) -> Value {
    odoo.call(model, "read", json!([[id], ["name"]]), json!({})).await.unwrap()[0]["name"].take()
}

#[tokio::test]
async fn records_that_come_while_one_is_made_are_made_by_one_call_and_each_caller_gets_its_own() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    let calls = (0..12).map(|n| partner(json!({"name": crowd.named(n)})));
    let answers = crowd.together("res.partner/create", calls.collect()).await;
    assert_eq!(crowd.seen("res.partner/create"), 2, "{:?}", crowd.proxy.seen());
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(name_of(odoo, "res.partner", id(answer)).await, crowd.named(n));
        let call = answer.headers["gateway-call-id"].to_str().unwrap();
        let line = crowd.gateway.log().into_iter().find(|line| line["id"] == call).unwrap();
        let create = line["odoo"].as_array().unwrap().iter().find(|rpc| rpc["method"] == "create").unwrap().clone();
        assert_eq!(create["records"], json!([id(answer)]), "{line}");
        assert_eq!(create["args"]["vals_list"][0]["name"], crowd.named(n), "{line}");
        assert!(create.get("batch").is_none_or(|of| *of == 11), "{line}");
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "like", crowd.name]])).await, 13);
}

#[tokio::test]
async fn records_made_together_are_read_by_the_call_that_makes_them_unless_a_module_takes_none_at_once() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    let calls = |first: usize| (first..first + 4).map(|n| partner(json!({"name": crowd.named(n)}))).collect();
    let first = crowd.together("res.partner/create", calls(0)).await;
    let sent = |end: &str| crowd.seen_as(&format!("res.partner{end}"));
    // One of the four is made alone, and read once, since others wait.
    assert_eq!((sent("/create"), sent("/web_save"), sent("/read")), (1, 1, 1), "{:?}", crowd.proxy.seen());
    // As a module's own `web_save` that knows one record alone: each record is made by itself, and the next ones as before Odoo 17.
    let error = json!({"name": "builtins.TypeError", "message": "list indices must be integers"}).to_string();
    let refused = Fault::Answer { status: "500 Internal Server Error", body: error };
    let then = move |number| if number == 1 { refused.clone() } else { Fault::Pass };
    let second = crowd.together_with("res.partner/create", calls(10), then).await;
    assert_eq!((sent("/create"), sent("/web_save"), sent("/read")), (4, 1, 0), "{:?}", crowd.proxy.seen());
    let third = crowd.together("res.partner/create", calls(20)).await;
    assert_eq!((sent("/create"), sent("/web_save"), sent("/read")), (2, 0, 1), "{:?}", crowd.proxy.seen());
    for (from, answers) in [(0, first), (10, second), (20, third)] {
        for (n, answer) in answers.iter().enumerate() {
            assert_eq!(name_of(odoo, "res.partner", id(answer)).await, crowd.named(from + n));
        }
    }
}

#[tokio::test]
async fn a_bad_record_among_good_ones_costs_them_time_and_nothing_else() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    let country = odoo.call("res.country", "search", json!([[["code", "=", "BE"]]]), json!({})).await.unwrap();
    let payload = |n: usize| {
        let country = if n % 3 == 1 { json!(999_999) } else { country[0].clone() };
        json!({"name": crowd.named(n), "country_id": country})
    };
    let answers = crowd.together("res.partner/create", (0..9).map(|n| partner(payload(n))).collect()).await;
    for (n, answer) in answers.iter().enumerate() {
        if n % 3 == 1 {
            assert_eq!(outcome(answer), "no_match", "{answer:?}");
            assert!(answer.json["result"]["messages"].as_str().unwrap().contains("999999"), "{answer:?}");
        } else {
            assert_eq!(name_of(odoo, "res.partner", id(answer)).await, crowd.named(n));
        }
    }
    // The first, the eight, and each of the eight.
    assert_eq!(crowd.seen("res.partner/create"), 10);
    assert_eq!(odoo.search_count("res.partner", json!([["name", "like", crowd.name]])).await, 7);
    let refused = |line: &Value| line["odoo"].as_array().unwrap().iter().any(|rpc| rpc["refused"] == true);
    assert!(crowd.gateway.log().iter().any(refused));
}

#[tokio::test]
async fn records_that_a_model_sorts_by_a_flag_go_apart_and_each_caller_gets_its_own() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    // Odoo makes those that recur last, whatever their place. A number for yes or no becomes that before they are put together.
    let event = |n: usize| {
        let day = format!("2031-01-{:02}", n + 1);
        let mut event = json!({"name": crowd.named(n), "start": format!("{day} 08:00:00"), "stop": format!("{day} 09:00:00"),
            "recurrency": n % 2, "rrule_type": "daily", "end_type": "count", "count": 2, "interval": 1});
        event["description"] = json!(format!("<p>{n}</p>"));
        event
    };
    let call = |n: usize| create("calendar.event", json!({"payload": event(n)}));
    assert_eq!(outcome(&crowd.post(call(20)).await), "ok");
    let answers = crowd.together("calendar.event/create", (0..6).map(call).collect()).await;
    assert_eq!(crowd.seen("calendar.event/create"), 3, "{answers:?}");
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(name_of(odoo, "calendar.event", id(answer)).await, crowd.named(n));
    }
    let answers = crowd.together("calendar.event/create", vec![call(10)]).await;
    assert_eq!(name_of(odoo, "calendar.event", id(&answers[0])).await, crowd.named(10));
    let answers = future::join_all((11..15).map(|n| crowd.post(call(n)))).await;
    assert!(answers.iter().all(|answer| outcome(answer) == "ok"), "{answers:?}");
}

#[tokio::test]
async fn who_cannot_be_told_apart_or_is_of_another_form_does_not_go_together() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    let named = |n: usize, comment: &str| json!({"name": crowd.named(n), "comment": comment});
    // Two that differ in what Odoo rewrites alone, and one with a field more.
    let payloads = [
        named(0, "a"),
        named(1, "b"),
        named(2, "c"),
        named(2, "d"),
        json!({"name": crowd.named(3), "comment": "e", "street": "x"}),
        json!({"name": crowd.named(4), "comment": "f", "active": true}),
        json!({"name": crowd.named(5), "comment": "g", "active": false}),
    ];
    let calls = payloads.iter().cloned().map(partner).collect();
    let answers = crowd.together("res.partner/create", calls).await;
    for (payload, answer) in payloads.iter().zip(&answers) {
        let read = json!([[id(answer)], ["name", "comment"]]);
        let record = &odoo.call("res.partner", "read", read, json!({})).await.unwrap()[0];
        assert_eq!(record["name"], payload["name"]);
        assert!(record["comment"].as_str().unwrap().contains(payload["comment"].as_str().unwrap()), "{record}");
    }
    // The first; 1 and 2; the other 2; then one for each form.
    assert_eq!(crowd.seen("res.partner/create"), 6);
}

#[tokio::test]
async fn users_do_not_wait_for_each_other_and_each_makes_records_in_its_own_name() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    // A user of Odoo's demo data.
    let demo = Client::with_login(&crowd.gateway, "demo", "demo");
    let demo_create = async |n: usize| {
        let body = json!({"model": "res.partner", "vals": {"payload": {"name": crowd.named(n)}}});
        id(&demo.post("create_data", body.to_string()).await)
    };
    demo_create(10).await;
    let (reached, release): (Arc<Notify>, Arc<Notify>) = Default::default();
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    crowd.proxy.run(move |number, _| if number == 0 { hold.clone() } else { Fault::Pass });
    let of_admin = future::join_all((0..3).map(|n| crowd.create(json!({"name": crowd.named(n)}))));
    let of_demo = async {
        reached.notified().await;
        poll_for(async || crowd.waiting().await == 2.0).await;
        let ids = future::join3(demo_create(11), demo_create(12), demo_create(13)).await;
        release.notify_one();
        [ids.0, ids.1, ids.2]
    };
    let (of_admin, of_demo) = future::join(of_admin, of_demo).await;
    let owner = async |id: i64| {
        let read = odoo.call("res.partner", "read", json!([[id], ["create_uid"]]), json!({})).await.unwrap();
        read[0]["create_uid"][0].as_i64().unwrap()
    };
    let (admin, demo) = (odoo.uid().await, owner(of_demo[0]).await);
    assert_ne!(admin, demo);
    for answer in &of_admin {
        assert_eq!(owner(id(answer)).await, admin);
    }
    for id in of_demo {
        assert_eq!(owner(id).await, demo);
    }
}

#[tokio::test]
async fn a_call_may_ask_to_go_by_itself() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    crowd.proxy.run(|_, _| Fault::Pass);
    let alone = |n: usize| create("res.partner", json!({"payload": {"name": crowd.named(n)}, "batch": false}));
    let answers = future::join_all((0..6).map(|n| crowd.post(alone(n)))).await;
    assert!(answers.iter().all(|answer| outcome(answer) == "ok"), "{answers:?}");
    assert_eq!(crowd.seen("res.partner/create"), 6);
    let wrong = crowd.post(create("res.partner", json!({"payload": {"name": "x"}, "batch": 1}))).await;
    assert_eq!(outcome(&wrong), "invalid_value");
}

/// What a proxy before an overloaded Odoo answers.
fn overloaded() -> Fault {
    Fault::Answer { status: "429 Too Many Requests", body: String::new() }
}

#[tokio::test]
async fn an_overloaded_odoo_is_not_asked_again_for_each_call_of_a_batch() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "retries = 0").await;
    let codes = ["BE", "FR", "DE", "NL", "LU"];
    let country = |n: usize| json!({"name": crowd.named(n), "country_id": {"code": codes[n]}});
    let vals = json!({"payload": {"search_field": ["code"], "search_domain": [["code", "=", "BE"]]}});
    let read = ("search_data", json!({"model": "res.country", "vals": vals}));
    assert_eq!(outcome(&crowd.create(json!({"name": crowd.named("x"), "country_id": {"code": "BE"}})).await), "ok");
    for (rpc, calls) in [
        ("res.partner/create", (0..5).map(|n| partner(json!({"name": crowd.named(n)}))).collect()),
        ("res.country/search_read", (0..5).map(|n| partner(country(n))).collect()),
        ("res.country/search_read", vec![read; 5]),
    ] {
        let answers = crowd.together_with(rpc, calls, |_| overloaded()).await;
        let outcomes: Vec<String> = answers.iter().map(outcome).collect();
        assert_eq!(
            outcomes,
            ["ok", "odoo_overloaded", "odoo_overloaded", "odoo_overloaded", "odoo_overloaded"],
            "{rpc}"
        );
        assert!(answers[1..].iter().all(|answer| answer.json["error"]["data"]["retry"] == "safe"), "{answers:?}");
        assert_eq!(crowd.seen(rpc), 2, "{rpc}");
    }
}

#[tokio::test]
async fn a_batch_that_odoo_turned_away_for_a_moment_is_sent_again_as_one() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "retry_budget = 1.0").await;
    let calls = (0..5).map(|n| partner(json!({"name": crowd.named(n)}))).collect();
    let then = |number| if number == 1 { overloaded() } else { Fault::Pass };
    let answers = crowd.together_with("res.partner/create", calls, then).await;
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(name_of(odoo, "res.partner", id(answer)).await, crowd.named(n));
    }
    assert_eq!(crowd.seen("res.partner/create"), 3);
}

#[tokio::test]
async fn when_the_answer_for_several_is_lost_each_finds_its_record_and_none_is_made_twice() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    let calls = (0..5).map(|n| partner(json!({"name": crowd.named(n)}))).collect();
    let answers = crowd.together_with("res.partner/create", calls, |_| Fault::ResetAfter).await;
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(name_of(odoo, "res.partner", id(answer)).await, crowd.named(n));
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "like", crowd.name]])).await, 6);
}

#[tokio::test]
async fn when_it_cannot_be_told_whose_record_is_whose_nobody_gets_anothers() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    let calls = (0..3).map(|n| partner(json!({"name": crowd.named(n)}))).collect();
    // One id too few for the two.
    let few = Fault::Answer { status: "200 OK", body: "[1]".to_owned() };
    let answers = crowd.together_with("res.partner/create", calls, move |_| few.clone()).await;
    assert_eq!(outcome(&answers[0]), "ok");
    for answer in &answers[1..] {
        let words = answer.json["error"]["message"].as_str().unwrap();
        assert!(words.contains("cannot be told from them"), "{words}");
    }
}

#[tokio::test]
async fn a_caller_that_hangs_up_takes_nothing_from_the_others_and_its_record_is_made() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    let (reached, release): (Arc<Notify>, Arc<Notify>) = Default::default();
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    crowd.proxy.run(move |number, _| if number == 0 { hold.clone() } else { Fault::Pass });
    let spawn = |n: usize| {
        let (client, name) = (crowd.client.clone(), crowd.named(n));
        let body = json!({"model": "res.partner", "vals": {"payload": {"name": name}}}).to_string();
        tokio::spawn(async move { client.post("create_data", body).await })
    };
    let first = spawn(0);
    reached.notified().await;
    // The next one leads those that follow.
    let leader = spawn(1);
    poll_for(async || crowd.waiting().await == 1.0).await;
    let others = [spawn(2), spawn(3)];
    poll_for(async || crowd.waiting().await == 3.0).await;
    leader.abort();
    first.abort();
    release.notify_one();
    for (n, other) in others.into_iter().enumerate() {
        assert_eq!(name_of(odoo, "res.partner", id(&other.await.unwrap())).await, crowd.named(n + 2));
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "like", crowd.name]])).await, 5);
}

#[tokio::test]
async fn lookups_by_the_same_field_are_one_query_and_each_finds_its_own() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    let codes = ["BE", "FR", "DE", "XX", "NL", "BE"];
    let call = |n: usize| {
        let payload = json!({"name": crowd.named(n), "country_id": {"code": codes[n]}});
        create("res.partner", json!({"payload": payload, "strict": true}))
    };
    assert_eq!(outcome(&crowd.create(json!({"name": crowd.named("x"), "country_id": {"code": "BE"}})).await), "ok");
    let answers = crowd.together("res.country/search_read", (0..codes.len()).map(call).collect()).await;
    // The first, that of all others, and one for what is near to the code that there is not.
    assert_eq!(crowd.seen("res.country/search_read"), 3, "{:?}", crowd.proxy.seen());
    for (code, answer) in codes.iter().zip(&answers) {
        if *code == "XX" {
            assert_ne!(outcome(answer), "ok");
            continue;
        }
        let read = json!([[id(answer)], ["country_code"]]);
        let record = &odoo.call("res.partner", "read", read, json!({})).await.unwrap()[0];
        assert_eq!(record["country_code"], *code);
    }
}

#[tokio::test]
async fn equal_reads_that_wait_are_answered_by_one() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "").await;
    let vals = json!({"payload": {"search_field": ["code"], "search_domain": [["code", "=", "BE"]]}});
    let call = |_| ("search_data", json!({"model": "res.country", "vals": vals}));
    let read = "res.country/search_read";
    let answers = crowd.together(read, (0..8).map(call).collect()).await;
    assert!(answers.iter().all(|answer| answer.json["result"]["result"][0]["code"] == "BE"), "{answers:?}");
    assert_eq!(crowd.seen(read), 2);
    // What goes wrong for one is tried by each.
    let answers = crowd.together_with(read, (0..3).map(call).collect(), |number| match number {
        1 => Fault::Answer { status: "422 Unprocessable Entity", body: REFUSED.to_owned() },
        _ => Fault::Pass,
    });
    assert_eq!(answers.await.iter().map(outcome).collect::<Vec<_>>(), ["ok", "user_error", "ok"]);
    assert_eq!(crowd.seen(read), 3);
}

#[tokio::test]
async fn with_batch_off_each_call_is_by_itself() {
    let odoo = odoo().await;
    let crowd = Crowd::before(odoo, "batch = false").await;
    let answers = future::join_all((0..5).map(|n| crowd.create(json!({"name": crowd.named(n)})))).await;
    assert!(answers.iter().all(|answer| outcome(answer) == "ok"), "{answers:?}");
    assert_eq!(crowd.gateway.metrics().await.get("odoo_gateway_shared_total{what=\"create\"}"), None);
}

/// A user who may create contacts of a kind and read none of them: its client.
async fn writer_without_reading(odoo: &Odoo, crowd: &Crowd) -> Client {
    let login = format!("writer-{}", Uuid::new_v4().simple());
    let model = odoo.call("ir.model", "search", json!([[["model", "=", "res.partner.category"]]]), json!({})).await;
    let group = odoo.create("res.groups", json!({"name": login})).await;
    let rights = json!({"name": login, "model_id": model.unwrap()[0], "group_id": group, "perm_create": true,
        "perm_read": false, "perm_write": false, "perm_unlink": false});
    odoo.create("ir.model.access", rights).await;
    // No group but this one: those of employees may read tags.
    let user = json!({"name": login, "login": login, "password": login, "group_ids": [[6, 0, [group]]]});
    odoo.create("res.users", user).await;
    Client::with_login(&crowd.gateway, &login, &login)
}

#[tokio::test]
async fn records_of_a_user_who_cannot_read_them_are_made_one_by_one_and_none_is_in_doubt() {
    let odoo = odoo().await;
    let mut crowd = Crowd::before(odoo, "").await;
    crowd.client = writer_without_reading(odoo, &crowd).await;
    let call = |n: usize| create("res.partner.category", json!({"payload": {"name": crowd.named(n)}}));
    for first in [0, 12] {
        let answers = match first {
            0 => crowd.together("res.partner.category/create", (0..12).map(call).collect()).await,
            _ => future::join_all((first..first + 12).map(|n| crowd.post(call(n)))).await,
        };
        for (n, answer) in answers.iter().enumerate() {
            assert_eq!(name_of(odoo, "res.partner.category", id(answer)).await, crowd.named(first + n));
        }
    }
    assert_eq!(crowd.seen("res.partner.category/create"), 24);
    assert_eq!(odoo.search_count("res.partner.category", json!([["name", "like", crowd.name]])).await, 24);
}
