//! How each sender signs, by its documentation.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::Value;

/// The secret of a sender, in the form that it has there.
pub(super) fn secret(name: &str) -> String {
    match name {
        // Hexadecimal.
        "adyen" => "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056".to_owned(),
        "postmark" => "mailbox:4f1c9d7e2b8a".to_owned(),
        "bigcommerce" => format!("whsec_{}", STANDARD.encode("the secret of a shop")),
        _ => format!("4f1c9d7e2b8a4f1c9d7e2b8a{name}"),
    }
}

/// A secret of the same form.
pub(super) fn other(secret: &str) -> String {
    secret.replace('4', "5").replace("whsec_d", "whsec_e")
}

pub(super) fn mac(algorithm: hmac::Algorithm, secret: &[u8], signed: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, secret), signed.as_bytes()).as_ref().to_vec()
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(secret: &str, signed: &str) -> Vec<u8> {
    mac(hmac::HMAC_SHA256, secret.as_bytes(), signed)
}

/// The headers that prove who sends the body to the URL. Where the body or the URL proves it, there are none.
pub(super) fn signed(name: &str, secret: &str, url: &str, time: i64, body: &str) -> Vec<(&'static str, String)> {
    let hex = |signed: &str| hexadecimal(&sha256(secret, signed));
    let base64 = |signed: &str| STANDARD.encode(sha256(secret, signed));
    match name {
        "shopify" => vec![("X-Shopify-Hmac-Sha256", base64(body))],
        "woocommerce" => vec![("X-WC-Webhook-Signature", base64(body))],
        "xero" => vec![("x-xero-signature", base64(body))],
        "docusign" => vec![("X-DocuSign-Signature-1", base64(body))],
        "stripe" => vec![("Stripe-Signature", format!("t={time},v1={}", hex(&format!("{time}.{body}"))))],
        "calendly" => vec![("Calendly-Webhook-Signature", format!("t={time},v1={}", hex(&format!("{time}.{body}"))))],
        "paddle" => vec![("Paddle-Signature", format!("ts={time};h1={}", hex(&format!("{time}:{body}"))))],
        "pagerduty" => vec![("X-PagerDuty-Signature", format!("v1={},v1={}", "0".repeat(64), hex(body)))],
        "github" | "meta" => vec![("X-Hub-Signature-256", format!("sha256={}", hex(body)))],
        "intercom" => {
            let sha1 = mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes(), body);
            vec![("X-Hub-Signature", format!("sha1={}", hexadecimal(&sha1)))]
        }
        "typeform" => vec![("Typeform-Signature", format!("sha256={}", base64(body)))],
        "razorpay" => vec![("X-Razorpay-Signature", hex(body))],
        "device" => vec![("X-Signature", hex(body))],
        "slack" | "zoom" => {
            let signature = format!("v0={}", hex(&format!("v0:{time}:{body}")));
            match name {
                "slack" => vec![("X-Slack-Signature", signature), ("X-Slack-Request-Timestamp", time.to_string())],
                _ => vec![("x-zm-signature", signature), ("x-zm-request-timestamp", time.to_string())],
            }
        }
        "square" => vec![("x-square-hmacsha256-signature", base64(&format!("{url}{body}")))],
        "hubspot" => {
            let millis = format!("{}", time * 1000 + 123);
            vec![
                ("X-HubSpot-Signature-v3", base64(&format!("POST{url}{body}{millis}"))),
                ("X-HubSpot-Request-Timestamp", millis),
            ]
        }
        "zendesk" => {
            let time = Timestamp::from_second(time).unwrap().to_string();
            vec![
                ("X-Zendesk-Webhook-Signature", base64(&format!("{time}{body}"))),
                ("X-Zendesk-Webhook-Signature-Timestamp", time),
            ]
        }
        "twilio" => {
            let form = reqwest::Url::parse(&format!("http://form/?{body}")).unwrap();
            let mut fields: Vec<(String, String)> = form.query_pairs().into_owned().collect();
            fields.sort();
            let fields: String = fields.into_iter().map(|(name, value)| name + &value).collect();
            let sha1 = mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes(), &format!("{url}{fields}"));
            vec![("X-Twilio-Signature", STANDARD.encode(sha1))]
        }
        "trello" => {
            let sha1 = mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes(), &format!("{body}{url}"));
            vec![("X-Trello-Webhook", STANDARD.encode(sha1))]
        }
        "gitlab" => vec![("X-Gitlab-Token", secret.to_owned())],
        "postmark" => vec![("Authorization", format!("Basic {}", STANDARD.encode(secret)))],
        "bigcommerce" => {
            let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
            let id = "msg_bigcommerce";
            let signature = STANDARD.encode(mac(hmac::HMAC_SHA256, &key, &format!("{id}.{time}.{body}")));
            vec![
                ("webhook-id", id.to_owned()),
                ("webhook-timestamp", time.to_string()),
                ("webhook-signature", format!("v1,{signature}")),
            ]
        }
        _ => vec![],
    }
}

/// documentation.mailgun.com, "Securing webhooks": the time and a token, in hexadecimal.
pub(super) fn by_mailgun(secret: &str, time: i64, token: &str) -> String {
    hexadecimal(&sha256(secret, &format!("{time}{token}")))
}

/// docs.adyen.com, "Verify HMAC signatures": these fields with colons between them.
pub(super) fn by_adyen(secret: &str, item: &Value) -> String {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace('\\', "\\\\").replace(':', "\\:"),
        other => other.to_string(),
    };
    let fields = [
        &item["pspReference"],
        &item["originalReference"],
        &item["merchantAccountCode"],
        &item["merchantReference"],
        &item["amount"]["value"],
        &item["amount"]["currency"],
        &item["eventCode"],
        &item["success"],
    ];
    let key: Vec<u8> =
        (0..secret.len()).step_by(2).map(|at| u8::from_str_radix(&secret[at..at + 2], 16).unwrap()).collect();
    STANDARD.encode(mac(hmac::HMAC_SHA256, &key, &fields.map(text).join(":")))
}
