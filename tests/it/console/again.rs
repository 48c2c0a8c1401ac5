//! Calls that are run again in the console: one, edited, dry, by a double click; many with progress; and calls in doubt.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client},
    console::{Console, Page, console_user},
    fault::{Fault, FaultProxy},
    gateway::{CHANGED, Gateway, SETTLES_AT_ONCE, new_client},
    odoo::odoo,
    poll_for,
};

/// A gateway with the client `webshop` and an operator `olga`; that client, and the operator signed in.
async fn with_operator(url: &str, more: &str) -> (Gateway, Client, Console) {
    let odoo = odoo().await;
    let (token, user) = console_user("olga", "operator");
    let (_, reader) = console_user("rita", "read");
    let (key, entry) = new_client("webshop");
    let entry = format!("{entry}odoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n", odoo.login);
    let more = format!("{more}\n{entry}{user}{reader}");
    let gateway = Gateway::before_with(url, &odoo.database, &more, &[("ODOO_KEY", &odoo.key)]);
    let client = Client::with_header(&gateway, "x-api-key", &key);
    let console = Console::with_token(&gateway, &token).await;
    (gateway, client, console)
}

fn unique(what: &str) -> String {
    format!("{what} {}", Uuid::new_v4())
}

fn id(answer: &Answer) -> String {
    answer.headers["gateway-call-id"].to_str().unwrap().to_owned()
}

/// A call that fails as long as no contact has this reference.
async fn failing(client: &Client, name: &str, reference: &str) -> String {
    let vals = json!({"payload": {"name": name, "parent_id": {"ref": reference}}});
    let answer = client.post("create_data", json!({"model": "res.partner", "vals": vals}).to_string()).await;
    assert_eq!(answer.json["result"]["error"]["code"], "no_match", "{answer:?}");
    id(&answer)
}

/// The value of a field of a form.
fn field<'p>(page: &'p Page, name: &str) -> &'p str {
    let (_, rest) =
        page.text.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("{name}: {page:?}"));
    rest.split('"').next().unwrap()
}

async fn number_of(name: &str) -> Value {
    odoo().await.search_count("res.partner", json!([["name", "=", name]])).await
}

fn acts(gateway: &Gateway) -> Vec<Value> {
    gateway.lines().into_iter().filter(|line| line["event"] == "operator.acted").collect()
}

