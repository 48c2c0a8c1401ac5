//! The overview: what needs a person, what happened, and how Odoo, log and store are.

use serde_json::json;

use crate::support::{client::Client, console::Console, gateway::Gateway, odoo::odoo, poll_for};

#[tokio::test]
async fn the_overview_leads_from_a_number_to_the_calls_behind_it() {
    let client = "[[client]]\nname = \"old & new\"\nkey_sha256 = \"0000000000000000000000000000000000000000000000000000000000000001\"\n\
                  odoo_login = \"admin\"\nodoo_key_env = \"ODOO_KEY\"\nexpires = \"2020-01-01\"\n";
    let odoo = odoo().await;
    let gateway = Gateway::before_with(&odoo.url, &odoo.database, client, &[("ODOO_KEY", &odoo.key)]);
    let console = Console::operator(&gateway).await;
    let empty = console.get("/").await;
    empty.assert_has("No calls in the last hour.");
    empty.assert_has("The client old &#38; new has expired");
    empty.assert_has("answers</span>");

    let caller = Client::with_key(&gateway).await;
    caller.call("create_data", "res.partner", json!({"payload": {"name": "Overview"}})).await;
    caller
        .call("create_data", "res.partner", json!({"payload": {"name": "x", "country_id": {"code": "no such"}}}))
        .await;
    caller.call("search_data", "no.such.model<script>", json!({"search_domain": []})).await;
    let console = Console::operator(&gateway).await;
    for window in ["7d", "24h"] {
        let (path, all) = (format!("/?window={window}"), format!("<a href=\"/calls?since={window}\">3</a>"));
        // All readers share an overview for about a second.
        poll_for(async || console.get(&path).await.text.contains(&all)).await;
        let page = console.get(&path).await;
        page.assert_has(&format!("<a href=\"/calls?state=failed&#38;since={window}\">2</a>"));
        page.assert_has("/calls?route=create_data&#38;since=");
        page.assert_has(&format!("<a href=\"{path}\" aria-current=\"page\">"));
        page.assert_lacks("<script>");
        page.assert_lacks(" style=");
        // The place of the mistake, and the latest such call.
        page.assert_has("payload.country_id");
        let (_, example) = page.text.split_once("href=\"/calls/").unwrap();
        let id = example.split('"').next().unwrap();
        assert_eq!((id.len(), console.get(&format!("/calls/{id}")).await.status), (36, 200));
    }
}
