//! Signatures within the body: Mailgun's and Adyen's.

use super::*;

const ADYEN: &str = "scheme = \"adyen\"";
const ADYENS_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
/// docs.adyen.com, "Verify HMAC signatures", and the specs of Adyen's libraries.
const ADYENS_ITEM: &str = "{\"NotificationRequestItem\":{\"additionalData\":{\
    \"hmacSignature\":\"coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=\"},\"amount\":{\"value\":1130,\"currency\":\"EUR\"},\
    \"pspReference\":\"7914073381342284\",\"eventCode\":\"AUTHORISATION\",\
    \"eventDate\":\"2019-05-06T17:15:34.121+02:00\",\"merchantAccountCode\":\"TestMerchant\",\
    \"operations\":[\"CANCEL\"],\"merchantReference\":\"TestPayment-1407325143704\",\"paymentMethod\":\"visa\",\
    \"success\":\"true\"}}";

fn adyens(items: &[&str]) -> Result<Option<Delivery>, Refused> {
    let body = format!("{{\"live\":\"false\",\"notificationItems\":[{}]}}", items.join(","));
    verify(ADYEN, ADYENS_KEY, &[], body.as_bytes())
}

#[test]
fn adyens_own_vector_is_right_and_each_item_must_be() {
    assert!(adyens(&[ADYENS_ITEM]).is_ok(), "{:?}", adyens(&[ADYENS_ITEM]));
    assert!(adyens(&[ADYENS_ITEM, ADYENS_ITEM]).is_ok());
    for (old, new) in [
        ("1130", "1131"),
        ("EUR", "USD"),
        ("7914073381342284", "7914073381342285"),
        ("AUTHORISATION", "REFUND"),
        ("TestMerchant", "Other"),
        ("TestPayment", "test"),
        ("\"success\":\"true\"", "\"success\":\"false\""),
        ("\"paymentMethod\"", "\"originalReference\":\"1\",\"paymentMethod\""),
    ] {
        let changed = ADYENS_ITEM.replace(old, new);
        assert_ne!(changed, ADYENS_ITEM);
        assert_eq!(adyens(&[&changed]).unwrap_err(), Refused::Wrong, "{new}");
        assert_eq!(adyens(&[ADYENS_ITEM, &changed]).unwrap_err(), Refused::Wrong, "{new}");
    }
    let unsigned = ADYENS_ITEM.replace("hmacSignature", "other");
    let refusal = adyens(&[ADYENS_ITEM, &unsigned]).unwrap_err();
    assert!(refusal.to_string().contains("additionalData.hmacSignature` of the body"), "{refusal}");
    assert_eq!(adyens(&[]).unwrap_err(), Refused::Missing(Place::Body("notificationItems")));
    // Which of two values a template would see is anybody's guess.
    let twice = ADYENS_ITEM.replace("\"eventCode\"", "\"pspReference\":\"1\",\"eventCode\"");
    assert_eq!(adyens(&[&twice]).unwrap_err(), Refused::Malformed(Place::Body("notificationItems")));
    for body in ["", "{}", "[]", "{\"notificationItems\": 1}"] {
        let refusal = verify(ADYEN, ADYENS_KEY, &[], body.as_bytes()).unwrap_err();
        assert_eq!(refusal, Refused::Malformed(Place::Body("notificationItems")), "{body}");
    }
    assert_eq!(verifier(ADYEN, &["no hex"]).err(), Some(NoKey::Hex));
}

const KEY: &str = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0";

/// A body of Mailgun's, with its content type.
fn mailguns(kind: &str, time: &str, token: &str, secret: &str) -> (String, String) {
    let signature = sign(secret.as_bytes(), &[time.as_bytes(), token.as_bytes()]);
    let part = |name: &str, value: &str| {
        format!("--b-1\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    match kind {
        "json" => (
            "application/json".to_owned(),
            format!(
                "{{\"signature\":{{\"timestamp\":\"{time}\",\"token\":\"{token}\",\"signature\":\"{signature}\"}},\
                 \"event-data\":{{\"id\":\"1\"}}}}"
            ),
        ),
        "form" => (
            "application/x-www-form-urlencoded".to_owned(),
            format!("from=a%40b&timestamp={time}&token={token}&signature={signature}"),
        ),
        _ => (
            "multipart/form-data; boundary=\"b-1\"".to_owned(),
            format!(
                "{}--b-1\r\nContent-Disposition: form-data; name=\"attachment-1\"; filename=\"x\"\r\n\r\n\
                 name=\"token\"\r\n\r\n{}{}{}--b-1--\r\n",
                part("from", "a@b"),
                part("timestamp", time).replacen("--b-1", "x\r\n--b-1", 1),
                part("token", token),
                part("signature", &signature)
            ),
        ),
    }
}

fn verify_mailgun((kind, body): (String, String)) -> Result<Option<Delivery>, Refused> {
    verify("scheme = \"mailgun\"", KEY, &[("content-type", &kind)], body.as_bytes())
}

#[test]
fn mailguns_signature_is_found_in_json_forms_and_multipart_and_its_token_is_the_identity() {
    let now = Timestamp::now().as_second();
    let (time, later) = (now.to_string(), (now - 3600).to_string());
    let key = |body| verify_mailgun(body).unwrap().unwrap();
    let first = key(mailguns("json", &time, "aa11", KEY));
    assert_eq!(first.known_for(), None, "a token is never used twice");
    for kind in ["json", "form", "multipart"] {
        let again = key(mailguns(kind, &later, "aa11", KEY));
        assert_eq!(again.key(), first.key(), "{kind}");
        assert_ne!(key(mailguns(kind, &time, "aa12", KEY)).key(), first.key(), "{kind}");
        assert_eq!(verify_mailgun(mailguns(kind, &time, "aa11", "other")).unwrap_err(), Refused::Wrong, "{kind}");
        let stale = verify_mailgun(mailguns(kind, &(now - 90_000).to_string(), "aa11", KEY));
        assert!(matches!(stale, Err(Refused::Stale { .. })), "{kind}: {stale:?}");
        let (declared, body) = mailguns(kind, &time, "aa11", KEY);
        let without = verify_mailgun((declared, body.replace("token", "other"))).unwrap_err();
        assert!(
            matches!(without, Refused::Missing(Place::Body(_)) | Refused::Malformed(Place::Body(_))),
            "{without:?}"
        );
    }
    let (kind, body) = mailguns("form", &time, "aa11", KEY);
    assert_eq!(
        verify_mailgun((kind, format!("{body}&token=aa12"))).unwrap_err(),
        Refused::Malformed(Place::Body("token")),
        "a field that stands twice"
    );
}

#[test]
fn a_body_that_cannot_hold_a_signature_is_not_signed() {
    for scheme in ["adyen", "mailgun"] {
        let own = verifier(&format!("scheme = \"{scheme}\""), &["5b3c1d"]).unwrap();
        for body in ["7", "[]", "{\"notificationItems\": 7}", "{\"notificationItems\": [7]}", "x"] {
            let signed = own.sign(&RequestLine::post("/hooks/x"), &HeaderMap::new(), body.as_bytes(), Timestamp::now());
            assert!(signed.is_err() || scheme == "mailgun" && body.starts_with('{'), "{scheme} {body}");
        }
    }
}
