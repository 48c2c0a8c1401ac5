//! How senders prove themselves: each kind of signature, tokens, and what they sign of the request itself.

use std::{fs, io::Write};

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::json;
use tempfile::NamedTempFile;

use super::{CONTACT, SECRET, contact, contacts_named, deliver, headers, hexadecimal, is, mac, now, outcome};
use crate::support::{
    gateway::{Gateway, configuration},
    odoo::odoo,
    poll_for,
};

/// The HMAC key of Adyen's is hexadecimal.
const HEX: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
const USER: &str = "shop:pass word";

/// A gateway with a client and a hook for each of these: its name, and the lines of its signature.
struct Senders {
    gateway: Gateway,
    _template: NamedTempFile,
}

impl Senders {
    async fn start(template: &str, senders: &[(&str, &str)], trusted: &str) -> Self {
        let odoo = odoo().await;
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(template.as_bytes()).unwrap();
        let mut more = String::new();
        for (name, signature) in senders {
            more += &format!(
                "[[client]]\nname = \"{name}\"\nodoo_login = \"{}\"\nodoo_key_env = \"ODOO_KEY\"\n\
                 routes = [\"create_data\"]\nmodels = {{ allow = [\"res.partner\"] }}\n\
                 [client.signature]\n{signature}\n[[hook]]\npath = \"/hooks/{name}\"\nclient = \"{name}\"\n\
                 route = \"create_data\"\nmodel = \"res.partner\"\ntemplate = \"{}\"\naccept = \"answer\"\n",
                odoo.login,
                file.path().display()
            );
        }
        let config = configuration(&odoo.url, &odoo.database, &more);
        let config = config.replacen("[admin]", &format!("trusted_proxies = [{trusted}]\n[admin]"), 1);
        let variables = [("SECRET", SECRET), ("HEX", HEX), ("USER", USER), ("ODOO_KEY", &odoo.key)];
        Self { gateway: Gateway::with_configuration(&config, &variables), _template: file }
    }

    async fn send(&self, path: &str, sent: HeaderMap, body: &str) -> (u16, String) {
        outcome(&deliver(&self.gateway, &format!("/hooks/{path}"), sent, body).await)
    }
}

fn scheme(name: &str) -> String {
    format!("scheme = \"{name}\"\nsecret_env = \"SECRET\"")
}

#[tokio::test]
async fn attempts_that_are_signed_anew_are_one_delivery() {
    let schemes =
        ["stripe", "slack", "zoom", "calendly", "paddle", "zendesk", "hubspot"].map(|name| (name, scheme(name)));
    let senders: Vec<(&str, &str)> = schemes.iter().map(|(name, lines)| (*name, &**lines)).collect();
    let senders = Senders::start(CONTACT, &senders, "").await;
    for (name, _) in &schemes {
        let (body, contact) = contact();
        let url = format!("{}/hooks/{name}", senders.gateway.url);
        let signed = |away: i64, body: &str| {
            let time = now() + away;
            let text = |signed: String| hexadecimal(&mac(SECRET, &signed));
            let base64 = |signed: String| STANDARD.encode(mac(SECRET, &signed));
            let iso = Timestamp::from_second(time).unwrap().to_string();
            let ms = format!("{}000", time);
            match *name {
                "stripe" => {
                    headers(&[("Stripe-Signature", &format!("t={time},v1={}", text(format!("{time}.{body}"))))])
                }
                "calendly" => headers(&[(
                    "Calendly-Webhook-Signature",
                    &format!("t={time},v1={}", text(format!("{time}.{body}"))),
                )]),
                "paddle" => {
                    headers(&[("Paddle-Signature", &format!("ts={time};h1={}", text(format!("{time}:{body}"))))])
                }
                "slack" => headers(&[
                    ("X-Slack-Request-Timestamp", &time.to_string()),
                    ("X-Slack-Signature", &format!("v0={}", text(format!("v0:{time}:{body}")))),
                ]),
                "zoom" => headers(&[
                    ("x-zm-request-timestamp", &time.to_string()),
                    ("x-zm-signature", &format!("v0={}", text(format!("v0:{time}:{body}")))),
                ]),
                "zendesk" => headers(&[
                    ("X-Zendesk-Webhook-Signature-Timestamp", &iso),
                    ("X-Zendesk-Webhook-Signature", &base64(format!("{iso}{body}"))),
                ]),
                _ => headers(&[
                    ("X-HubSpot-Request-Timestamp", &ms),
                    ("X-HubSpot-Signature-v3", &base64(format!("POST{url}{body}{ms}"))),
                ]),
            }
        };
        assert_eq!(senders.send(name, signed(-1, &body), "{}").await, is(401, "signature_wrong"), "{name}");
        assert_eq!(senders.send(name, signed(-400, &body), &body).await, is(401, "signature_stale"), "{name}");
        assert_eq!(senders.send(name, signed(-60, &body), &body).await, is(200, "ok"), "{name}");
        assert_eq!(senders.send(name, signed(0, &body), &body).await, is(200, "replayed"), "{name}");
        assert_eq!(contacts_named(&contact).await, 1, "{name}");
    }
}

