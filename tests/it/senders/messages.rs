//! Messages and mail: Slack, Meta, Twilio, Mailgun and Postmark.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Sender, now,
    signing::{by_mailgun, other},
};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn a_mention_in_slack_is_one_lead_and_the_challenge_is_echoed() {
    let sender = Sender::of("slack").await;
    let json_type = [("Content-Type", "application/json")];
    let challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
    let verification = json!({"token": "Jhj5dZrVaK7ZwHHjRyZWjbDl", "challenge": challenge, "type": "url_verification"});
    let answer = sender.takes(now(), &json_type, &verification.to_string()).await;
    assert_eq!((answer.status, &*answer.text), (200, challenge));

    sender.refuses_others(&json_type, &sender.body).await;
    sender.takes(now(), &json_type, &sender.body).await;
    // Slack repeats what is not answered within three seconds.
    let again = [json_type[0], ("X-Slack-Retry-Num", "1"), ("X-Slack-Retry-Reason", "http_timeout")];
    assert_eq!(sender.takes(now() + 1, &again, &sender.body).await.status, 200);
    let lead = sender.lead("slack C123ABC456 1515449522.000016").await;
    assert_eq!(lead["name"], "A hotel in Ghent wants forty lamps by May");
    assert!(lead["description"].as_str().unwrap().contains("lamps<br>by May"), "{lead}");

    let command = "token=gIkuvaNzQIHg97ATvDxqgjtO&team_id=T0001&channel_id=C2147483705&user_id=U2147483697&user_name=Steve\
                   &command=%2Flead&text=ten+lamps&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F1234%2F5678\
                   &trigger_id=13345224609.738474920.8088930838d88f008e0&api_app_id=A123456";
    let answer = sender.takes(now(), &[FORM], command).await;
    let said: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(said, json!({"response_type": "ephemeral", "text": "ten lamps is on its way to Odoo."}));
    let lead = sender.lead("slack 13345224609.738474920.8088930838d88f008e0").await;
    assert_eq!((&lead["name"], &lead["contact_name"]), (&json!("ten lamps"), &json!("Steve")));
}

#[tokio::test]
async fn each_message_of_whatsapp_is_one_lead_and_metas_challenge_is_answered() {
    let sender = Sender::of("meta").await;
    let challenge = "/hooks/meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=odoo-gateway";
    let answer = sender.send("GET", challenge, &[], None).await;
    assert_eq!((answer.status, &*answer.text), (200, "1158201444"), "{answer:?}");
    let answer = sender.send("GET", &challenge.replace("odoo-gateway", "else"), &[], None).await;
    assert!(matches!(answer.status, 401 | 403 | 404 | 405), "{answer:?}");

    let headers = [("Content-Type", "application/json"), ("User-Agent", "facebookexternalua")];
    sender.refuses_others(&headers, &sender.body).await;
    for _ in 0..2 {
        assert_eq!(sender.takes(now(), &headers, &sender.body).await.status, 200);
    }
    let event = sender.json();
    let id = |at: usize| {
        format!("whatsapp {}", event["entry"][0]["changes"][at]["value"]["messages"][0]["id"].as_str().unwrap())
    };
    let first = sender.lead(&id(0)).await;
    assert_eq!((&first["contact_name"], &first["phone"]), (&json!("Sheena Nelson"), &json!("+16505551234")));
    assert!(first["description"].as_str().unwrap().contains("Does it come in another color?"), "{first}");
    let second = sender.lead(&id(1)).await;
    assert_eq!((&second["contact_name"], &second["name"]), (&json!("Kerry Fisher"), &json!("WhatsApp: (image)")));

    let receipt = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages",
        "value": {"statuses": [{"id": "wamid.x", "status": "read", "recipient_id": "16505551234"}]}}]}]});
    sender.takes(now(), &headers, &receipt.to_string()).await;
    assert!(sender.states().contains(&"ignored".to_owned()), "{:?}", sender.states());
}

