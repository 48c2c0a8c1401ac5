//! Senders without a preset: each is served by the configuration that stands here.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa,
    signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Api, Sender, now};

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];
/// May make and change leads.
const LEADS: &str = "routes = [\"create_update_data\", \"create_data\"]\nmodels = { allow = [\"crm.lead\"] }";

fn named(scheme: &str) -> String {
    format!("[client.signature]\nscheme = \"{scheme}\"\nsecret_env = \"SECRET\"")
}

fn hook(more: &str) -> String {
    format!("path = \"/hooks/sender\"\nroute = \"create_update_data\"\nmodel = \"crm.lead\"\n{more}")
}

/// A template that makes a lead of a key and a name.
fn lead(key: &str, name: &str) -> String {
    format!("({key}) as $key | {{search_key: {{referred: $key}}, payload: {{referred: $key, name: ({name})}}}}")
}

async fn name(sender: &Sender, key: &str) -> Value {
    sender.lead(key).await["name"].clone()
}

/// What all of these show: others are refused, and a second attempt makes no second record.
async fn is_delivered_once(sender: &Sender, headers: &[(&str, &str)], body: &str, (key, expected): (&str, &str)) {
    sender.refuses_others(headers, body).await;
    sender.takes(now(), headers, body).await;
    sender.takes(now() + 1, headers, body).await;
    assert_eq!(name(sender, key).await, expected, "{}", sender.name);
}