#[tokio::test]
async fn a_token_says_who_sends_is_kept_nowhere_and_leaves_equal_bodies_apart() {
    let token = |place: &str| format!("scheme = \"token\"\n{place}\nsecret_env = \"SECRET\"");
    let (query, header) = (token("query = \"hub\""), token("header = \"X-Hub\"\nprefix = \"Key \""));
    let basic = "scheme = \"postmark\"\nsecret_env = \"USER\"";
    let lines = [("gitlab", &*scheme("gitlab")), ("query", &query), ("header", &header), ("basic", basic)];
    let senders = Senders::start(CONTACT, &lines, "").await;
    let pair = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    let in_query = "query?a=1&hub=the%20secret+of%20now";
    for (path, sent) in [
        ("gitlab", headers(&[("X-Gitlab-Token", SECRET)])),
        ("header", headers(&[("X-Hub", &format!("Key {SECRET}"))])),
        (in_query, HeaderMap::new()),
        ("basic", headers(&[("Authorization", &pair(USER))])),
    ] {
        let (body, name) = contact();
        for _ in 0..2 {
            assert_eq!(senders.send(path, sent.clone(), &body).await, is(200, "ok"), "{path}");
        }
        assert_eq!(contacts_named(&name).await, 2, "{path}: it proves no content");
    }
    let twice = headers(&[("X-Gitlab-Token", SECRET), ("X-Gitlab-Token", SECRET)]);
    for (path, sent, code) in [
        ("gitlab", HeaderMap::new(), "signature_missing"),
        ("gitlab", headers(&[("X-Gitlab-Token", "the secret of No")]), "signature_wrong"),
        ("gitlab", twice, "signature_malformed"),
        ("header", headers(&[("X-Hub", SECRET)]), "signature_malformed"),
        ("query", HeaderMap::new(), "signature_missing"),
        ("query?hub=no", HeaderMap::new(), "signature_wrong"),
        ("query?hub=the+secret+of+now&hub=no", HeaderMap::new(), "signature_malformed"),
        ("basic", HeaderMap::new(), "no_credentials"),
        ("basic", headers(&[("Authorization", &pair("shop:no"))]), "unknown_client"),
        ("basic", headers(&[("Authorization", "Basic ?")]), "unreadable_credential"),
    ] {
        let answer = deliver(&senders.gateway, &format!("/hooks/{path}"), sent, "{\"name\": \"x\"}").await;
        assert_eq!(outcome(&answer), is(401, code), "{path}");
        let asks = answer.headers.get("www-authenticate").map(|value| value.to_str().unwrap());
        assert_eq!(asks, (path == "basic").then_some("Basic realm=\"odoo-gateway\""), "{path}: {code}");
    }
    let log = senders.gateway.log_text();
    assert!(log.contains("\"a\":\"1\""), "the rest of the query is kept");
    for secret in [SECRET, "secret%20of", "pass word", &STANDARD.encode(USER)] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn what_a_sender_called_is_what_a_trusted_proxy_or_the_configuration_says() {
    let own = scheme("square");
    let told = format!("{own}\npublic_url = \"https://told.example\"");
    let lines = [("square", &*own), ("told", &told)];
    let trusting = Senders::start(CONTACT, &lines, "\"127.0.0.1/32\"").await;
    let trusting_none = Senders::start(CONTACT, &lines, "").await;
    let signed = |url: &str, body: &str| {
        let signature = STANDARD.encode(mac(SECRET, &format!("{url}{body}")));
        headers(&[
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "shop.example"),
            ("x-square-hmacsha256-signature", &signature),
        ])
    };
    let body = || contact().0;
    for (senders, path, url, expected) in [
        (&trusting, "square?a=%2F", "https://shop.example/hooks/square?a=%2F", is(200, "ok")),
        (&trusting_none, "square", "https://shop.example/hooks/square", is(401, "signature_wrong")),
        (&trusting_none, "square", &format!("{}/hooks/square", trusting_none.gateway.url), is(200, "ok")),
        (&trusting, "told", "https://told.example/hooks/told", is(200, "ok")),
        (&trusting_none, "told", "https://told.example/hooks/told", is(200, "ok")),
    ] {
        let body = body();
        assert_eq!(senders.send(path, signed(url, &body), &body).await, expected, "{path} {url}");
    }
    let answer =
        deliver(&trusting_none.gateway, "/hooks/square", signed("https://shop.example/hooks/square", "{}"), "{}");
    let message = answer.await.json.to_string();
    assert!(message.contains(&trusting_none.gateway.url) && message.contains("`public_url`"), "{message}");
}