#[tokio::test]
async fn a_text_message_of_twilio_is_one_lead_and_is_answered_with_twiml() {
    let sender = Sender::of("twilio").await;
    let headers = [FORM, ("I-Twilio-Idempotency-Token", "3ea5f6d9-5d39-4b6e-b9ba-5c2e0a7d0a11")];
    sender.refuses_others(&headers, &sender.body).await;
    for _ in 0..2 {
        let answer = sender.takes(now(), &headers, &sender.body).await;
        assert_eq!((answer.status, &*answer.text), (200, "<Response/>"));
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/xml"), "{answer:?}");
    }
    let lead = sender.lead("twilio SM1f0e8ae6ade43cb3c0ce4525424e404f").await;
    assert_eq!((&lead["phone"], &lead["name"]), (&json!("+14158675309"), &json!("SMS: Do you repair lamps?")));

    // A picture: its address is among what is signed.
    let picture = sender
        .body
        .replace("SM1f0e8ae6", "MM1f0e8ae6")
        .replace("NumMedia=0", "NumMedia=1&MediaUrl0=https%3A%2F%2Fapi.twilio.com%2Fm1");
    sender.takes(now(), &headers, &picture).await;
    let lead = sender.lead("twilio MM1f0e8ae6ade43cb3c0ce4525424e404f").await;
    assert!(lead["description"].as_str().unwrap().contains("https://api.twilio.com/m1"), "{lead}");
}

/// A mail as Mailgun sends it: signed now, with another token for each attempt.
fn mail(body: &str, secret: &str, time: i64) -> String {
    let token = Uuid::new_v4().simple().to_string();
    let value = |body: &str, name: &str, value: &str| {
        let (head, rest) = body.split_once(&format!("name=\"{name}\"\r\n\r\n")).unwrap();
        let (_, rest) = rest.split_once("\r\n").unwrap();
        format!("{head}name=\"{name}\"\r\n\r\n{value}\r\n{rest}")
    };
    let body = value(body, "timestamp", &time.to_string());
    let body = value(&body, "token", &token);
    value(&body, "signature", &by_mailgun(secret, time, &token))
}

#[tokio::test]
async fn a_mail_at_mailgun_is_one_lead_with_its_attachment() {
    let sender = Sender::of("mailgun").await;
    let multipart = [("Content-Type", "multipart/form-data; boundary=boundary-of-the-example")];
    let forged = sender.deliver(&multipart, &mail(&sender.body, &other(&sender.secret), now())).await;
    assert_eq!(forged.status, 401, "{forged:?}");
    let stale = sender.deliver(&multipart, &mail(&sender.body, &sender.secret, now() - 200_000)).await;
    assert_eq!(stale.status, 401, "{stale:?}");
    for again in 0..2 {
        // Mailgun takes 200 alone for a success.
        let answer = sender.takes(now(), &multipart, &mail(&sender.body, &sender.secret, now() + again)).await;
        assert_eq!(answer.status, 200);
    }
    let lead = sender.lead("<517ACC75.5010709@example.com>").await;
    assert_eq!((&lead["name"], &lead["email_from"]), (&json!("Forty lamps"), &json!("bob@example.com")));
    assert_eq!(lead["contact_name"], "Bob Builder");
    let description = lead["description"].as_str().unwrap();
    assert!(description.contains("forty lamps of the plan") && !description.contains("Alice wrote"), "{description}");
    let plan = ("plan.txt".to_owned(), "VGhlIHBsYW46IGZvcnR5IGxhbXBzIGluIGZvdXIgcm93cy4=".to_owned());
    assert_eq!(sender.files(&lead).await, [plan]);
}

#[tokio::test]
async fn a_mail_at_postmark_is_one_lead_with_its_attachment() {
    let sender = Sender::of("postmark").await;
    let headers = [("Content-Type", "application/json"), ("User-Agent", "Postmark")];
    let refused = sender.send("POST", &sender.path, &headers, Some(&sender.body)).await;
    assert_eq!(refused.status, 401, "{refused:?}");
    assert!(refused.headers["www-authenticate"].to_str().unwrap().starts_with("Basic"), "{refused:?}");
    sender.refuses_others(&headers, &sender.body).await;
    for _ in 0..2 {
        assert_eq!(sender.takes(now(), &headers, &sender.body).await.status, 200);
    }
    let lead = sender.lead("postmark 73e6d360-66eb-11e1-8e72-a8904824019b").await;
    assert_eq!((&lead["name"], &lead["email_from"]), (&json!("Test subject"), &json!("support@postmarkapp.example")));
    assert!(lead["description"].as_str().unwrap().contains("This is the reply text"), "{lead}");
    let files = sender.files(&lead).await;
    assert!(matches!(&files[..], [(name, _)] if name == "test.txt"), "{files:?}");
}
