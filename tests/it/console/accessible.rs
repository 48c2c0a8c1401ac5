//! Every page of the console, looked at by axe-core: in both themes, on a wide screen and on a phone.

use std::{fs, path::Path, process::Command};

use serde_json::json;

use super::lively::Lively;
use crate::support::browser::Browser;

/// Rules of WCAG 2.1, levels A and AA, and those that axe-core calls best practice.
const RUN: &str = "return axe.run(document, {resultTypes: ['violations'], ...OPTIONS}).then((found) => found.violations\
    .filter((rule) => ['serious', 'critical'].includes(rule.impact))\
    .map((rule) => rule.id + ': ' + rule.nodes.map((node) => node.target.join(' ') + ' (' + node.failureSummary + ')').join('; ')))";
const ALL: &str = "{}";
const COLOURS: &str = "{runOnly: ['color-contrast']}";
/// A page that is wider than its screen has to be moved sideways to be read.
const WIDER: &str = "const root = document.documentElement; return root.scrollWidth - root.clientWidth";

#[tokio::test]
async fn no_page_has_a_serious_finding_of_axe_in_either_theme() {
    let lively = Lively::start().await;
    lively.live().await;
    let axe = axe();
    let browser = Browser::start().await;
    let base = &lively.gateway.admin;
    let mut found = Vec::new();
    browser.open(&format!("{base}/signin")).await;
    found.extend(findings(&browser, &axe, "/signin").await);
    lively.sign_in(&browser, &lively.operator).await;
    for path in lively.pages().await {
        browser.open(&format!("{base}{path}")).await;
        found.extend(findings(&browser, &axe, &path).await);
    }
    for (path, button, result) in
        [("/hooks/crm", "#try button.primary", "#result"), ("/docs", "#try button.primary", "#tried")]
    {
        browser.open(&format!("{base}{path}")).await;
        browser.click(button).await;
        browser.see(result).await;
        found.extend(findings(&browser, &axe, result).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The text of axe-core, which is installed where it is missing.
pub(super) fn axe() -> String {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let run = Command::new(programs).arg("axe").output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    fs::read_to_string(String::from_utf8(run.stdout).unwrap().trim()).unwrap()
}

/// What axe-core finds on the page that is open.
async fn findings(browser: &Browser, axe: &str, page: &str) -> Vec<String> {
    let mut all = Vec::new();
    browser.script(axe).await;
    // Of a page at the same width, the other theme changes nothing but colours.
    for (width, is_dark, options) in
        [(1280, false, ALL), (1280, true, COLOURS), (390, false, COLOURS), (390, true, ALL)]
    {
        browser.look(width, is_dark).await;
        let place = format!("{page} at {width}, {}", if is_dark { "dark" } else { "light" });
        let wider = browser.script(WIDER).await;
        if wider != json!(0) {
            all.push(format!("{place}: it is {wider} pixels wider than the screen"));
        }
        let found = browser.script(&RUN.replace("OPTIONS", options)).await;
        let found = found.as_array().unwrap_or_else(|| panic!("{place}: {found}"));
        all.extend(found.iter().map(|rule| format!("{place}: {}", rule.as_str().unwrap_or_default())));
    }
    all
}
