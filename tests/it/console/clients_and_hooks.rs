//! The pages of clients and hooks, and a template that is tried in the browser.

use serde_json::json;

use super::lively::{Lively, TEMPLATE};
use crate::support::{console::Console, odoo::odoo};

#[tokio::test]
async fn clients_are_shown_with_what_they_may_and_did_and_without_secrets() {
    let lively = Lively::start().await;
    let name = lively.name("Shown");
    lively.webshop.call("create_data", "res.partner", json!({"payload": {"name": name}})).await;
    lively.webshop.call("create_data", "res.partner", json!({"payload": {"nam": name}})).await;
    let reader = Console::with_token(&lively.gateway, &lively.reader).await;
    let list = reader.get("/clients").await;
    for words in
        ["webshop", "expires in 5 days", "Own Odoo credentials", "0 of 200 at a time", "all but privileged ones"]
    {
        list.assert_has(words);
    }
    let one = reader.get("/clients/webshop").await;
    for words in ["create_update_data", "res.partner.vat", "/calls?caller=webshop", "or vals.payload.ref in the body"] {
        one.assert_has(words);
    }
    one.assert_has("<dt>Calls, 24 h</dt><dd>2</dd>");
    one.assert_has("<dt>Failed, 24 h</dt><dd>1</dd>");
    let own = reader.get("/clients/").await;
    own.assert_has("[policy]");
    assert_eq!(reader.get("/clients/nobody").await.status, 404);
    let config = std::fs::read_to_string(lively.gateway.config_file()).unwrap();
    let hash = config.lines().find_map(|line| line.strip_prefix("key_sha256 = \"")).unwrap().trim_end_matches('"');
    for page in [list, one, own] {
        for secret in [hash, lively.webshop.credential(), &odoo().await.key, "ODOO_KEY"] {
            page.assert_lacks(secret);
        }
    }
}

#[tokio::test]
async fn a_template_is_tried_on_what_was_received_and_nothing_is_written() {
    let lively = Lively::start().await;
    let name = lively.name("Tried");
    let body = json!({"name": name, "email": "tried@example.com", "country": "BE", "password": "hunter2"});
    lively.deliver("one", &body).await;
    lively.deliver("two", &json!({"archived": true})).await;
    lively.delivered(2).await;
    let reader = Console::with_token(&lively.gateway, &lively.reader).await;
    let list = reader.get("/hooks").await;
    list.assert_has("/calls?hook=crm\">2<");
    let page = reader.get("/hooks/crm").await;
    page.assert_has("the customer has no e-mail");
    page.assert_lacks("hunter2");
    let with_body = |status: &str| {
        let (_, row) = page.text.split_once(status).expect(status);
        row.split_once("?delivery=").unwrap().1.split('#').next().unwrap().to_owned()
    };
    let id = with_body("captured");
    let filled = reader.get(&format!("/hooks/crm?delivery={id}")).await;
    filled.assert_has("archived");
    assert_eq!(reader.post("/hooks/crm/try", &[("template", "."), ("body", "{}")]).await.status, 403);

    let operator = Console::with_token(&lively.gateway, &lively.operator).await;
    let text = body.to_string();
    let attempt = async |template: &str, more: &[(&str, &str)]| {
        let fields = [&[("template", template), ("body", &text), ("form", "read")][..], more].concat();
        operator.post("/hooks/crm/try", &fields).await
    };
    let made = attempt(TEMPLATE, &[("plan", "1")]).await;
    for words in ["The template makes 1 call", "create_data", "res.partner.create", "look up res.country by code"] {
        made.assert_has(words);
    }
    // The mistake has its place, and what a person wrote is still there.
    let mistaken = attempt("{payload: {name, email: .email | nosuch}}", &[]).await;
    for words in ["does not compile: 1:34", "nosuch", "^"] {
        mistaken.assert_has(words);
    }
    let failed = attempt("{payload: {name: (.name\n | ascii_downcase | error)}}", &[]).await;
    failed.assert_has("line 2");
    attempt("ignore(\"not <today>\")", &[]).await.assert_has("ignored: not &#60;today&#62;");
    // What takes any stack or memory ends with its worker, and the gateway goes on.
    let deep = attempt(&"[".repeat(200_000), &[]).await;
    deep.assert_has("hook_limits");
    attempt("[limit(1e9; repeat(1))]", &[]).await.assert_has("hook_limits");
    let hidden = attempt("{payload: {name, password}}", &[]).await;
    hidden.assert_has("&#34;password&#34;: &#34;***&#34;");
    let count = odoo().await.search_count("res.partner", json!([["name", "=", name]])).await;
    assert_eq!(count, json!(1));
}
