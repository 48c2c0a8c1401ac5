//! The examples of `examples/hooks`, with the configuration and the bodies that are there, as their senders would send them.

use std::{fs, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{deliver, headers, hexadecimal, is, mac, now, outcome};
use crate::support::{
    gateway::Gateway,
    odoo::{Odoo, odoo},
};

const SECRET: &str = "the secret of all three";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/hooks")
}

/// A body as it is published.
fn sample(file: &str) -> (String, Value) {
    let text = fs::read_to_string(folder().join(file)).unwrap();
    let json = serde_json::from_str(&text).unwrap();
    (text, json)
}

/// With the examples' own configuration, but for where things are here.
async fn gateway() -> Gateway {
    let odoo = odoo().await;
    let mut config: toml::Table = fs::read_to_string(folder().join("gateway.toml")).unwrap().parse().unwrap();
    let any_port = toml::Table::from_iter([("listen".to_owned(), "127.0.0.1:0".into())]);
    config.insert("server".to_owned(), any_port.clone().into());
    config.insert("admin".to_owned(), any_port.into());
    config["upstream"]["url"] = odoo.url.clone().into();
    config["upstream"]["database"] = odoo.database.clone().into();
    for client in config["client"].as_array_mut().unwrap() {
        client["odoo_login"] = odoo.login.clone().into();
    }
    for hook in config["hook"].as_array_mut().unwrap() {
        hook["template"] = folder().join(hook["template"].as_str().unwrap()).to_str().unwrap().into();
    }
    let secrets = ["SHOPIFY_SECRET", "GITHUB_SECRET", "STRIPE_SECRET"].map(|name| (name, SECRET));
    let variables = [&secrets[..], &[("WEBHOOKS_ODOO_KEY", &*odoo.key)]].concat();
    Gateway::with_configuration(&config.to_string(), &variables)
}

async fn rows(odoo: &Odoo, model: &str, domain: Value, fields: Value) -> Vec<Value> {
    let fields = json!({"fields": fields, "order": "id"});
    odoo.call(model, "search_read", json!([domain]), fields).await.unwrap().as_array().unwrap().clone()
}