#[tokio::test]
async fn docusign_sends_json_or_xml_with_a_header_for_each_key() {
    let template = lead(
        r#"if .DocuSignEnvelopeInformation then .DocuSignEnvelopeInformation.EnvelopeStatus | "docusign \(.EnvelopeID)" else "docusign \(.data.envelopeId)" end"#,
        r#"if .DocuSignEnvelopeInformation then .DocuSignEnvelopeInformation.EnvelopeStatus.Status else .data.envelopeSummary.status end"#,
    );
    let sender = Sender::configured("docusign", &named("docusign"), LEADS, &hook(""), &template).await;
    let body = json!({"event": "envelope-completed", "data": {"envelopeId": "e1", "envelopeSummary": {"status": "completed"}}});
    is_delivered_once(&sender, &JSON, &body.to_string(), ("docusign e1", "completed")).await;
    let body = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><DocuSignEnvelopeInformation xmlns=\"http://www.docusign.net/API/3.0\">\
                <EnvelopeStatus><EnvelopeID>e2</EnvelopeID><Status>Signed</Status></EnvelopeStatus></DocuSignEnvelopeInformation>";
    is_delivered_once(&sender, &[("Content-Type", "text/xml; charset=utf-8")], body, ("docusign e2", "Signed")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bigcommerce_sends_ids_and_the_order_is_fetched() {
    let api =
        Api::start("x-auth-token: ", &[("/stores/abc/v2/orders/250", json!({"id": 250, "status": "Shipped"}))]).await;
    let fetch = "[hook.fetch]\nurl = '\"https://api.bigcommerce.com/stores/abc/v2/orders/\\(.data.id)\"'\nallow = [\"https://api.bigcommerce.com/*\"]\n\
                 header = \"X-Auth-Token\"\nsecret_env = \"MOLLIE_API_KEY\"";
    let hook = api.instead_of("https://api.bigcommerce.com", &hook(&format!("delivery_id = \".hash\"\n{fetch}")));
    let template = lead(r#""bigcommerce \($fetched.id)""#, "$fetched.status");
    let sender = Sender::configured("bigcommerce", &named("standard-webhooks"), LEADS, &hook, &template).await;
    let body = json!({"store_id": "1", "producer": "stores/abc", "scope": "store/order/created", "data": {"type": "order", "id": 250}, "hash": "dd70c0976e06b67aaf671e73f49dcb79230ebf9d", "created_at": 1_561_479_335});
    is_delivered_once(&sender, &JSON, &body.to_string(), ("bigcommerce 250", "Shipped")).await;
}

#[tokio::test]
async fn intercom_paddle_and_pagerduty_sign_in_ways_of_their_own() {
    let template = lead(r#""\($vars.who) \(.id)""#, ".name");
    for who in ["intercom", "paddle", "pagerduty"] {
        let hook = hook(&format!("vars = {{ who = \"{who}\" }}"));
        let sender = Sender::configured(who, &named(who), LEADS, &hook, &template).await;
        let body = json!({"id": "i1", "name": format!("from {who}")}).to_string();
        is_delivered_once(&sender, &JSON, &body, (&format!("{who} i1"), &format!("from {who}"))).await;
    }
}

#[tokio::test]
async fn a_second_equal_reading_of_a_device_is_another_one() {
    let signature = "[client.signature]\nscheme = \"hmac\"\nheader = \"X-Signature\"\nsecret_env = \"SECRET\"";
    let hook =
        hook("route = \"create_data\"\nsame_content = \"new\"").replacen("route = \"create_update_data\"\n", "", 1);
    let template = "{payload: {name: \"reading of \\(.sensor)\", referred: \"\\(.celsius)\"}}";
    let sender = Sender::configured("device", signature, LEADS, &hook, template).await;
    let body = json!({"sensor": "hall 7", "celsius": 21.5}).to_string();
    sender.refuses_others(&JSON, &body).await;
    for count in 1..=2 {
        sender.takes(now(), &JSON, &body).await;
        let readings = sender.odoo.search_count("crm.lead", json!([["name", "=", "reading of hall 7"]])).await;
        assert_eq!(readings, count);
    }
}

/// A program that shows a token in a header and sends files of any form.
async fn with_token(who: &'static str, hook: &str, template: &str) -> Sender {
    let signature = "[client.signature]\nscheme = \"token\"\nheader = \"X-Token\"\nsecret_env = \"SECRET\"";
    Sender::configured(who, signature, LEADS, hook, template).await
}

#[tokio::test]
async fn csv_ndjson_xml_and_edi_are_read() {
    let many = |rows: &str, key: &str, name: &str| {
        format!(
            "[{rows} | ({key}) as $key | {{vals: {{search_key: {{referred: $key}}, payload: {{referred: $key, name: {name}}}}}}}]"
        )
    };
    // EDIFACT has segments that end with an apostrophe, and parts between plus signs.
    let edi = r#"[split("'")[] | split("+") | select(.[0] == "BGM")] | .[0][2] as $key
                 | {search_key: {referred: "edi \($key)"}, payload: {referred: "edi \($key)", name: "Order \($key)"}}"#;
    let edi_body = "UNH+1+ORDERS:D:96A:UN'BGM+220+PO4711+9'DTM+137:20260304:102'UNT+4+1'";
    for (content_type, form, template, body, expected) in [
        (
            "text/csv",
            "auto",
            many(".[]", "\"csv \\(.number)\"", ".title"),
            "number;title\r\n1;One, two\r\n2;\"Three; four\"\r\n",
            vec![("csv 1", "One, two"), ("csv 2", "Three; four")],
        ),
        (
            "application/x-ndjson",
            "auto",
            many(".[]", "\"nd \\(.number)\"", ".title"),
            "{\"number\": 1, \"title\": \"A\"}\n{\"number\": 2, \"title\": \"B\"}\n",
            vec![("nd 1", "A"), ("nd 2", "B")],
        ),
        (
            "application/xml",
            "auto",
            many(".orders.order[]", "\"xml \\(.[\"@number\"])\"", ".title"),
            "<orders><order number=\"1\"><title>A</title></order><order number=\"2\"><title>B</title></order></orders>",
            vec![("xml 1", "A"), ("xml 2", "B")],
        ),
        ("application/edifact", "text", edi.to_owned(), edi_body, vec![("edi PO4711", "Order PO4711")]),
    ] {
        let sender = with_token(
            "file",
            &hook(&format!("body = \"{form}\"\ndelivery_id = 'digest(\"sha256\"; tojson)'")),
            &template,
        )
        .await;
        let headers = [("Content-Type", content_type), ("X-Token", &*sender.secret)];
        let refused = sender.send("POST", &sender.path, &headers[..1], Some(body)).await;
        assert_eq!(refused.status, 401, "{content_type}: {refused:?}");
        for _ in 0..2 {
            sender.takes(now(), &headers, body).await;
        }
        for (key, title) in expected {
            assert_eq!(name(&sender, key).await, title, "{content_type}");
        }
    }
}

/// A pair of keys of RSA, the public one in a file.
fn rsa_key() -> (RsaKeyPair, String) {
    let pair = RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let public =
        aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    (pair, pem(public.as_ref()))
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

fn by_rsa(pair: &RsaKeyPair, signed: &[u8]) -> String {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature).unwrap();
    STANDARD.encode(signature)
}

/// With the public key in a file of its own, which stays for as long as the gateway runs.
fn key_file(key: &str) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), key).unwrap();
    let entry = format!("public_key_file = \"{}\"", file.path().display());
    (file, entry)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shipstation_signs_with_rsa_and_what_its_url_names_is_fetched() {
    let api = Api::start("api-key: ", &[("/v2/labels/se-1", json!({"label_id": "se-1", "status": "completed"}))]).await;
    let (pair, public) = rsa_key();
    let (_file, key) = key_file(&public);
    let signature = format!("[client.signature]\nscheme = \"shipstation\"\n{key}");
    let fetch = "[hook.fetch]\nurl = \".resource_url\"\nallow = [\"https://api.shipengine.com/*\"]\nheader = \"API-Key\"\nsecret_env = \"MOLLIE_API_KEY\"";
    let hook = api.instead_of("https://api.shipengine.com", &hook(fetch));
    let template = lead(r#""shipstation \($fetched.label_id)""#, "$fetched.status");
    let sender = Sender::configured("shipstation", &signature, LEADS, &hook, &template).await;
    let body =
        json!({"resource_url": format!("{}/v2/labels/se-1", api.url), "resource_type": "LABEL_CREATED_V2"}).to_string();
    let send = async |signed: &str, time: i64| {
        let time = jiff::Timestamp::from_second(time).unwrap().to_string();
        let signature = by_rsa(&pair, format!("{time}.{signed}").as_bytes());
        let headers = [
            ("x-shipengine-rsa-sha256-signature", &*signature),
            ("x-shipengine-timestamp", &time),
            ("x-shipengine-rsa-sha256-key-id", "k1"),
            JSON[0],
        ];
        sender.send("POST", &sender.path, &headers, Some(&body)).await.status
    };
    assert_eq!(send("another body", now()).await, 401);
    for again in 0..2 {
        assert!(matches!(send(&body, now() + again).await, 200 | 202));
        sender.settled().await;
    }
    assert_eq!(name(&sender, "shipstation se-1").await, "completed");
}

#[tokio::test]
async fn paypal_signs_with_its_certificates_key_over_parts_and_a_checksum() {
    let (pair, public) = rsa_key();
    let (_file, key) = key_file(&public);
    let signature = format!(
        "[client.signature]\nscheme = \"public-key\"\nheader = \"Paypal-Transmission-Sig\"\nencoding = \"base64\"\n\
         timestamp_header = \"Paypal-Transmission-Time\"\n\
         signed = \"{{header:paypal-transmission-id}}|{{timestamp}}|WH-1|{{crc32}}\"\n{key}"
    );
    let template = lead(r#""paypal \(.id)""#, ".event_type");
    let sender = Sender::configured("paypal", &signature, LEADS, &hook("delivery_id = \".id\""), &template).await;
    let body = json!({"id": "WH-58D329510W468432D", "event_type": "PAYMENT.CAPTURE.COMPLETED"}).to_string();
    let send = async |signed: &str, time: i64| {
        let time = jiff::Timestamp::from_second(time).unwrap().to_string();
        let signature = by_rsa(&pair, format!("t1|{time}|WH-1|{}", crc32(signed.as_bytes())).as_bytes());
        let headers = [
            ("Paypal-Transmission-Sig", &*signature),
            ("Paypal-Transmission-Time", &time),
            ("Paypal-Transmission-Id", "t1"),
            ("Paypal-Auth-Algo", "SHA256withRSA"),
            JSON[0],
        ];
        sender.send("POST", &sender.path, &headers, Some(&body)).await.status
    };
    assert_eq!(send("another body", now()).await, 401);
    for again in 0..2 {
        assert!(matches!(send(&body, now() + again).await, 200 | 202));
        sender.settled().await;
    }
    assert_eq!(name(&sender, "paypal WH-58D329510W468432D").await, "PAYMENT.CAPTURE.COMPLETED");
}

/// CRC-32 as of zip.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[tokio::test]
async fn sendgrid_signs_with_ecdsa_and_sends_events_in_an_array() {
    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let public =
        aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    // SendGrid shows the key as base64 in one line.
    let (_file, key) = key_file(&STANDARD.encode(public.as_ref()));
    let signature = format!("[client.signature]\nscheme = \"sendgrid\"\n{key}");
    let template = r#"[.[] | {vals: {search_key: {referred: .sg_event_id}, payload: {referred: .sg_event_id, name: "\(.event): \(.email)"}}}]"#;
    let sender = Sender::configured("sendgrid", &signature, LEADS, &hook(""), template).await;
    let event = |id: &str, kind: &str| json!({"email": "ada@example.com", "event": kind, "sg_event_id": id, "timestamp": 1_600_112_492});
    let body = json!([event("sg1", "bounce"), event("sg2", "spamreport")]).to_string() + "\r\n";
    let send = async |signed: &str, time: i64| {
        let signature = pair.sign(&SystemRandom::new(), format!("{time}{signed}").as_bytes()).unwrap();
        let (signature, time) = (STANDARD.encode(signature.as_ref()), time.to_string());
        let headers = [
            ("X-Twilio-Email-Event-Webhook-Signature", &*signature),
            ("X-Twilio-Email-Event-Webhook-Timestamp", &time),
            JSON[0],
        ];
        sender.send("POST", &sender.path, &headers, Some(&body)).await.status
    };
    assert_eq!(send("another body", now()).await, 401);
    for again in 0..2 {
        assert!(matches!(send(&body, now() + again).await, 200 | 202));
        sender.settled().await;
    }
    assert_eq!(name(&sender, "sg1").await, "bounce: ada@example.com");
    assert_eq!(name(&sender, "sg2").await, "spamreport: ada@example.com");
}

#[tokio::test]
async fn trello_asks_by_head_and_asana_has_its_secret_echoed() {
    let hook = |more: &str| hook(&format!("delivery_id = \".action.id\"\n{more}"));
    let template = lead(r#""trello \(.action.id)""#, ".action.type");
    let asks = "handshake = 'if $method == \"HEAD\" then {status: 200} else null end'";
    let sender = Sender::configured("trello", &named("trello"), LEADS, &hook(asks), &template).await;
    assert_eq!(sender.send("HEAD", &sender.path, &[], None).await.status, 200);
    let body = json!({"action": {"id": "51f9424bcd6e040f3c002412", "type": "updateCard"}}).to_string();
    is_delivered_once(&sender, &JSON, &body, ("trello 51f9424bcd6e040f3c002412", "updateCard")).await;

    let asks = "handshake = '$headers[\"x-hook-secret\"] | if . then {status: 200, headers: {\"x-hook-secret\": .}} else null end'";
    let signature = "[client.signature]\nscheme = \"hmac\"\nheader = \"X-Hook-Signature\"\nsecret_env = \"SECRET\"";
    let sender = Sender::configured("asana", signature, LEADS, &hook(asks), &template).await;
    let answer =
        sender.send("POST", &sender.path, &[("X-Hook-Secret", "b537207f20cbfa02357cf448134da559")], Some("{}")).await;
    assert_eq!(
        (answer.status, &answer.headers["x-hook-secret"]),
        (200, &"b537207f20cbfa02357cf448134da559".parse().unwrap())
    );
}

#[tokio::test]
async fn microsoft_graph_has_its_token_echoed_and_sends_several_notifications() {
    // The address that Microsoft is given has the key in it, so that its question is a delivery, too.
    let hook = hook(
        "delivery_id = 'digest(\"sha256\"; tojson)'\n\
         respond = '$query.validationToken | if . then {status: 200, headers: {\"content-type\": \"text/plain\"}, body: .} else null end'",
    );
    let signature = "[client.signature]\nscheme = \"token\"\nquery = \"key\"\nsecret_env = \"SECRET\"";
    let template = r#"if type != "object" then ignore("a question") else . end
        | [.value[] | "graph \(.resourceData.id)" as $key | {vals: {search_key: {referred: $key}, payload: {referred: $key, name: .changeType}}}]"#;
    let sender = Sender::configured("graph", signature, LEADS, &hook, template).await;
    let path = format!("/hooks/sender?key={}", sender.secret);
    let asked = format!("{path}&validationToken=Validation%3A+Testing+client+application+reachability");
    for _ in 0..2 {
        let answer = sender.send("POST", &asked, &[("Content-Type", "text/plain; charset=utf-8")], Some("")).await;
        assert_eq!((answer.status, &*answer.text), (200, "Validation: Testing client application reachability"));
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/plain"), "{answer:?}");
    }

    let event = |id: &str| json!({"subscriptionId": "s", "changeType": "updated", "resource": "users/1", "resourceData": {"id": id}});
    let body = json!({"value": [event("m1"), event("m2")]}).to_string();
    assert_eq!(sender.send("POST", "/hooks/sender?key=wrong", &JSON, Some(&body)).await.status, 401);
    for _ in 0..2 {
        let answer = sender.send("POST", &path, &JSON, Some(&body)).await;
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        sender.settled().await;
    }
    assert_eq!(
        (name(&sender, "graph m1").await, name(&sender, "graph m2").await),
        (json!("updated"), json!("updated"))
    );
    assert!(!sender.gateway.log_text().contains(&sender.secret), "the token is logged");
}

#[tokio::test]
async fn ebays_challenge_is_answered_with_a_digest() {
    let hook = hook(
        "vars = { endpoint = \"https://hooks.example.com/hooks/sender/\" }\ndelivery_id = \".notification.notificationId\"\n\
         handshake = '''\n$query.challenge_code | if . then {status: 200, body: {challengeResponse: digest(\"sha256\"; . + $secret + $vars.endpoint)}} else null end\n'''",
    )
    .replacen("/hooks/sender\"", "/hooks/sender/{token}\"", 1);
    let signature = "[client.signature]\nscheme = \"token\"\npath = true\nsecret_env = \"SECRET\"";
    let template = lead(r#""ebay \(.notification.notificationId)""#, ".metadata.topic");
    let sender = Sender::configured("ebay", signature, LEADS, &hook, &template).await;
    let answer = sender.send("GET", &format!("{}?challenge_code=a8628072", sender.path), &[], None).await;
    let signed = format!("a8628072{}https://hooks.example.com/hooks/sender/", sender.secret);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, signed.as_bytes());
    let said: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(said, json!({"challengeResponse": super::signing::hexadecimal(digest.as_ref())}));

    let body = json!({"metadata": {"topic": "MARKETPLACE_ACCOUNT_DELETION"}, "notification": {"notificationId": "49feeaeb-4982-42d9-a377-9645b8479411"}}).to_string();
    assert_eq!(sender.send("POST", "/hooks/sender/wrong", &JSON, Some(&body)).await.status, 401);
    for _ in 0..2 {
        assert!(matches!(sender.send("POST", &sender.path, &JSON, Some(&body)).await.status, 200 | 202));
        sender.settled().await;
    }
    assert_eq!(name(&sender, "ebay 49feeaeb-4982-42d9-a377-9645b8479411").await, "MARKETPLACE_ACCOUNT_DELETION");
}
