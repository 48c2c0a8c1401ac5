//! Payments: Stripe, Square, Adyen, Mollie and Razorpay.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Api, Sender, now, signing::by_adyen};

/// An invoice with a number that no other company's has.
async fn invoice(sender: &Sender) -> (i64, String) {
    let odoo = sender.odoo;
    let code = format!("H{}", &Uuid::new_v4().simple().to_string()[..4]).to_uppercase();
    let sales = sender.rows("account.journal", json!([["type", "=", "sale"]]), json!(["default_account_id"])).await;
    let account = &sales[0]["default_account_id"][0];
    let journal = json!({"name": code, "code": code, "type": "sale", "default_account_id": account});
    let journal = odoo.create("account.journal", journal).await;
    let partner = odoo.create("res.partner", json!({"name": format!("payer {code}")})).await;
    let line = json!([0, 0, {"name": "a table", "quantity": 1, "price_unit": 20}]);
    let values =
        json!({"move_type": "out_invoice", "journal_id": journal, "partner_id": partner, "invoice_line_ids": [line]});
    let id = odoo.create("account.move", values).await;
    odoo.call("account.move", "action_post", json!([[id]]), json!({})).await.unwrap();
    let number = sender.rows("account.move", json!([["id", "=", id]]), json!(["name"])).await[0]["name"].clone();
    (id, number.as_str().unwrap().to_owned())
}

/// The words of the notes on an invoice that name the sender.
async fn notes(sender: &Sender, invoice: i64, word: &str) -> Vec<String> {
    let of_it = json!([["model", "=", "account.move"], ["res_id", "=", invoice], ["body", "ilike", word]]);
    let notes = sender.rows("mail.message", of_it, json!(["body", "subtype_id"])).await;
    assert!(notes.iter().all(|note| note["subtype_id"][1] == "Note"), "{notes:?}");
    notes.iter().map(|note| note["body"].as_str().unwrap().to_owned()).collect()
}

/// Delivers it twice, as an attempt that the sender takes for failed, and sees one note with these words.
async fn is_noted_once(sender: &Sender, (id, word): (i64, &str), headers: &[(&str, &str)], body: &str, words: &str) {
    sender.refuses_others(headers, body).await;
    sender.takes(now(), headers, body).await;
    sender.takes(now() + 1, headers, body).await;
    let notes = notes(sender, id, word).await;
    assert!(matches!(&notes[..], [note] if note.contains(words)), "{}: {notes:?}", sender.name);
}

#[tokio::test]
async fn a_payment_by_stripe_is_noted_once_though_each_attempt_is_signed_anew() {
    let sender = Sender::of("stripe").await;
    let mut event = sender.json();
    // As it is published it is for nothing that Odoo knows.
    sender.takes(now(), &[], &sender.body).await;
    assert!(sender.states().contains(&"ignored".to_owned()), "{:?}", sender.states());

    // The one change: the program that makes a PaymentIntent for an invoice puts its number there.
    let (id, number) = invoice(&sender).await;
    event["id"] = json!("evt_paid");
    event["data"]["object"]["metadata"] = json!({"invoice": number});
    let body = event.to_string();
    let stale = sender.deliver_at(now() - 400, &[], &body).await;
    assert_eq!(stale.status, 401, "{stale:?}");
    is_noted_once(&sender, (id, "Stripe"), &[], &body, "Stripe has received 20.0 USD (pi_000000000000000000000000).")
        .await;

    // An invoice that is not there waits for a person.
    event["id"] = json!("evt_unknown");
    event["data"]["object"]["metadata"] = json!({"invoice": "INV/1999/00001"});
    assert_eq!(sender.deliver(&[], &event.to_string()).await.status, 202);
    let dead = sender.ended().await;
    assert!(dead.len() == 1 && dead[0]["error"] == "nothing_matched", "{dead:?}");
}

#[tokio::test]
async fn a_payment_by_square_is_noted_once_though_it_is_updated_again() {
    let sender = Sender::of("square").await;
    let (id, number) = invoice(&sender).await;
    let mut event = sender.json();
    event["data"]["object"]["payment"]["reference_id"] = json!(number);
    let headers = [("square-environment", "Production"), ("content-type", "application/json")];
    let words = "Square has received 100";
    is_noted_once(&sender, (id, "Square"), &headers, &event.to_string(), words).await;

    // Its fee is known some seconds later: another event of the same payment.
    event["event_id"] = json!(Uuid::new_v4().to_string());
    event["data"]["object"]["payment"]["processing_fee"] = json!([{"type": "INITIAL"}]);
    sender.takes(now(), &headers, &event.to_string()).await;
    // And what has not been paid.
    event["data"]["object"]["payment"]["status"] = json!("APPROVED");
    sender.takes(now(), &headers, &event.to_string()).await;
    assert_eq!(notes(&sender, id, "Square").await.len(), 1);
}