#[tokio::test]
async fn forms_are_signed_by_their_sorted_fields_and_mailguns_by_what_is_in_them() {
    let mailgun = scheme("mailgun");
    let lines = [("twilio", &*scheme("twilio")), ("mailgun", &mailgun)];
    let senders = Senders::start("{payload: {name: .Body}}", &lines, "").await;
    let (_, name) = contact();
    let form = format!("To=%2B1&Body={}", name.replace(' ', "+"));
    let sha1 = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
    let text = format!("{}/hooks/twilioBody{name}To+1", senders.gateway.url);
    let signature = STANDARD.encode(hmac::sign(&sha1, text.as_bytes()));
    let sent = headers(&[("Content-Type", "application/x-www-form-urlencoded"), ("X-Twilio-Signature", &signature)]);
    assert_eq!(senders.send("twilio", sent.clone(), &form.replace("B1", "B2")).await, is(401, "signature_wrong"));
    assert_eq!(senders.send("twilio", sent, &form).await, is(200, "ok"));
    assert_eq!(contacts_named(&name).await, 1);

    let mail = |token: &str, name: &str| {
        let time = now().to_string();
        let signature = hexadecimal(&mac(SECRET, &format!("{time}{token}")));
        [("Body", name), ("timestamp", &*time), ("token", token), ("signature", &signature)]
            .map(|(field, value)| format!("--b\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"))
            .concat()
            + "--b--\r\n"
    };
    let multipart = headers(&[("Content-Type", "multipart/form-data; boundary=b")]);
    let (_, name) = contact();
    let forged = mail("t1", &name).replace("\r\nt1\r\n", "\r\nt2\r\n");
    assert_eq!(senders.send("mailgun", multipart.clone(), &forged).await, is(401, "signature_wrong"));
    assert_eq!(senders.send("mailgun", multipart.clone(), &mail("t1", &name)).await, is(200, "ok"));
    // The token is the identity, whatever comes with it: nothing else is signed.
    assert_eq!(senders.send("mailgun", multipart, &mail("t1", "another name")).await, is(200, "replayed"));
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn each_item_of_adyens_must_be_signed() {
    let lines = [("adyen", "scheme = \"adyen\"\nsecret_env = \"HEX\"")];
    let template = "{payload: {name: .notificationItems[0].NotificationRequestItem.merchantReference}}";
    let senders = Senders::start(template, &lines, "").await;
    let (_, name) = contact();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &const_hex::decode(HEX).unwrap());
    let item = |psp: &str| {
        let text = format!("{psp}::Shop:{name}:1130:EUR:AUTHORISATION:true");
        json!({"NotificationRequestItem": {
            "additionalData": {"hmacSignature": STANDARD.encode(hmac::sign(&key, text.as_bytes()))},
            "amount": {"value": 1130, "currency": "EUR"}, "pspReference": psp, "eventCode": "AUTHORISATION",
            "merchantAccountCode": "Shop", "merchantReference": name, "success": "true"}})
    };
    let body = |items: &[serde_json::Value]| json!({"live": "false", "notificationItems": items}).to_string();
    let mut forged = item("2");
    forged["NotificationRequestItem"]["amount"]["value"] = 1.into();
    assert_eq!(senders.send("adyen", HeaderMap::new(), &body(&[item("1"), forged])).await, is(401, "signature_wrong"));
    assert_eq!(senders.send("adyen", HeaderMap::new(), &body(&[item("1"), item("2")])).await, is(200, "ok"));
    assert_eq!(contacts_named(&name).await, 1);
}

#[tokio::test]
async fn a_public_key_is_read_from_a_file_and_again_when_it_changes() {
    let key = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let (own, next) = (key(), key());
    let public = |key: &EcdsaKeyPair| STANDARD.encode(key.public_key().as_der().unwrap().as_ref());
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), public(&own)).unwrap();
    let lines = format!("scheme = \"sendgrid\"\npublic_key_file = \"{}\"", file.path().display());
    let senders = Senders::start(CONTACT, &[("sendgrid", &lines)], "").await;
    let signed = |key: &EcdsaKeyPair, body: &str| {
        let time = now().to_string();
        let signature = key.sign(&SystemRandom::new(), format!("{time}{body}").as_bytes()).unwrap();
        headers(&[
            ("X-Twilio-Email-Event-Webhook-Signature", &STANDARD.encode(signature)),
            ("X-Twilio-Email-Event-Webhook-Timestamp", &time),
        ])
    };
    let (body, name) = contact();
    assert_eq!(senders.send("sendgrid", signed(&next, &body), &body).await, is(401, "signature_wrong"));
    assert_eq!(senders.send("sendgrid", signed(&own, &body), &body).await, is(200, "ok"));
    assert_eq!(contacts_named(&name).await, 1);
    fs::write(file.path(), public(&next)).unwrap();
    let (body, _) = contact();
    poll_for(async || senders.send("sendgrid", signed(&next, &body), &body).await == is(200, "ok")).await;
}
