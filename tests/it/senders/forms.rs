//! Forms, bookings and contacts: Typeform, Calendly, Zoom, HubSpot, Xero and a form of a web page.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::{
    Api, Sender, now,
    signing::{hexadecimal, mac},
};

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

#[tokio::test]
async fn a_response_to_a_typeform_is_one_lead_with_all_answers() {
    let sender = Sender::of("typeform").await;
    sender.refuses_others(&JSON, &sender.body).await;
    sender.takes(now(), &JSON, &sender.body).await;
    sender.takes(now(), &JSON, &sender.body).await;
    let lead = sender.lead("typeform a3a12ec67a1365927098a606107fac15").await;
    assert_eq!(lead["email_from"], "laura@example.com");
    let description = lead["description"].as_str().unwrap();
    for words in ["cold right now", "<b>What is your first name?</b><br>Laura", "London, Sydney", ">5<", ">true<"] {
        assert!(description.contains(words), "{words}: {description}");
    }
}

#[tokio::test]
async fn a_booking_at_calendly_is_one_lead_that_follows_its_cancellation() {
    let sender = Sender::of("calendly").await;
    sender.refuses_others(&JSON, &sender.body).await;
    sender.takes(now(), &JSON, &sender.body).await;
    sender.takes(now() + 1, &JSON, &sender.body).await;
    let lead = sender.lead("calendly AAAAAAAAAAAAAAAA").await;
    assert_eq!(
        (&lead["name"], &lead["email_from"]),
        (&json!("15 Minute Meeting with John Doe"), &json!("test@example.com"))
    );
    assert!(lead["description"].as_str().unwrap().contains("A lamp for the hall"), "{lead}");

    let mut event = sender.json();
    event["event"] = json!("invitee.canceled");
    event["created_at"] = json!("2020-11-24T17:51:19.000000Z");
    event["payload"]["cancellation"] = json!({"canceled_by": "John Doe", "reason": "No time"});
    sender.takes(now(), &JSON, &event.to_string()).await;
    let canceled = sender.lead("calendly AAAAAAAAAAAAAAAA").await;
    assert_eq!(canceled["id"], lead["id"]);
    assert_eq!(canceled["name"], "Canceled: 15 Minute Meeting with John Doe");
}

#[tokio::test]
async fn a_registration_at_zoom_is_one_lead_and_zooms_challenge_is_answered() {
    let sender = Sender::of("zoom").await;
    let challenge = json!({"payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}, "event_ts": 1_654_503_849_680_i64, "event": "endpoint.url_validation"});
    let answer = sender.takes(now(), &JSON, &challenge.to_string()).await;
    let encrypted = hexadecimal(&mac(hmac::HMAC_SHA256, sender.secret.as_bytes(), "qgg8vlvZRS6UYooatFL8Aw"));
    let said: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(said, json!({"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": encrypted}));
    assert_eq!(answer.status, 200);

    sender.refuses_others(&JSON, &sender.body).await;
    assert_eq!(sender.takes(now(), &JSON, &sender.body).await.status, 200);
    assert_eq!(sender.takes(now() + 1, &JSON, &sender.body).await.status, 200);
    let lead = sender.lead("zoom U0BBBBBBBBBBfrUz1Q").await;
    assert_eq!(
        (&lead["name"], &lead["contact_name"]),
        (&json!("Light in old houses: Jill Chill"), &json!("Jill Chill"))
    );
    assert_eq!((&lead["email_from"], &lead["partner_name"]), (&json!("jchill@example.com"), &json!("Cooking Org")));
    assert!(lead["description"].as_str().unwrap().contains("Which lamps last."), "{lead}");

    let other = json!({"event": "meeting.ended", "event_ts": 1, "payload": {"object": {"uuid": "x"}}});
    sender.takes(now(), &JSON, &other.to_string()).await;
    assert!(sender.states().contains(&"ignored".to_owned()), "{:?}", sender.states());
}

async fn contacts(sender: &Sender, refs: &[&str]) -> Vec<Value> {
    let of_them = json!([["ref", "in", refs], ["active", "in", [true, false]]]);
    let mut rows = sender.rows("res.partner", of_them, json!(["ref", "name", "email", "phone", "active"])).await;
    rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("id")));
    rows.sort_by_key(|row| row["ref"].to_string());
    rows
}

