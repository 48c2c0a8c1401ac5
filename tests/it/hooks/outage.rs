//! Odoo is away while deliveries of six senders come, each with the signature and the retries of its own.

use std::{fs, time::Duration};

use futures_util::{StreamExt, stream};
use http::HeaderMap;
use serde_json::json;
use tokio::time::{self, Instant};
use uuid::Uuid;

use super::{SECRET, STANDARD, by_github, by_standard_webhooks, deliver, headers, hexadecimal, mac, now};
use crate::support::{
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::odoo,
    poll_for,
};
use base64::Engine;

const SENDERS: [&str; 6] = ["shopify", "github", "stripe", "slack", "zoom", "standard-webhooks"];

/// `ODOO_GATEWAY_TEST_OUTAGE=500,120`: so many deliveries, while Odoo is away for so many seconds.
fn size() -> (usize, u64) {
    let given = std::env::var("ODOO_GATEWAY_TEST_OUTAGE").unwrap_or_else(|_| "60,4".to_owned());
    let (deliveries, seconds) = given.split_once(',').unwrap();
    (deliveries.parse().unwrap(), seconds.parse().unwrap())
}

/// An attempt to deliver a body, as the sender signs it now.
fn signed(sender: &str, id: &str, body: &str) -> HeaderMap {
    let time = now();
    let over = |text: String| hexadecimal(&mac(SECRET, &text));
    match sender {
        "shopify" => headers(&[("X-Shopify-Hmac-Sha256", &STANDARD.encode(mac(SECRET, body)))]),
        "github" => by_github(SECRET, body),
        "stripe" => headers(&[("Stripe-Signature", &format!("t={time},v1={}", over(format!("{time}.{body}"))))]),
        "slack" => headers(&[
            ("X-Slack-Request-Timestamp", &time.to_string()),
            ("X-Slack-Signature", &format!("v0={}", over(format!("v0:{time}:{body}")))),
        ]),
        "zoom" => headers(&[
            ("x-zm-request-timestamp", &time.to_string()),
            ("x-zm-signature", &format!("v0={}", over(format!("v0:{time}:{body}")))),
        ]),
        _ => by_standard_webhooks(id, time, body),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_come_while_odoo_is_away_are_each_made_once_however_often_they_are_sent() {
    let odoo = odoo().await;
    let (deliveries, seconds) = size();
    let proxy = FaultProxy::before(odoo).await;
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("contact.jq");
    fs::write(&template, "{payload: {name}}").unwrap();
    let mut more = String::new();
    for sender in SENDERS {
        let secret = if sender == "standard-webhooks" { "WHSEC" } else { "SECRET" };
        more += &format!(
            "[[client]]\nname = \"{sender}\"\nodoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\nroutes = [\"create_data\"]\n\
             models = {{ allow = [\"res.partner\"] }}\n[client.signature]\nscheme = \"{sender}\"\nsecret_env = \"{secret}\"\n\
             [[hook]]\npath = \"/hooks/{sender}\"\nclient = \"{sender}\"\nroute = \"create_data\"\nmodel = \"res.partner\"\n\
             template = \"{}\"\ndelivery_id = \".id\"\n",
            odoo.login,
            template.display()
        );
    }
    let whsec = format!("whsec_{}", STANDARD.encode(SECRET));
    let variables = [("SECRET", SECRET), ("WHSEC", &whsec), ("ODOO_KEY", &odoo.key)];
    let gateway = Gateway::before_with(&proxy.url, &odoo.database, &more, &variables);
    proxy.run(|_, _| Fault::BadGateway);
    let (run, back) = (Uuid::new_v4(), Instant::now() + Duration::from_secs(seconds));
    let pace = Duration::from_secs(seconds) / u32::try_from(deliveries).unwrap();
    let begun = Instant::now();
    let send = async |number: usize| {
        let sender = SENDERS[number % SENDERS.len()];
        time::sleep_until(begun + pace * u32::try_from(number).unwrap()).await;
        let (id, name) = (format!("evt_{number}"), format!("away {run} {number}"));
        let body = json!({"id": id, "name": name}).to_string();
        // A sender repeats what was not answered 2xx, and some of what was: its answer was lost.
        let mut attempts = 0;
        for _ in 0..5 {
            attempts += 1;
            let answer = deliver(&gateway, &format!("/hooks/{sender}"), signed(sender, &id, &body), &body).await;
            let is_taken = (200..300).contains(&answer.status);
            if is_taken && number % 3 != attempts % 3 {
                return attempts;
            }
            time::sleep(Duration::from_millis(1_100)).await;
        }
        attempts
    };
    let sent = stream::iter(0..deliveries).map(send).buffer_unordered(deliveries);
    let returns = async {
        time::sleep_until(back).await;
        proxy.run(|_, _| Fault::Pass);
    };
    let (attempts, ()) = futures_util::future::join(sent.collect::<Vec<usize>>(), returns).await;
    let made = async || odoo.search_count("res.partner", json!([["name", "like", format!("away {run} %")]])).await;
    let deadline = Instant::now() + Duration::from_secs(240);
    while made().await != deliveries {
        assert!(Instant::now() < deadline, "{} of {deliveries} made", made().await);
        time::sleep(Duration::from_millis(200)).await;
    }
    // Nothing more comes.
    poll_for(async || {
        let (_, out, _) = gateway.run(&["queue", "ls", "--state", "queued", "--json"]);
        out.trim().is_empty()
    })
    .await;
    assert_eq!(made().await, deliveries);
    let names = odoo.call(
        "res.partner",
        "search_read",
        json!([[["name", "like", format!("away {run} %")]], ["name"]]),
        json!({}),
    );
    let names = names.await.unwrap();
    let names: std::collections::BTreeSet<&str> =
        names.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), deliveries);
    println!("{deliveries} deliveries in {} attempts, Odoo away for {seconds} s", attempts.iter().sum::<usize>());
}
