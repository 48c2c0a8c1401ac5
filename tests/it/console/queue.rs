//! The queue in the console: what it shows, a dead call that is revived, calls that are dropped, a queue that is paused.

use std::time::Duration;

use odoo_gateway::store::{Filter, NewCall, Place, Spans, State, Store};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    console::{Console, console_user},
    gateway::{Gateway, new_client},
    odoo::odoo,
    poll_for,
};

const SPANS: Spans = Spans {
    lease: Duration::from_secs(30),
    keep: Duration::from_secs(7 * 86_400),
    callback: Duration::from_secs(86_400),
};

fn call(lane: &str, vals: &Value) -> NewCall {
    let request = json!({
        "version": 1, "route": "create_data", "client": "shop", "model": "res.partner",
        "vals": vals, "address": "127.0.0.1", "size": 2,
    });
    NewCall {
        id: Uuid::now_v7(),
        caller: "client shop".to_owned(),
        client: Some("shop".to_owned()),
        key: None,
        digest: [1; 32],
        route: "create_data".to_owned(),
        model: "res.partner".to_owned(),
        request: request.to_string().into_bytes(),
        place: Place::Lane(format!("shop {lane}")),
        keep: None,
        delivery: None,
    }
}

#[tokio::test]
async fn a_dead_call_is_revived_others_are_dropped_and_the_queue_is_paused() {
    let odoo = odoo().await;
    let (token, user) = console_user("olga", "operator");
    let (_, reader) = console_user("rita", "read");
    let (_, entry) = new_client("shop");
    let more = format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n{user}{reader}", odoo.login);
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &more, &[("ODOO_KEY", &odoo.key)]);
    let folder = gateway.config_file().with_file_name("delivery");
    let store = Store::beside_gateway(&folder, SPANS).await.unwrap();
    let (name, reference) = (format!("revived {}", Uuid::new_v4()), Uuid::new_v4().to_string());
    let mut ids = Vec::new();
    for (lane, reference) in [("a", &*reference), ("b", "never there"), ("c", "never there")] {
        let call = call(lane, &json!({"payload": {"name": name, "parent_id": {"ref": reference}}}));
        ids.push(call.id);
        store.accept(call, false).await.unwrap();
    }
    let state = async |id: Uuid| store.find(id).await.unwrap().unwrap().state;
    for id in &ids {
        poll_for(async || state(*id).await == State::Dead).await;
    }
    let olga = Console::with_token(&gateway, &token).await;
    let page = olga.get("/queue?state=dead").await;
    for id in &ids {
        page.assert_has(&id.to_string());
    }
    page.assert_has("no_match");
    page.assert_has("Try all 3 dead calls again");
    // Others still get JSON.
    assert_eq!(gateway.get_admin("/queue").await.1["dead"], 3);

    // What was missing is there now.
    odoo.create("res.partner", json!({"name": "parent", "ref": reference})).await;
    let first = ids[0].to_string();
    let rita = Console::with_token(&gateway, "the token of rita").await;
    rita.get("/queue").await.assert_lacks("Try ticked calls again");
    assert_eq!(rita.post("/queue/retry", &[("id", &first)]).await.status, 403);
    let retried = olga.post("/queue/retry", &[("id", &first), ("here", "/queue?state=dead")]).await;
    assert_eq!(retried.status, 303, "{retried:?}");
    olga.get(retried.location()).await.assert_has("1 call or waiting keys are due now.");
    poll_for(async || state(ids[0]).await == State::Done).await;
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);

    // Calls are dropped once the person has been asked.
    let two = [("id", &*ids[1].to_string()), ("id", &*ids[2].to_string())].map(|(name, id)| (name, id.to_owned()));
    let two: Vec<(&str, &str)> = two.iter().map(|(name, id)| (*name, id.as_str())).collect();
    let asked = olga.post("/queue/drop", &two).await;
    assert_eq!(asked.status, 200);
    asked.assert_has("2 calls will be taken out of the queue for good");
    assert_eq!(state(ids[1]).await, State::Dead);
    let dropped = olga.post("/queue/drop", &[&two[..], &[("confirmed", "1")]].concat()).await;
    assert_eq!(dropped.status, 303, "{dropped:?}");
    let left = store.list(Filter { states: vec![State::Dead], ..Filter::default() }, 0, 10).await.unwrap();
    assert!(left.is_empty());

    // A queue is paused for a reason, which everybody sees, and goes on.
    let elsewhere =
        [("client", "shop"), ("why", "Odoo is being upgraded"), ("here", "https://elsewhere.example/queue")];
    let paused = olga.post("/queue/pause", &elsewhere).await;
    assert!(paused.status == 303 && paused.location().starts_with("/queue?"), "{paused:?}");
    rita.get("/queue").await.assert_has("Odoo is being upgraded");
    assert_eq!(olga.post("/queue/resume", &[("client", "shop")]).await.status, 303);
    rita.get("/queue").await.assert_lacks("Odoo is being upgraded");

    // The command line and the console leave the same record.
    let (status, _, said) = gateway.run(&["queue", "pause", "shop"]);
    assert_eq!(status, Some(0), "{said}");
    let acts: Vec<Value> = gateway.lines().into_iter().filter(|line| line["event"] == "operator.acted").collect();
    let told: Vec<&str> = acts.iter().map(|act| act["action"].as_str().unwrap()).collect();
    assert_eq!(told, ["queue.retried", "queue.dropped", "queue.paused", "queue.resumed", "queue.paused"]);
    assert!(acts[..4].iter().all(|act| act["by"] == "olga" && act["role"] == "operator"), "{acts:?}");
    assert_eq!((&acts[0]["of"], &acts[1]["number"]), (&json!([first]), &json!(2)));
    assert!(acts[2]["why"] == "Odoo is being upgraded" && acts[4]["role"].is_null(), "{acts:?}");
}

#[tokio::test]
async fn a_list_of_the_queue_has_pages() {
    let odoo = odoo().await;
    let (token, user) = console_user("olga", "operator");
    let (_, entry) = new_client("shop");
    let more = format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n{user}", odoo.login);
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, &more, &[("ODOO_KEY", &odoo.key)]);
    let folder = gateway.config_file().with_file_name("delivery");
    let store = Store::beside_gateway(&folder, SPANS).await.unwrap();
    store.pause("shop", Some("for a look")).await.unwrap();
    for _ in 0..60 {
        store.accept(call("one", &json!({"payload": {"name": "waits"}})), false).await.unwrap();
    }
    let olga = Console::with_token(&gateway, &token).await;
    let rows = |text: &str| text.matches("name=\"id\"").count();
    let first = olga.get("/queue?state=queued&client=shop").await;
    assert_eq!(rows(&first.text), 50, "{first:?}");
    let (_, next) = first.text.split_once("class=\"button\" href=\"/queue?").unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let second = olga.get(&format!("/queue?{next}")).await;
    assert_eq!(rows(&second.text), 10, "{second:?}");
}