#[tokio::test]
async fn each_item_of_adyen_is_noted_and_each_must_be_signed() {
    let sender = Sender::of("adyen").await;
    let ((first, first_number), (second, second_number)) = (invoice(&sender).await, invoice(&sender).await);
    let mut event = sender.json();
    let mut items = vec![event["notificationItems"][0].clone(); 3];
    for (at, (item, number)) in items.iter_mut().zip([&first_number, &second_number, &first_number]).enumerate() {
        let item = &mut item["NotificationRequestItem"];
        item["merchantReference"] = json!(number);
        item["pspReference"] = json!(format!("psp{at}"));
        if at == 2 {
            item["eventCode"] = json!("REPORT_AVAILABLE");
        }
        item["additionalData"]["hmacSignature"] = json!(by_adyen(&sender.secret, item));
    }
    event["notificationItems"] = Value::from(items);
    let body = event.to_string();

    let mut forged = event.clone();
    forged["notificationItems"][1]["NotificationRequestItem"]["amount"]["value"] = json!(1);
    let answer = sender.deliver(&[], &forged.to_string()).await;
    assert_eq!(answer.status, 401, "{answer:?}");

    for _ in 0..2 {
        let answer = sender.takes(now(), &[("Content-Type", "application/json")], &body).await;
        assert_eq!((answer.status, &*answer.text), (200, "[accepted]"));
    }
    for (invoice, reference) in [(first, "psp0"), (second, "psp1")] {
        let notes = notes(&sender, invoice, "Adyen").await;
        let words = format!("Adyen has authorised 11.3 EUR ({reference}).");
        assert!(matches!(&notes[..], [note] if note.contains(&words)), "{notes:?}");
    }
}

#[tokio::test]
async fn a_payment_by_razorpay_is_noted_once() {
    let sender = Sender::of("razorpay").await;
    let (id, number) = invoice(&sender).await;
    let mut event = sender.json();
    event["payload"]["payment"]["entity"]["notes"] = json!({"invoice": number});
    let headers = [("x-razorpay-event-id", "event_1"), ("Content-Type", "application/json")];
    let words = "INR (pay_DESlfW9H8K9uqM).";
    is_noted_once(&sender, (id, "Razorpay"), &headers, &event.to_string(), words).await;

    event["payload"]["payment"]["entity"]["notes"] = json!([]);
    sender.takes(now(), &[("x-razorpay-event-id", "event_2")], &event.to_string()).await;
    assert_eq!(notes(&sender, id, "Razorpay").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_at_mollie_of_which_only_the_id_is_sent_is_fetched() {
    let odoo = crate::support::odoo::odoo().await;
    let partner = odoo.create("res.partner", json!({"name": "payer of Mollie"})).await;
    let order = odoo.create("sale.order", json!({"partner_id": partner})).await;
    let number = odoo.call("sale.order", "read", json!([[order], ["name"]]), json!({})).await.unwrap();
    let payment = json!({
        "resource": "payment", "id": "tr_5B8cwPMGnU6qLbRvo7qEZo", "status": "paid",
        "amount": {"value": "10.00", "currency": "EUR"}, "metadata": {"order": number[0]["name"]}
    });
    let open = json!({"id": "tr_open", "status": "open", "metadata": {"order": number[0]["name"]}});
    let answers = [
        ("/v2/payments/tr_5B8cwPMGnU6qLbRvo7qEZo", payment),
        ("/v2/payments/tropen", json!({})),
        ("/v2/payments/tr_0pen", open),
    ];
    let api = Api::start("authorization: Bearer ", &answers).await;
    let sender = Sender::changed("mollie", |config| api.instead_of("https://api.mollie.com", &config)).await;
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = sender.send("POST", "/hooks/mollie/wrong", &form, Some(&sender.body)).await;
    assert_eq!(answer.status, 401, "{answer:?}");

    let reference = async || {
        sender.rows("sale.order", json!([["id", "=", order]]), json!(["reference"])).await[0]["reference"].clone()
    };
    sender.takes(now(), &form, "id=tropen").await;
    sender.takes(now(), &form, "id=tr_0pen").await;
    assert_eq!(reference().await, json!(false));
    for _ in 0..2 {
        assert_eq!(sender.takes(now(), &form, &sender.body).await.status, 200);
        assert_eq!(reference().await, json!("Mollie tr_5B8cwPMGnU6qLbRvo7qEZo: 10.00 EUR"));
    }
    // The secret in the path is nowhere in the log.
    assert!(!sender.gateway.log_text().contains(&sender.secret), "the token is logged");
}
