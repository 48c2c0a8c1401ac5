//! Pictures of the console for README and docs/console.md, of a gateway that has had an hour of calls. They are made where they are
//! asked for:
//!
//!     cargo test --test it -- --ignored console::screenshots
//!
//! writes those that the documentation shows to docs/images, and all of them to the folder ODOO_GATEWAY_WRITE_SCREENSHOTS, where
//! that is set.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::lively::Lively;
use crate::support::browser::Browser;

/// The pages that the documentation shows, as `docs/images/console-PAGE-WIDTH-THEME.webp`.
const SHOWN: [&str; 5] = ["overview", "calls", "failed", "diff", "docs"];
/// A picture ends here.
const HEIGHT: u32 = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it writes into docs/images"]
async fn pictures_are_made_where_they_are_asked_for() {
    let folder = env::var_os("ODOO_GATEWAY_WRITE_SCREENSHOTS").map(PathBuf::from);
    folder.iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
    let lively = after_an_hour().await;
    let browser = Browser::start().await;
    lively.sign_in(&browser, &lively.operator).await;
    let base = &lively.gateway.admin;
    // One of the last hour, which a person mends.
    let failed = lively.failed_of("webshop", "no_match");
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
            let file = format!("console-{name}-{width}-{}.webp", if is_dark { "dark" } else { "light" });
            let picture = browser.picture(HEIGHT).await;
            if let Some(folder) = &folder {
                fs::write(folder.join(&file), &picture).unwrap();
            }
            if SHOWN.contains(name) {
                fs::write(images.join(&file), &picture).unwrap();
            }
        }
    }
}

/// A gateway whose calls came within the last hour: what happened at once is put back in time, in the log of a gateway that has
/// stopped, and a few more calls come after it.
async fn after_an_hour() -> Lively {
    let lively = Lively::start().await;
    for number in 0..160 {
        busy(&lively, number).await;
    }
    let lively = lively.after(put_back).await;
    lively.live().await;
    lively
}

async fn busy(lively: &Lively, number: usize) {
    let country = if number % 13 == 7 { "Belgium" } else { "BE" };
    let customer = json!({
        "name": format!("Brouwerij De Kroon {number}"), "ref": format!("C-{}", 1000 + number), "country_id": {"code": country},
    });
    let search = json!({"payload": {"search_domain": [["ref", "=", customer["ref"]]], "search_field": ["name"]}});
    let update = json!({"payload": customer, "search_key": {"ref": customer["ref"]}});
    match number % 7 {
        0 | 3 => lively.webshop.call("create_data", "res.partner", json!({"payload": customer})).await,
        5 => lively.webshop.call("search_data", "res.partner", search).await,
        6 if number.is_multiple_of(3) => {
            lively.webshop.call("create_data", "account.move", json!({"payload": {"ref": "x"}})).await
        }
        _ => lively.webshop.call("create_update_data", "res.partner", update).await,
    };
}

/// Spreads the calls of this log over the hour before now. A line ends with a checksum of what is before it.
fn put_back(log: &Path) {
    let file = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "jsonl")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut calls: Vec<String> = Vec::new();
    for line in lines.iter().filter(|line| line["event"] == "call.received") {
        calls.push(line["id"].as_str().unwrap().to_owned());
    }
    let mut written = String::new();
    for line in &mut lines {
        let place = line["id"].as_str().and_then(|id| calls.iter().position(|call| call == id));
        if let Some(place) = place {
            let ts: Timestamp = line["ts"].as_str().unwrap().parse().unwrap();
            // More come in the middle of the hour than at its ends.
            let part = (calls.len() - place) as f64 / calls.len() as f64;
            let part = part + 0.12 * (part * 4.0 * std::f64::consts::PI).sin() / std::f64::consts::PI;
            line["ts"] = json!(ts - SignedDuration::from_secs_f64(3_480.0 * part.clamp(0.0, 1.0)));
        }
        line.as_object_mut().unwrap().shift_remove("crc");
        let content = line.to_string();
        let content = content.strip_suffix('}').unwrap();
        written += &format!("{content},\"crc\":\"{:08x}\"}}\n", crc32fast::hash(content.as_bytes()));
    }
    fs::write(file, written).unwrap();
}