/// shopify.dev, "Webhooks: HTTPS delivery".
fn by_shopify(body: &str) -> HeaderMap {
    headers(&[
        ("X-Shopify-API-Version", "2026-01"),
        ("X-Shopify-Event-Id", "98880550-7158-44d4-b7cd-2c97c8a091b5"),
        ("X-Shopify-Hmac-Sha256", &STANDARD.encode(mac(SECRET, body))),
        ("X-Shopify-Shop-Domain", "jsmith.myshopify.com"),
        ("X-Shopify-Topic", "orders/create"),
        ("X-Shopify-Triggered-At", "2023-03-29T18:00:27.877041743Z"),
        ("X-Shopify-Webhook-Id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
    ])
}

/// docs.github.com, "Webhook events and payloads: Delivery headers".
fn by_github(event: &str, body: &str) -> HeaderMap {
    headers(&[
        ("X-GitHub-Delivery", &Uuid::new_v4().to_string()),
        ("X-GitHub-Event", event),
        ("X-GitHub-Hook-ID", "292430182"),
        ("X-GitHub-Hook-Installation-Target-ID", "79929171"),
        ("X-GitHub-Hook-Installation-Target-Type", "repository"),
        ("X-Hub-Signature-256", &format!("sha256={}", hexadecimal(&mac(SECRET, body)))),
        ("User-Agent", "GitHub-Hookshot/044aadd"),
    ])
}

/// docs.stripe.com/webhooks: a test event has a signature of another scheme besides.
fn by_stripe(time: i64, body: &str) -> HeaderMap {
    let v1 = hexadecimal(&mac(SECRET, &format!("{time}.{body}")));
    let v0 = hexadecimal(&mac("another", &format!("{time}.{body}")));
    headers(&[("Stripe-Signature", &format!("t={time},v1={v1},v0={v0}"))])
}

/// Quantity, price and SKU of each line that a sale order has.
async fn lines(odoo: &Odoo, order: &Value) -> Vec<(f64, f64, String)> {
    let fields = json!(["product_uom_qty", "price_unit", "product_id"]);
    let mut lines = Vec::new();
    for line in rows(odoo, "sale.order.line", json!([["order_id", "=", order["id"]]]), fields).await {
        let product =
            rows(odoo, "product.product", json!([["id", "=", line["product_id"][0]]]), json!(["default_code"]));
        let code = product.await[0]["default_code"].as_str().unwrap().to_owned();
        lines.push((line["product_uom_qty"].as_f64().unwrap(), line["price_unit"].as_f64().unwrap(), code));
    }
    lines
}

/// The same of a Shopify order.
fn items(order: &Value) -> Vec<(f64, f64, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = order["line_items"].as_array().unwrap().iter();
    items
        .map(|item| (item["quantity"].as_f64().unwrap(), text(&item["price"]).parse().unwrap(), text(&item["sku"])))
        .collect()
}

#[tokio::test]
async fn a_shopify_order_becomes_a_sale_order_with_its_customer_and_its_lines() {
    let odoo = odoo().await;
    let gateway = gateway().await;
    let (body, order) = sample("shopify-order.json");
    let send = async |signed: &str, body: &str| {
        outcome(&deliver(&gateway, "/hooks/shopify-order", by_shopify(signed), body).await)
    };
    let made = async || {
        let key = json!([["client_order_ref", "=", "#9999 (820982911946154508)"]]);
        rows(odoo, "sale.order", key, json!(["state", "partner_id", "order_line", "amount_untaxed"])).await
    };
    assert_eq!(send(&body, &body).await, is(200, "ok"));
    let [first] = &made().await[..] else { panic!("one order") };
    assert_eq!(lines(odoo, first).await, items(&order));
    assert_eq!((&first["state"], &first["amount_untaxed"]), (&json!("draft"), &json!(414.95)));
    let partner = json!([["id", "=", first["partner_id"][0]]]);
    let partner = rows(odoo, "res.partner", partner, json!(["name", "email"])).await;
    assert_eq!((&partner[0]["name"], &partner[0]["email"]), (&json!("John Smith"), &json!("jon@example.com")));

    // An update would have made new lines.
    assert_eq!(send(&body, &body).await, is(200, "replayed"));
    let edited = body.replacen("\"quantity\": 1", "\"quantity\": 0", 1);
    assert_eq!(send(&body, &edited).await, is(401, "signature_wrong"));
    assert_eq!(made().await, std::slice::from_ref(first));

    // As the customer changes it in the shop: it stays one order.
    let mut order = order;
    order["updated_at"] = json!("2022-01-01T09:00:00-05:00");
    order["line_items"][0]["quantity"] = json!(3);
    order["line_items"].as_array_mut().unwrap().pop();
    let changed = order.to_string();
    assert_eq!(send(&changed, &changed).await, is(200, "ok"));
    let [second] = &made().await[..] else { panic!("one order") };
    assert_eq!((&second["id"], &second["partner_id"]), (&first["id"], &first["partner_id"]));
    assert_eq!(lines(odoo, second).await, items(&order));

    // From a till, to nobody whose address is known.
    for key in ["email", "customer", "contact_email"] {
        order[key] = Value::Null;
    }
    let anonymous = order.to_string();
    assert_eq!(send(&anonymous, &anonymous).await, is(422, "hook_template"));
    let line = gateway.log().last().unwrap().clone();
    assert!(line["message"].as_str().unwrap().contains("order #9999 has no email"), "{line}");
}

#[tokio::test]
async fn a_shopify_order_without_skus_and_names_gets_its_own() {
    let odoo = odoo().await;
    let gateway = gateway().await;
    let (_, mut order) = sample("shopify-order.json");
    let email = format!("{}@example.com", Uuid::new_v4());
    (order["id"], order["email"], order["customer"]) = (json!(1), json!(email), Value::Null);
    order["line_items"][0]["sku"] = Value::Null;
    order["line_items"][1]["sku"] = json!("");
    order["line_items"][1]["variant_id"] = json!(808_950_810);
    order["line_items"].as_array_mut().unwrap().truncate(2);
    let body = order.to_string();
    assert_eq!(outcome(&deliver(&gateway, "/hooks/shopify-order", by_shopify(&body), &body).await), is(200, "ok"));
    let made = rows(odoo, "sale.order", json!([["partner_id.email", "=", email]]), json!(["partner_id"])).await;
    let codes: Vec<_> = lines(odoo, &made[0]).await.into_iter().map(|(_, _, code)| code).collect();
    assert_eq!(codes, ["shopify-487817672276298554", "shopify-808950810"]);
    assert!(made[0]["partner_id"][1].as_str().unwrap().contains(&email), "{made:?}");
}

#[tokio::test]
async fn a_github_issue_becomes_a_lead_and_stays_that_one() {
    let odoo = odoo().await;
    let gateway = gateway().await;
    let (body, mut event) = sample("github-issue.json");
    let send = async |kind: &str, body: &str| {
        outcome(&deliver(&gateway, "/hooks/github-issue", by_github(kind, body), body).await)
    };
    let made = async || {
        let fields = json!(["name", "contact_name", "description"]);
        rows(odoo, "crm.lead", json!([["referred", "=", "Codertocat/Hello-World#1"]]), fields).await
    };
    assert_eq!(
        send("ping", &json!({"zen": "Design for failure.", "hook_id": 292_430_182}).to_string()).await,
        is(200, "no_payload")
    );
    // The same body as another event is another thing to the template, and nothing to do either.
    assert_eq!(send("issue_comment", &body).await, is(200, "no_payload"));
    assert_eq!(send("issues", &body).await, is(200, "ok"));
    let [lead] = &made().await[..] else { panic!("one lead") };
    assert_eq!(
        (&lead["name"], &lead["contact_name"]),
        (&json!("Spelling error in the README file"), &json!("Codertocat"))
    );
    let description = lead["description"].as_str().unwrap();
    assert!(description.contains("accidently spelled 'commit' with two 't's."), "{description}");
    assert_eq!(send("issues", &body).await, is(200, "replayed"));

    event["action"] = json!("edited");
    event["issue"]["title"] = json!("Spelling error <b>twice</b>");
    event["issue"]["body"] = json!("One.\r\nTwo <script>alert(1)</script>");
    assert_eq!(send("issues", &event.to_string()).await, is(200, "ok"));
    let [edited] = &made().await[..] else { panic!("one lead") };
    assert_eq!((&edited["id"], &edited["name"]), (&lead["id"], &json!("Spelling error <b>twice</b>")));
    let description = edited["description"].as_str().unwrap();
    assert!(description.contains("One.<br>Two &lt;script&gt;"), "{description}");

    event["action"] = json!("deleted");
    assert_eq!(send("issues", &event.to_string()).await, is(200, "no_payload"));
}

/// An invoice with a number that no other company's has.
async fn invoice(odoo: &Odoo) -> (i64, String) {
    let code = format!("H{}", &Uuid::new_v4().simple().to_string()[..4]).to_uppercase();
    let sales = rows(odoo, "account.journal", json!([["type", "=", "sale"]]), json!(["default_account_id"])).await;
    let account = &sales[0]["default_account_id"][0];
    let journal = json!({"name": code, "code": code, "type": "sale", "default_account_id": account});
    let journal = odoo.create("account.journal", journal).await;
    let partner = odoo.create("res.partner", json!({"name": format!("payer {code}")})).await;
    let line = json!([0, 0, {"name": "a table", "quantity": 1, "price_unit": 20}]);
    let values =
        json!({"move_type": "out_invoice", "journal_id": journal, "partner_id": partner, "invoice_line_ids": [line]});
    let id = odoo.create("account.move", values).await;
    odoo.call("account.move", "action_post", json!([[id]]), json!({})).await.unwrap();
    let number = rows(odoo, "account.move", json!([["id", "=", id]]), json!(["name"])).await[0]["name"].clone();
    (id, number.as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_payment_by_stripe_is_noted_on_its_invoice() {
    let odoo = odoo().await;
    let gateway = gateway().await;
    let (body, mut event) = sample("stripe-payment.json");
    let send = async |time: i64, body: &str| {
        outcome(&deliver(&gateway, "/hooks/stripe-payment", by_stripe(time, body), body).await)
    };
    // As it is published it is for nothing that Odoo knows.
    assert_eq!(send(now(), &body).await, is(200, "no_payload"));

    // The one change: who makes a PaymentIntent for an invoice puts its number there.
    let (id, number) = invoice(odoo).await;
    event["data"]["object"]["metadata"] = json!({"invoice": number});
    let (body, time) = (event.to_string(), now());
    let notes = async || {
        let of_it = json!([["model", "=", "account.move"], ["res_id", "=", id], ["body", "ilike", "Stripe"]]);
        rows(odoo, "mail.message", of_it, json!(["body", "subtype_id"])).await
    };
    assert_eq!(send(time - 400, &body).await, is(401, "signature_stale"));
    assert!(notes().await.is_empty());
    assert_eq!(send(time, &body).await, is(200, "ok"));
    let [note] = &notes().await[..] else { panic!("one note") };
    let words = note["body"].as_str().unwrap();
    assert!(words.contains("Stripe has received 20.0 USD (pi_000000000000000000000000)."), "{words}");
    assert_eq!(note["subtype_id"][1], "Note");
    assert_eq!(send(time, &body).await, is(200, "replayed"));

    // Neither of which is done.
    event["type"] = json!("payment_intent.created");
    assert_eq!(send(time, &event.to_string()).await, is(200, "no_payload"));
    event["type"] = json!("payment_intent.succeeded");
    event["data"]["object"]["metadata"] = json!({"invoice": "INV/1999/00001"});
    assert_eq!(send(time, &event.to_string()).await, is(422, "nothing_matched"));
    assert_eq!(notes().await.len(), 1);
}