#[tokio::test]
async fn all_events_of_a_delivery_of_hubspot_become_contacts_once() {
    let sender = Sender::of("hubspot").await;
    sender.refuses_others(&JSON, &sender.body).await;
    sender.takes(now(), &JSON, &sender.body).await;
    let first = json!({"ref": "hubspot-1246965", "name": "maria.johnson@example.com", "email": "maria.johnson@example.com", "phone": false, "active": true});
    let second =
        json!({"ref": "hubspot-1246978", "name": "hubspot-1246978", "email": false, "phone": false, "active": true});
    let refs = ["hubspot-1246965", "hubspot-1246978"];
    assert_eq!(contacts(&sender, &refs).await, [first.clone(), second.clone()]);

    // The next attempt, which counts itself.
    sender.takes(now() + 1, &JSON, &sender.body.replace("\"attemptNumber\": 0", "\"attemptNumber\": 1")).await;
    assert_eq!(contacts(&sender, &refs).await, [first.clone(), second.clone()]);

    let event = |id: u64, kind: &str, property: &str, value: &str| {
        json!({"objectId": 1_246_978, "propertyName": property, "propertyValue": value, "eventId": id, "subscriptionId": 25,
               "occurredAt": 1_462_216_400_000_u64 + id, "subscriptionType": kind, "attemptNumber": 0})
    };
    let named = json!([
        event(1, "contact.propertyChange", "firstname", "Ada"),
        event(3, "contact.propertyChange", "phone", "+32 9 1"),
        event(2, "contact.propertyChange", "lastname", "Byron"),
        event(4, "contact.propertyChange", "lastname", "Lovelace"),
    ]);
    sender.takes(now(), &JSON, &named.to_string()).await;
    let named =
        json!({"ref": "hubspot-1246978", "name": "Ada Lovelace", "email": false, "phone": "+32 9 1", "active": true});
    assert_eq!(contacts(&sender, &refs).await, [first, named]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_contacts_that_xero_names_are_fetched_and_become_contacts_once() {
    let ids = ["717f2bfc-c6d4-41fd-b238-3f2f0c0cf777", "9b1a8c5e-1c1f-4c8b-8d6f-6d3a1c1b7a11"];
    let contact = |id: &str, name: &str| {
        json!({"ContactID": id, "Name": name, "EmailAddress": format!("{name}@example.com"), "Phones": [
            {"PhoneType": "DEFAULT", "PhoneNumber": "1234", "PhoneAreaCode": "9", "PhoneCountryCode": "32"}]})
    };
    let path = format!("/api.xro/2.0/Contacts?IDs={},{}", ids[0], ids[1]);
    let fetched = json!({"Contacts": [contact(ids[0], "ada"), contact(ids[1], "bob")]});
    let api = Api::start("authorization: Bearer ", &[(&path, fetched)]).await;
    let sender = Sender::changed("xero", |config| api.instead_of("https://api.xero.com", &config)).await;

    // The intent to receive: empty, 200 where it is signed right, 401 where it is not, and in both an empty body.
    let intent = r#"{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mt3xt0"}"#;
    let answer = sender.takes(now(), &JSON, intent).await;
    assert_eq!((answer.status, &*answer.text, answer.headers.get("set-cookie")), (200, "", None));
    sender.refuses_others(&JSON, &sender.body).await;

    for _ in 0..2 {
        let answer = sender.takes(now(), &JSON, &sender.body).await;
        assert_eq!((answer.status, &*answer.text), (200, ""));
    }
    let refs = ids.map(|id| format!("xero-{id}"));
    let made = contacts(&sender, &[&refs[0], &refs[1]]).await;
    assert_eq!(made.len(), 2, "{made:?}");
    assert_eq!((&made[0]["name"], &made[0]["phone"]), (&json!("ada"), &json!("32 9 1234")));
    assert!(!sender.gateway.log_text().contains(super::TOKEN), "the token is logged");
}

#[tokio::test]
async fn a_form_of_a_web_page_is_one_lead_and_sends_the_browser_on() {
    let sender = Sender::of("form").await;
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = sender.send("POST", "/hooks/form/wrong", &form, Some(&sender.body)).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    // A second click is the same message.
    for _ in 0..2 {
        let answer = sender.deliver(&form, &sender.body).await;
        assert_eq!(
            (answer.status, &answer.headers["location"]),
            (303, &"https://www.example.com/thanks".parse().unwrap())
        );
        sender.settled().await;
    }
    let fields = json!(["name", "description"]);
    let leads = sender.rows("crm.lead", json!([["email_from", "=", "ada@example.com"]]), fields).await;
    assert!(matches!(&leads[..], [lead] if lead["name"] == "Message of Ada Lovelace"), "{leads:?}");
    assert!(leads[0]["description"].as_str().unwrap().contains("reading?<br>I need two."), "{leads:?}");
    // A program that fills in everything.
    let spam = sender.body.replace("website=", "website=http%3A%2F%2Fspam.example");
    assert_eq!(sender.deliver(&form, &spam).await.status, 303);
    sender.settled().await;
    assert_eq!(sender.odoo.search_count("crm.lead", json!([["email_from", "=", "ada@example.com"]])).await, 1);
}
