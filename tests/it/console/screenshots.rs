//! Pictures of the console for README and docs/console.md: made where they are asked for, of a gateway that has had an hour of
//! calls.
//!
//!     ODOO_GATEWAY_WRITE_SCREENSHOTS=/tmp/all cargo test --test it -- console::screenshots
//!
//! writes all of them to that folder, and those that the documentation shows to docs/images.

use std::{env, fs, path::Path};

use serde_json::{Value, json};

use super::lively::Lively;
use crate::support::{
    browser::Browser,
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::odoo,
};

/// What documentation shows, as `docs/images/console-NAME.png`.
const SHOWN: [&str; 7] = [
    "overview-1280-light",
    "overview-390-dark",
    "calls-1280-light",
    "failed-1280-dark",
    "diff-1280-light",
    "docs-1280-light",
    "calls-390-light",
];
/// A picture ends here.
const HEIGHT: u32 = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_made_where_they_are_asked_for() {
    let Some(folder) = env::var_os("ODOO_GATEWAY_WRITE_SCREENSHOTS") else { return };
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).unwrap();
    let lively = after_an_hour().await;
    let browser = Browser::start().await;
    lively.sign_in(&browser, &lively.operator).await;
    let base = &lively.gateway.admin;
    let failed = lively.failed("record_not_found");
    browser.open(&format!("{base}/calls/{failed}/again")).await;
    let mended = json!({"payload": {"name": "Brouwerij De Kroon", "ref": "C-1007", "country_id": {"code": "BE"}}});
    browser.replace("#payload", &serde_json::to_string_pretty(&mended).unwrap()).await;
    browser.click("button[value=dry]").await;
    browser.see(".diff").await;
    let diff = browser.script("return location.pathname + location.search").await;
    let pages = [
        ("overview", "/".to_owned()),
        ("calls", "/calls".to_owned()),
        ("failed", format!("/calls/{failed}")),
        ("again", format!("/calls/{failed}/again")),
        ("diff", diff.as_str().unwrap().to_owned()),
        ("many", "/again?state=failed".to_owned()),
        ("queue", "/queue?state=dead".to_owned()),
        ("clients", "/clients".to_owned()),
        ("client", "/clients/webshop".to_owned()),
        ("hooks", "/hooks".to_owned()),
        ("hook", "/hooks/crm".to_owned()),
        ("docs", "/docs?model=res.partner&client=webshop".to_owned()),
    ];
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    fs::create_dir_all(&images).unwrap();
    for (name, path) in &pages {
        browser.open(&format!("{base}{path}")).await;
        for (width, is_dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
            browser.look(width, is_dark).await;
            let name = format!("{name}-{width}-{}", if is_dark { "dark" } else { "light" });
            let picture = browser.picture(HEIGHT).await;
            fs::write(folder.join(format!("{name}.png")), &picture).unwrap();
            if SHOWN.contains(&&*name) {
                fs::write(images.join(format!("console-{name}.png")), &picture).unwrap();
            }
        }
    }
}

/// A gateway whose calls came within the last hour: what happened at once is put back in time, in the log of a gateway that has
/// stopped.
async fn after_an_hour() -> Lively {
    let odoo = odoo().await;
    let proxy = FaultProxy::start(&odoo.url).await;
    let lively = Lively::before(&proxy.url, odoo);
    lively.live().await;
    for number in 0..140_usize {
        busy(&lively, number).await;
    }
    let _ = (Fault::LoseAnswer, &proxy);
    lively
}

async fn busy(lively: &Lively, number: usize) {
    let country = if number % 11 == 7 { "Belgium" } else { "BE" };
    let customer = json!({
        "name": format!("Brouwerij De Kroon {number}"), "ref": format!("C-{}", 1000 + number), "country_id": {"code": country},
    });
    let vals = json!({"payload": customer, "search_key": {"ref": customer["ref"]}});
    match number % 7 {
        0 | 3 => lively.webshop.call("create_data", "res.partner", json!({"payload": customer})).await,
        5 => lively.webshop.call("search_data", "res.partner", json!({"payload": [["ref", "=", customer["ref"]]]})).await,
        _ => lively.webshop.call("create_update_data", "res.partner", vals).await,
    };
}

#[expect(dead_code, reason = "used by what follows")]
fn shifted(_: &Gateway, _: &Value) {}
