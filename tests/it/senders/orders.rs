//! Shops: Shopify and WooCommerce.

use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Sender, now};

/// Quantity, price and SKU of each line that a sale order has.
async fn lines(sender: &Sender, order: &Value) -> Vec<(f64, f64, String)> {
    let fields = json!(["product_uom_qty", "price_unit", "product_id"]);
    let mut lines = Vec::new();
    for line in sender.rows("sale.order.line", json!([["order_id", "=", order["id"]]]), fields).await {
        let product = json!([["id", "=", line["product_id"][0]]]);
        let product = sender.rows("product.product", product, json!(["default_code"])).await;
        let code = product[0]["default_code"].as_str().unwrap().to_owned();
        lines.push((line["product_uom_qty"].as_f64().unwrap(), line["price_unit"].as_f64().unwrap(), code));
    }
    lines
}

async fn orders(sender: &Sender, reference: &str) -> Vec<Value> {
    let fields = json!(["state", "partner_id", "amount_untaxed", "client_order_ref"]);
    sender.rows("sale.order", json!([["client_order_ref", "=", reference]]), fields).await
}

/// shopify.dev, "Webhooks: HTTPS delivery".
fn by_shopify<'a>(topic: &'a str, event: &'a str) -> [(&'a str, &'a str); 7] {
    [
        ("Content-Type", "application/json"),
        ("X-Shopify-API-Version", "2026-01"),
        ("X-Shopify-Event-Id", event),
        ("X-Shopify-Shop-Domain", "jsmith.myshopify.com"),
        ("X-Shopify-Topic", topic),
        ("X-Shopify-Triggered-At", "2023-03-29T18:00:27.877041743Z"),
        ("X-Shopify-Webhook-Id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
    ]
}

/// Quantity, price and SKU of each item of a Shopify order.
fn items(order: &Value) -> Vec<(f64, f64, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = order["line_items"].as_array().unwrap().iter();
    items
        .map(|item| (item["quantity"].as_f64().unwrap(), text(&item["price"]).parse().unwrap(), text(&item["sku"])))
        .collect()
}

#[tokio::test]
async fn an_order_of_shopify_is_one_sale_order_that_follows_the_shop() {
    let sender = Sender::of("shopify").await;
    let reference = "#9999 (820982911946154508)";
    let body = sender.body.clone();
    let mut order = sender.json();
    sender.refuses_others(&by_shopify("orders/create", "event 1"), &body).await;

    let answer = sender.takes(now(), &by_shopify("orders/create", "event 1"), &body).await;
    assert_eq!((answer.status, &*answer.text), (200, ""));
    let [first] = &orders(&sender, reference).await[..] else { panic!("one order") };
    assert_eq!(lines(&sender, first).await, items(&order));
    assert_eq!((&first["state"], &first["amount_untaxed"]), (&json!("draft"), &json!(414.95)));
    let partner = json!([["id", "=", first["partner_id"][0]]]);
    let partner = sender.rows("res.partner", partner, json!(["name", "email"])).await;
    assert_eq!((&partner[0]["name"], &partner[0]["email"]), (&json!("John Smith"), &json!("jon@example.com")));

    // Its next attempt, and another topic that it is not for.
    assert_eq!(sender.takes(now(), &by_shopify("orders/create", "event 1"), &body).await.status, 200);
    sender.takes(now(), &by_shopify("products/update", "event 2"), r#"{"id": 1}"#).await;
    assert_eq!(orders(&sender, reference).await, std::slice::from_ref(first));

    // As the customer changes it in the shop: it stays one order. What happened before that and comes later changes nothing.
    order["updated_at"] = json!("2022-01-01T09:00:00-05:00");
    order["line_items"][0]["quantity"] = json!(3);
    order["line_items"].as_array_mut().unwrap().pop();
    sender.takes(now(), &by_shopify("orders/updated", "event 3"), &order.to_string()).await;
    let [second] = &orders(&sender, reference).await[..] else { panic!("one order") };
    assert_eq!((&second["id"], &second["partner_id"]), (&first["id"], &first["partner_id"]));
    assert_eq!(lines(&sender, second).await, items(&order));
    sender.takes(now(), &by_shopify("orders/updated", "event 4"), &body).await;
    assert_eq!(lines(&sender, second).await, items(&order));

    // Once somebody has confirmed it, the shop changes it no more.
    sender.odoo.call("sale.order", "action_confirm", json!([[first["id"]]]), json!({})).await.unwrap();
    order["updated_at"] = json!("2022-01-02T09:00:00-05:00");
    order["line_items"][0]["quantity"] = json!(7);
    let confirmed = lines(&sender, second).await;
    sender.takes(now(), &by_shopify("orders/updated", "event 5"), &order.to_string()).await;
    assert_eq!(lines(&sender, second).await, confirmed);

    // From a till, to nobody whose address is known: it waits for a person, and the sender is told 200.
    for key in ["email", "customer", "contact_email"] {
        order[key] = Value::Null;
    }
    assert_eq!(sender.deliver(&by_shopify("orders/create", "event 6"), &order.to_string()).await.status, 200);
    let dead = sender.ended().await;
    assert!(dead.len() == 1 && dead[0].to_string().contains("order #9999 has no email"), "{dead:?}");
}

#[tokio::test]
async fn lines_of_shopify_without_a_sku_get_one_and_those_without_a_price_are_not_left_out() {
    let sender = Sender::of("shopify").await;
    let mut order = sender.json();
    let email = format!("{}@example.com", Uuid::new_v4());
    (order["id"], order["email"], order["customer"]) = (json!(1), json!(email), Value::Null);
    order["line_items"][0]["sku"] = Value::Null;
    order["line_items"][1]["sku"] = json!("");
    order["line_items"][1]["variant_id"] = json!(808_950_810);
    order["line_items"].as_array_mut().unwrap().truncate(2);
    sender.takes(now(), &by_shopify("orders/create", "event 1"), &order.to_string()).await;
    let made = sender.rows("sale.order", json!([["partner_id.email", "=", email]]), json!(["partner_id"])).await;
    let codes: Vec<_> = lines(&sender, &made[0]).await.into_iter().map(|(_, _, code)| code).collect();
    assert_eq!(codes, ["shopify-487817672276298554", "shopify-808950810"]);
    assert!(made[0]["partner_id"][1].as_str().unwrap().contains(&email), "{made:?}");

    order["id"] = json!(2);
    order["line_items"][1]["price"] = json!("");
    sender.deliver(&by_shopify("orders/create", "event 2"), &order.to_string()).await;
    let dead = sender.ended().await;
    assert!(dead.len() == 1 && dead[0]["error"] == "hook_template", "{dead:?}");
    assert_eq!(sender.odoo.search_count("sale.order", json!([["partner_id.email", "=", email]])).await, 1);
}

/// woocommerce/includes/class-wc-webhook.php, `deliver`.
fn by_woocommerce<'a>(topic: &'a str, delivery: &'a str) -> [(&'a str, &'a str); 8] {
    [
        ("Content-Type", "application/json"),
        ("User-Agent", "WooCommerce/9.4.0 Hookshot (WordPress/6.7)"),
        ("X-WC-Webhook-Source", "https://shop.example.com/"),
        ("X-WC-Webhook-Topic", topic),
        ("X-WC-Webhook-Resource", "order"),
        ("X-WC-Webhook-Event", "created"),
        ("X-WC-Webhook-ID", "142"),
        ("X-WC-Webhook-Delivery-ID", delivery),
    ]
}

