//! A person at a browser works in Odoo through the gateway as if it were Odoo itself.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Url;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    browser::Browser,
    gateway::Gateway,
    odoo::{Odoo, odoo},
};

/// False is straight to Odoo: what fails then is not the gateway's doing.
const THROUGH_THE_GATEWAY: bool = true;

#[tokio::test]
async fn a_browser_works_with_odoos_web_client_through_the_gateway() {
    let odoo = odoo().await;
    let gateway = if THROUGH_THE_GATEWAY { Some(Gateway::before_all_of(odoo)) } else { None };
    let base = gateway.as_ref().map_or(&*odoo.url, |gateway| &gateway.url);
    let browser = Browser::start().await;
    log_in(&browser, base, odoo).await;
    let name = format!("Browser {}", Uuid::new_v4());
    let partner = odoo.create("res.partner", json!({"name": name})).await;
    browser.open(&format!("{base}/odoo/res.partner/{partner}")).await;
    browser.read(".o_form_view [name=name] input", &name).await;
    change_a_field(&browser, odoo, partner).await;
    upload_a_file(&browser, odoo, partner).await;
    hear_of_a_message_at_once(&browser, base, odoo, partner).await;
    only_cookies_of(base, &browser).await;

    let requests = browser.quit().await.requests;
    let failed: Vec<_> = requests.iter().filter(|request| request.status >= Some(400)).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let socket = format!("{}/websocket", base.replacen("http", "ws", 1));
    assert!(
        requests.iter().any(|request| request.url.starts_with(&socket) && request.status == Some(101)),
        "{requests:?}"
    );
    let (http, ws) = (format!("{base}/"), format!("{socket}?"));
    let elsewhere = |url: &str| !url.starts_with(&http) && !url.starts_with(&ws) && !url.starts_with("data:");
    let strays: Vec<_> = requests.iter().filter(|request| elsewhere(&request.url)).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

async fn log_in(browser: &Browser, base: &str, odoo: &Odoo) {
    browser.open(&format!("{base}/web/login")).await;
    browser.type_into("input[name=login]", &odoo.login).await;
    browser.type_into("input[name=password]", &odoo.password).await;
    browser.click(".oe_login_form button[type=submit]").await;
    browser.see(".o_main_navbar").await;
    let at = browser.script("return location.href").await;
    assert!(at.as_str().unwrap().starts_with(&format!("{base}/odoo")), "{at}");
}

async fn change_a_field(browser: &Browser, odoo: &Odoo, partner: i64) {
    browser.type_into(".o_form_view [name=phone] input", "+32 2 555 01 02").await;
    browser.click(".o_form_button_save").await;
    let saved = async || {
        let read = odoo.call("res.partner", "read", json!([[partner], ["phone"]]), json!({})).await?;
        if read[0]["phone"] == "+32 2 555 01 02" { Ok(()) } else { Err(format!("it is {read}")) }
    };
    browser.until("the new number in Odoo", saved).await;
    browser.see(".o_form_saved").await;
}

async fn upload_a_file(browser: &Browser, odoo: &Odoo, partner: i64) {
    let file = tempfile::Builder::new().suffix(".bin").tempfile().unwrap();
    let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(3_000_000).collect();
    std::fs::write(file.path(), &bytes).unwrap();
    browser.see(".o-mail-Chatter-attachFiles:enabled").await;
    browser.type_into("input.o-mail-Chatter-fileUploader", file.path().to_str().unwrap()).await;
    let name = file.path().file_name().unwrap().to_str().unwrap();
    browser.read(".o-mail-AttachmentContainer", name).await;
    let of_partner = json!([[["res_model", "=", "res.partner"], ["res_id", "=", partner]], ["name", "datas"]]);
    // The form shows a file while it is still on its way.
    let arrived = async || {
        let found = odoo.call("ir.attachment", "search_read", of_partner.clone(), json!({})).await?;
        found.get(0).cloned().ok_or_else(|| "there is none".to_owned())
    };
    let attachment = browser.until("the attachment in Odoo", arrived).await;
    assert_eq!(attachment["name"], name);
    assert!(
        STANDARD.decode(attachment["datas"].as_str().unwrap()).unwrap() == bytes,
        "the file has changed on its way"
    );
}

/// The message can come over the page's socket alone, since nothing else gets through by then.
async fn hear_of_a_message_at_once(browser: &Browser, base: &str, odoo: &Odoo, author: i64) {
    let channel = odoo.create("discuss.channel", json!({"name": format!("channel {}", Uuid::new_v4())})).await;
    browser.open(&format!("{base}/odoo/discuss?active_id=discuss.channel_{channel}")).await;
    browser.read(".o-mail-Thread", "This is the start").await;
    let ask = "return fetch('/web/webclient/version_info', {method: 'POST', headers: {'Content-Type': 'application/json'}, \
               body: '{}'}).then(answer => answer.status, error => error.name)";
    assert_eq!(browser.script(ask).await, 200);
    browser.block_requests().await;
    assert_eq!(browser.script(ask).await, "TypeError");

    let text = format!("Have you seen {}?", Uuid::new_v4());
    let message =
        json!({"body": text, "message_type": "comment", "subtype_xmlid": "mail.mt_comment", "author_id": author});
    odoo.call("discuss.channel", "message_post", json!([[channel]]), message).await.unwrap();
    browser.read(".o-mail-Thread", &text).await;
}

async fn only_cookies_of(base: &str, browser: &Browser) {
    let cookies = browser.cookies().await;
    let host = Url::parse(base).unwrap().host_str().unwrap().to_owned();
    assert!(cookies.iter().any(|cookie| cookie["name"] == "session_id" && cookie["httpOnly"] == true), "{cookies:?}");
    let is_of_base = |cookie: &Value| cookie["domain"] == *host && cookie["path"] == "/";
    assert!(cookies.iter().all(is_of_base), "{cookies:?}");
}