#[tokio::test]
async fn a_failed_call_is_planned_edited_and_sent_once_by_a_double_click() {
    let odoo = odoo().await;
    let (gateway, webshop, olga) = with_operator(&odoo.url, "").await;
    let (name, reference) = (unique("again"), Uuid::new_v4().to_string());
    let failed = failing(&webshop, &name, "no such reference").await;
    odoo.create("res.partner", json!({"name": "parent", "ref": reference})).await;
    let path = format!("/calls/{failed}/again");
    let page = olga.get(&path).await;
    page.assert_has("webshop, as recorded");
    page.assert_has("no such reference");

    // As it was, it would fail again; nothing is written.
    let recorded = json!({"payload": {"name": name, "parent_id": {"ref": "no such reference"}}}).to_string();
    let fields = [("number", field(&page, "number")), ("payload", &recorded), ("client", ""), ("do", "dry")];
    let planned = olga.post(&path, &fields).await;
    assert_eq!(planned.status, 303, "{planned:?}");
    let result = olga.get(planned.location()).await;
    result.assert_has("The call would not be carried out");
    result.assert_has("no_match");

    // Edited, the plan shows what would be written, and the payload what was changed.
    let edited = recorded.replace("no such reference", &reference);
    let page = olga.get(&path).await;
    let dry = [("number", field(&page, "number")), ("payload", &edited), ("client", ""), ("do", "dry")];
    let planned = olga.post(&path, &dry).await;
    let result = olga.get(planned.location()).await;
    result.assert_has("Nothing was written");
    result.assert_has("res.partner.create");
    result.assert_has("<del class=\"gone\">");
    result.assert_has("<ins class=\"come\">");
    assert_eq!(number_of(&name).await, 0);
    let (_, dry_run) = planned.location().split_once("sent=").unwrap();
    olga.get(&format!("{path}?from={dry_run}")).await.assert_has(&reference);

    // The same form sent twice runs once, and both get the same answer.
    let page = olga.get(&path).await;
    let send = [("number", field(&page, "number")), ("payload", &edited), ("client", ""), ("do", "send")];
    let (first, second) = tokio::join!(olga.post(&path, &send), olga.post(&path, &send));
    let third = olga.post(&path, &send).await;
    assert_eq!((first.status, first.location()), (303, third.location()), "{first:?}");
    assert!(second.status == 303 && second.location() == first.location(), "{second:?}");
    assert_eq!(number_of(&name).await, 1);
    olga.get(first.location()).await.assert_has("The call was run again: done");

    // The log has it, linked and with the operator's name.
    let (_, new) = first.location().split_once("sent=").unwrap();
    let line = gateway.lines().into_iter().find(|line| line["id"] == new).unwrap();
    assert_eq!((&line["by"], &line["replay_of"], &line["client"]), (&json!("olga"), &json!(failed), &json!("webshop")));
    let acted = acts(&gateway);
    assert_eq!(acted.len(), 1, "{acted:?}");
    let act = &acted[0];
    let told = (&act["action"], &act["by"], &act["role"], &act["of"]);
    assert_eq!(told, (&json!("call.replayed"), &json!("olga"), &json!("operator"), &json!([failed])));
    let exported = gateway.run_json(&["log", "export"]);
    assert!(exported.iter().any(|entry| entry["operator"]["action"] == "call.replayed"), "{exported:?}");
    let (_, shown, _) = gateway.run(&["log", "show", new]);
    assert!(shown.contains("sent by     olga"), "{shown}");
    assert_eq!(gateway.run_json(&["log", "ls", "--json"]).len(), 4);
    let (status, verified, _) = gateway.run(&["log", "verify"]);
    assert!(status == Some(0) && verified.starts_with("sound"), "{verified}");

    // Now that it was repeated with success, it is sent once more by force only.
    let page = olga.get(&path).await;
    page.assert_has("It has been repeated with success");
    let send = [("number", field(&page, "number")), ("payload", &edited), ("client", ""), ("do", "send")];
    let refused = olga.post(&path, &send).await;
    assert_eq!(refused.status, 422);
    refused.assert_has("Tick the box");
    let page = olga.get(&path).await;
    let forced = [("number", field(&page, "number")), ("payload", &edited), ("force", "1"), ("do", "send")];
    assert_eq!(olga.post(&path, &forced).await.status, 303);
    assert_eq!(number_of(&name).await, 2);
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_and_readers_and_strangers_send_nothing() {
    let odoo = odoo().await;
    let (gateway, _, olga) = with_operator(&odoo.url, "").await;
    let own = Client::with_bearer(&gateway).await;
    let failed = failing(&own, "own credential", "no such reference").await;
    let path = format!("/calls/{failed}/again");
    let page = olga.get(&path).await;
    page.assert_has("used a credential of their own");
    let number = field(&page, "number");
    let payload = json!({"payload": {"name": "x"}}).to_string();
    let unknown = olga.post(&path, &[("number", number), ("payload", &payload), ("do", "dry")]).await;
    assert_eq!(unknown.status, 422);
    unknown.assert_has("Choose a client");
    let broken =
        olga.post(&path, &[("number", number), ("payload", "{\"a\":"), ("client", "webshop"), ("do", "dry")]).await;
    assert_eq!(broken.status, 422);
    broken.assert_has("The payload is not JSON");
    let fields = [("number", number), ("payload", &*payload), ("client", "webshop"), ("do", "dry")];

    let rita = Console::with_token(&gateway, "the token of rita").await;
    rita.get(&path).await.assert_has("An operator can run this call again");
    assert_eq!(rita.post(&path, &fields).await.status, 403);
    let forged = olga.send_form(&path, &[&fields[..], &[("csrf", "forged")]].concat()).await;
    assert_eq!(forged.status, 403);
    // The form is still good, and plans the call as the client.
    let planned = olga.post(&path, &fields).await;
    assert_eq!(planned.status, 303, "{planned:?}");
    olga.get(planned.location()).await.assert_has("Nothing was written");
    // A form that the console has not made begins nothing.
    let made_up = olga.post(&path, &[&[("number", "0")][..], &fields[1..]].concat()).await;
    assert_eq!(made_up.status, 409);
    assert!(acts(&gateway).is_empty());
    let refused = Client::nobody(&gateway).post("create_data", "{bad").await;
    let refused = olga.get(&format!("/calls/{}/again", id(&refused))).await;
    refused.assert_has("cannot be run again");
    refused.assert_lacks("--");
    assert_eq!(olga.get("/calls/0/again").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_a_filter_are_sent_again_with_progress_and_stopped() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (gateway, webshop, olga) = with_operator(&proxy.url, "").await;
    let (name, reference) = (unique("many"), Uuid::new_v4().to_string());
    for _ in 0..6 {
        failing(&webshop, &name, &reference).await;
    }
    let other = failing(&webshop, &name, "still missing").await;
    odoo.create("res.partner", json!({"name": "parent", "ref": reference})).await;
    let page = olga.get("/again?error=no_match").await;
    let page = if page.status == 303 { olga.get(page.location()).await } else { page };
    page.assert_has("7 calls can be sent");
    page.assert_has(&other);

    // Dry: nothing is written.
    let form = |page: &Page, what: &'static str| {
        let fields = ["number", "state", "error", "until"].map(|name| (name, field(page, name).to_owned()));
        fields.into_iter().chain([("do", what.to_owned())]).collect::<Vec<_>>()
    };
    let post = async |fields: Vec<(&'static str, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        olga.post("/again", &fields).await
    };
    let dry = post(form(&page, "dry")).await;
    assert_eq!(dry.status, 303, "{dry:?}");
    let mut events = olga.events(&format!("{}/events", dry.location())).await;
    let told = events.until("event: end").await;
    assert!(told.contains("all calls have had their turn"), "{told}");
    assert!(events.ended().await);
    assert_eq!(number_of(&name).await, 0);

    // The third write is held until the work is stopped.
    let (reached, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hold = (reached.clone(), release.clone());
    let writes = std::sync::atomic::AtomicUsize::new(0);
    proxy.run(move |_, rpc| match rpc {
        "res.partner/create" if writes.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 2 => {
            Fault::Hold { reached: hold.0.clone(), release: hold.1.clone() }
        }
        _ => Fault::Pass,
    });
    let page = olga.get("/again?state=failed&error=no_match").await;
    let begun = post(form(&page, "send")).await;
    assert_eq!(begun.status, 303, "{begun:?}");
    reached.notified().await;
    let again = olga.get("/again?state=failed&error=no_match").await;
    let refused = post(form(&again, "send")).await;
    assert_eq!(refused.status, 409);
    refused.assert_has("You have another one under way");
    let stopped = olga.post(&format!("{}/stop", begun.location()), &[]).await;
    assert_eq!(stopped.status, 303);
    release.notify_one();
    let mut events = olga.events(&format!("{}/events", begun.location())).await;
    assert!(events.until("event: end").await.contains("it was stopped"));
    assert_eq!(number_of(&name).await, 3);
    let work = olga.get(begun.location()).await;
    work.assert_has("Ended");
    work.assert_has("new call");

    // What is left is sent by another work; one call still fails.
    proxy.run(|_, _| Fault::Pass);
    let page = olga.get("/again?state=failed&error=no_match").await;
    // The dry run that would fail is none of them.
    page.assert_has("4 calls can be sent");
    let begun = post(form(&page, "send")).await;
    let mut events = olga.events(&format!("{}/events", begun.location())).await;
    let told = events.until("event: end").await.to_owned();
    assert!(told.contains("no_match") && told.contains("refused again"), "{told}");
    assert_eq!(number_of(&name).await, 6);
    let told: Vec<(String, Value)> =
        acts(&gateway).iter().map(|act| (act["action"].as_str().unwrap().to_owned(), act["number"].clone())).collect();
    let expected = [("started", 7), ("ended", 3), ("started", 4), ("ended", 4)];
    assert_eq!(told, expected.map(|(what, number)| (format!("replay.{what}"), json!(number))));
    assert!(
        acts(&gateway).iter().all(|act| act["by"] == "olga" && act["filter"].as_str().unwrap().contains("no_match"))
    );
    let repeated = gateway.run_json(&["log", "ls", "--json", "--state", "done", "--model", "res.partner"]);
    assert_eq!(repeated.iter().filter(|call| call["replay_of"].is_string()).count(), 6, "{repeated:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_work_goes_on_over_a_reload_and_ends_when_the_gateway_stops() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (gateway, webshop, olga) = with_operator(&proxy.url, "").await;
    let (name, reference) = (unique("stop"), Uuid::new_v4().to_string());
    for _ in 0..3 {
        failing(&webshop, &name, &reference).await;
    }
    odoo.create("res.partner", json!({"name": "parent", "ref": reference})).await;
    let (reached, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hold = (reached.clone(), release.clone());
    let writes = std::sync::atomic::AtomicUsize::new(0);
    proxy.run(move |_, rpc| match rpc {
        "res.partner/create" if writes.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1 => {
            Fault::Hold { reached: hold.0.clone(), release: hold.1.clone() }
        }
        _ => Fault::Pass,
    });
    gateway.signal("HUP");
    poll_for(async || gateway.metrics().await.iter().any(|(name, value)| name.contains("reload") && *value > 0.0))
        .await;
    let page = olga.get("/again?state=failed").await;
    let fields = [("number", field(&page, "number")), ("state", "failed"), ("do", "send")];
    assert_eq!(olga.post("/again", &fields).await.status, 303);
    reached.notified().await;
    gateway.terminate();
    release.notify_one();
    let (status, said, folder) = gateway.ended().await;
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(number_of(&name).await, 2);
    let lines = crate::support::gateway::all_lines(folder.path());
    let ended = lines.iter().find(|line| line["action"] == "replay.ended").unwrap();
    assert_eq!((&ended["number"], &ended["why"]), (&json!(2), &json!("the gateway was stopped")), "{ended}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_doubt_is_looked_up_and_settled() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let (gateway, webshop, olga) = with_operator(&proxy.url, SETTLES_AT_ONCE).await;
    proxy.run(|_, rpc| if rpc.contains("/create") { Fault::ResetAfter } else { Fault::Pass });
    let name = unique("doubt");
    let vals = json!({"payload": {"name": name, "website": CHANGED}});
    let lost = webshop.post("create_data", json!({"model": "res.partner", "vals": vals}).to_string()).await;
    proxy.run(|_, _| Fault::Pass);
    let path = format!("/calls/{}/settle", id(&lost));
    let page = olga.get(&path).await;
    page.assert_has(&name);
    page.assert_has("create_date");
    olga.get(&format!("/calls/{}/again", id(&lost))).await.assert_has("Run it again all the same");
    let silent = olga.post(&path, &[("outcome", "failed")]).await;
    assert_eq!(silent.status, 422);
    silent.assert_has("Say how it is known");
    let rita = Console::with_token(&gateway, "the token of rita").await;
    assert_eq!(rita.post(&path, &[("outcome", "done")]).await.status, 403);
    let found = odoo.call("res.partner", "search", json!([[["name", "=", name]]]), json!({})).await.unwrap();
    let record = found[0].to_string();
    let settled = olga.post(&path, &[("outcome", "done"), ("records", &record), ("why", "found by name")]).await;
    assert_eq!((settled.status, settled.location()), (303, &*format!("/calls/{}", id(&lost))));
    let call = gateway.run_json(&["log", "ls", "--json"]).remove(0);
    assert_eq!((&call["state"], &call["settled"]["by"]), (&json!("done"), &json!("olga")), "{call}");
    let act = acts(&gateway).pop().unwrap();
    assert_eq!(
        (&act["action"], &act["why"], &act["of"]),
        (&json!("call.settled"), &json!("found by name"), &json!([id(&lost)]))
    );
    let twice = olga.post(&path, &[("outcome", "done")]).await;
    assert_eq!(twice.status, 422);
    twice.assert_has("it was settled already, by olga");
}