#[tokio::test]
async fn an_order_of_woocommerce_is_one_sale_order_and_its_ping_is_answered_200() {
    let sender = Sender::of("woocommerce").await;
    let (body, mut order) = (sender.body.clone(), sender.json());

    let ping = [(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")];
    let answer = sender.send("POST", &sender.path, &ping, Some("webhook_id=142")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // Nobody gets more by a ping.
    let forged = sender.send("POST", &sender.path, &ping, Some("webhook_id=142&status=processing")).await;
    assert_eq!(forged.status, 401, "{forged:?}");

    sender.refuses_others(&by_woocommerce("order.created", "d1"), &body).await;
    sender.takes(now(), &by_woocommerce("order.created", "d1"), &body).await;
    sender.takes(now(), &by_woocommerce("order.created", "d1"), &body).await;
    let [first] = &orders(&sender, "WooCommerce 727").await[..] else { panic!("one order") };
    let expected = [(2.0, 3.0, "woocommerce-93".to_owned()), (1.0, 12.0, "Bar3".to_owned())];
    assert_eq!(lines(&sender, first).await, expected);
    let partner = json!([["id", "=", first["partner_id"][0]]]);
    let partner = sender.rows("res.partner", partner, json!(["name", "email", "city", "country_code"])).await;
    let of = |field: &str| partner[0][field].as_str().unwrap().to_owned();
    assert_eq!(
        [of("name"), of("email"), of("city"), of("country_code")],
        ["John Doe", "john.doe@example.com", "San Francisco", "US"]
    );

    order["date_modified_gmt"] = json!("2026-03-22T20:00:00");
    order["line_items"][0]["quantity"] = json!(5);
    sender.takes(now(), &by_woocommerce("order.updated", "d2"), &order.to_string()).await;
    let [second] = &orders(&sender, "WooCommerce 727").await[..] else { panic!("one order") };
    assert_eq!((&second["id"], lines(&sender, second).await[0].0), (&first["id"], 5.0));
    sender.takes(now(), &by_woocommerce("order.deleted", "d3"), r#"{"id": 727}"#).await;
    assert_eq!(orders(&sender, "WooCommerce 727").await.len(), 1);
}
