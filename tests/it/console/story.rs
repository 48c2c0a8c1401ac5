//! What a person does in the console, in a real browser: a failing call comes in, is mended and succeeds; a hundred are repeated;
//! a dead one is revived; a call is tried from the API's documentation.

use serde_json::{Value, json};

use super::lively::Lively;
use crate::support::{
    browser::{Browser, ENTER, SPACE},
    odoo::{Odoo, odoo},
};

const MANY: usize = 100;
/// More connections of one address are turned away.
const AT_ONCE: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_mends_what_failed_and_nothing_breaks_the_policy_of_the_pages() {
    let lively = Lively::start().await;
    let browser = Browser::start().await;
    let base = lively.gateway.admin.clone();

    signs_in(&lively, &browser).await;
    a_failing_call_is_mended_by_keyboard_alone(&lively, &browser).await;
    a_hundred_calls_are_repeated(&lively, &browser).await;
    a_dead_call_is_revived(&lively, &browser).await;
    a_call_is_tried_from_the_documentation(&lively, &browser).await;
    signs_out(&browser, &base).await;

    // A page that is refused is reported, too, as this person expects.
    let is_expected = |report: &&String| ["status of 401", "status of 422"].iter().any(|words| report.contains(words));
    let reports: Vec<String> = browser.reports().await;
    let broken: Vec<_> = reports.iter().filter(|report| !is_expected(report)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let requests = browser.quit().await.requests;
    let strays: Vec<_> = requests.iter().filter(|request| !request.url.starts_with(&base)).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

async fn signs_in(lively: &Lively, browser: &Browser) {
    browser.open(&format!("{}/calls", lively.gateway.admin)).await;
    browser.type_into("#token", "a wrong one").await;
    browser.press(ENTER).await;
    browser.read("[role=alert]", "This token is not known").await;
    browser.type_into("#token", &lively.operator).await;
    browser.press(ENTER).await;
    // The way leads on to where the person wanted to be.
    browser.read("#live-status", "Live").await;
    browser.read("form.person", "anna").await;
}

/// The parent is missing in Odoo; the person names another one.
async fn a_failing_call_is_mended_by_keyboard_alone(lively: &Lively, browser: &Browser) {
    let odoo = odoo().await;
    let (name, parent) = (lively.name("Mended"), lively.name("Parent"));
    let parent_id = odoo.create("res.partner", json!({"name": parent, "is_company": true})).await;
    let vals = json!({"payload": {"name": name, "parent_id": {"name": lively.name("Parrent")}}});
    lively.webshop.call("create_data", "res.partner", vals).await;
    let failed = lively.failed("no_match");
    let row = format!("tr[data-key='{failed}']");
    browser.read(&row, "no_match").await;

    browser.tab_to(&format!("{row} .when a")).await;
    browser.press(ENTER).await;
    browser.read(".notice.error", "no_match").await;
    browser.tab_to("main a[href$='/again#payload']").await;
    browser.press(ENTER).await;
    browser.see("#payload").await;
    let mended = json!({"payload": {"name": name, "parent_id": {"name": parent}}});
    browser.replace("#payload", &mended.to_string()).await;
    browser.tab_to("button[value=dry]").await;
    browser.press(ENTER).await;
    browser.read("main", "could be planned").await;
    browser.read(".diff .gone", "Parrent").await;
    assert_eq!(contacts(odoo, &name).await, json!(0));

    browser.tab_to("main a[href*='from=']").await;
    browser.press(ENTER).await;
    browser.read("#payload", &parent).await;
    browser.tab_to("button[value=send]").await;
    browser.press(ENTER).await;
    browser.read("main", "was run again: done").await;
    let made = odoo.call("res.partner", "search_read", json!([[["name", "=", name]], ["parent_id"]]), json!({})).await;
    assert_eq!(made.unwrap()[0]["parent_id"][0], json!(parent_id));

    // The log links both calls, and has the person's name.
    let log = lively.gateway.lines();
    let again = log.iter().rev().find(|line| line["event"] == "call.received").unwrap();
    assert_eq!((&again["replay_of"], &again["by"]), (&json!(failed), &json!("anna")), "{again}");
    let again = again["id"].as_str().unwrap();
    browser.open(&format!("{}/calls/{again}", lively.gateway.admin)).await;
    browser.see(&format!("main a[href='/calls/{failed}']")).await;
    browser.open(&format!("{}/calls/{failed}", lively.gateway.admin)).await;
    browser.see(&format!("main a[href='/calls/{again}']")).await;
}

/// What they all refer to is missing, and is then there.
async fn a_hundred_calls_are_repeated(lively: &Lively, browser: &Browser) {
    let odoo = odoo().await;
    let (parent, name) = (lively.name("Late parent"), lively.name("One of many"));
    let fail = |number: usize| {
        let payload = json!({"name": name, "ref": format!("{}-m{number}", lively.run), "parent_id": {"name": parent}});
        lively.webshop.call("create_data", "res.partner", json!({"payload": payload}))
    };
    for first in (0..MANY).step_by(AT_ONCE) {
        futures_util::future::join_all((first..first + AT_ONCE).map(fail)).await;
    }
    let ends = lively.gateway.log();
    let failed = ends.iter().filter(|line| line["vals"]["payload"]["name"] == name && line["state"] == "failed");
    assert_eq!(failed.count(), MANY);
    odoo.create("res.partner", json!({"name": parent})).await;

    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("text", &parent)
        .append_pair("state", "failed")
        .finish();
    browser.open(&format!("{}/calls?{query}", lively.gateway.admin)).await;
    browser.click("main a[href^='/again?']").await;
    browser.read("main", &format!("Run {MANY} again")).await;
    browser.click("form[action='/again'] button[value=send]").await;
    browser.see("progress").await;
    browser.read("#work [role=status]", "Ended").await;
    let bar = browser.script("const bar = document.querySelector('progress'); return [bar.value, bar.max]").await;
    assert_eq!(bar, json!([MANY, MANY]));
    assert_eq!(contacts(odoo, &name).await, json!(MANY));
}

async fn a_dead_call_is_revived(lively: &Lively, browser: &Browser) {
    let odoo = odoo().await;
    let (parent, name) = (lively.name("Absent parent"), lively.name("Revived"));
    let vals = json!({"payload": {"name": name, "parent_id": {"name": parent}}});
    let id = lively.queue("create_data", "res.partner", &vals).await;
    lively.dead(1).await;
    odoo.create("res.partner", json!({"name": parent})).await;

    browser.open(&format!("{}/queue?state=dead", lively.gateway.admin)).await;
    browser.tab_to(&format!("input[type=checkbox][value='{id}']")).await;
    browser.press(SPACE).await;
    browser.click("form[action='/queue/retry'] button:not([name]):not([formaction])").await;
    let is_there = async || {
        let there = contacts(odoo, &name).await;
        if there == json!(1) { Ok(()) } else { Err(format!("there are {there}")) }
    };
    browser.until("the contact of the revived call", is_there).await;
    let acted = lively.gateway.lines();
    let acted: Vec<&Value> = acted.iter().filter(|line| line["by"] == "anna").collect();
    assert!(acted.iter().any(|line| line.to_string().contains(&id)), "{acted:?}");
}

async fn a_call_is_tried_from_the_documentation(lively: &Lively, browser: &Browser) {
    let odoo = odoo().await;
    let name = lively.name("Tried in the docs");
    browser.open(&format!("{}/docs?model=res.partner&client=webshop", lively.gateway.admin)).await;
    browser.replace("#try-vals", &json!({"payload": {"name": name}}).to_string()).await;
    browser.click("#try button[value=dry]").await;
    browser.read("#tried", "The plan").await;
    assert_eq!(contacts(odoo, &name).await, json!(0));
    browser.click("#tried input[name=sure]").await;
    browser.click("#tried button.danger").await;
    browser.read("#tried", "What came of it").await;
    assert_eq!(contacts(odoo, &name).await, json!(1));
}

async fn signs_out(browser: &Browser, base: &str) {
    browser.click("form.person button").await;
    browser.see("#token").await;
    browser.open(&format!("{base}/calls")).await;
    browser.see("#token").await;
}

async fn contacts(odoo: &Odoo, name: &str) -> Value {
    odoo.search_count("res.partner", json!([["name", "=", name]])).await
}
