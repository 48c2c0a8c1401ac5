//! Each named scheme: what its sender signs is taken, and nothing else. The signatures are those of `sign`, which the vectors
//! of the senders themselves (in the other files) hold to be right.

use super::*;

/// The body that a sender of this scheme sends, with its content type.
fn sample(scheme: &str) -> (&'static str, &'static str) {
    let form = "application/x-www-form-urlencoded";
    match scheme {
        "twilio" => (form, "From=%2B4915112345&Body=Hello+World&Body=again"),
        "adyen" => (
            "application/json",
            "{\"live\":\"false\",\"notificationItems\":[\
             {\"NotificationRequestItem\":{\"pspReference\":\"1\",\"amount\":{\"value\":1,\"currency\":\"EUR\"}}},\
             {\"NotificationRequestItem\":{\"pspReference\":\"2\",\"eventCode\":\"REFUND\",\"success\":\"true\"}}]}",
        ),
        _ => ("application/json", "{\"a\": 1}"),
    }
}

fn secret(scheme: &str) -> &'static str {
    match scheme {
        "standard-webhooks" => WHSEC,
        "adyen" => "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
        "postmark" => "user:pass word",
        _ => "the secret",
    }
}

struct Sent {
    line: RequestLine,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// A request as its sender makes it at this time.
fn send(verifier: &Verifier, scheme: &str, now: Timestamp) -> Sent {
    let (kind, body) = sample(scheme);
    let mut headers = headers(&[("content-type", kind)]);
    let line =
        RequestLine { origin: "https://hooks.example.com".to_owned(), ..RequestLine::post("/hooks/x?a=%3A1&b=2") };
    let signed = verifier.sign(&line, &headers, body.as_bytes(), now).unwrap();
    headers.extend(signed.headers);
    Sent { line, headers, body: signed.body.unwrap_or_else(|| body.as_bytes().to_vec()) }
}

impl Sent {
    fn verify(&self, verifier: &Verifier) -> Result<Option<Delivery>, Refused> {
        verifier.verify(&self.line, &self.headers, &self.body)
    }
}

const SIGNED: [&str; 23] = [
    "standard-webhooks",
    "shopify",
    "github",
    "meta",
    "stripe",
    "slack",
    "zoom",
    "square",
    "hubspot",
    "zendesk",
    "typeform",
    "calendly",
    "xero",
    "razorpay",
    "twilio",
    "woocommerce",
    "paddle",
    "pagerduty",
    "intercom",
    "docusign",
    "trello",
    "mailgun",
    "adyen",
];

fn is_wrong(refused: &Refused) -> bool {
    matches!(refused, Refused::Wrong | Refused::WrongAt(_))
}

#[test]
fn what_a_sender_signs_is_taken_and_with_another_body_secret_or_time_is_not() {
    let now = Timestamp::now();
    for scheme in SIGNED {
        let lines = format!("scheme = \"{scheme}\"");
        let own = verifier(&lines, &[secret(scheme)]).unwrap();
        let sent = send(&own, scheme, now);
        assert!(sent.verify(&own).is_ok(), "{scheme}: {:?}", sent.verify(&own));

        let is_in_body = matches!(scheme, "mailgun" | "adyen");
        if !is_in_body {
            let mut changed = send(&own, scheme, now);
            let last = changed.body.len() - 2;
            changed.body[last] ^= 1;
            assert!(is_wrong(&changed.verify(&own).unwrap_err()), "{scheme}: another body");
        }

        let other = match scheme {
            "standard-webhooks" => "whsec_c2VjcmV0",
            "adyen" => "00",
            _ => "another secret",
        };
        let others = verifier(&lines, &[other]).unwrap();
        assert!(is_wrong(&sent.verify(&others).unwrap_err()), "{scheme}: another secret");
        let both = verifier(&lines, &[other, secret(scheme)]).unwrap();
        assert!(sent.verify(&both).is_ok(), "{scheme}: the secret of before");

        let is_timed = send(&own, scheme, now - jiff::SignedDuration::from_hours(49)).verify(&own);
        let has_time = matches!(
            scheme,
            "standard-webhooks"
                | "stripe"
                | "slack"
                | "zoom"
                | "hubspot"
                | "zendesk"
                | "calendly"
                | "paddle"
                | "mailgun"
        );
        assert_eq!(matches!(is_timed, Err(Refused::Stale { .. })), has_time, "{scheme}: {is_timed:?}");
    }
}

#[test]
fn a_header_of_a_signature_that_is_missing_doubled_or_too_long_is_named() {
    for scheme in SIGNED.into_iter().filter(|scheme| !matches!(*scheme, "mailgun" | "adyen")) {
        let own = verifier(&format!("scheme = \"{scheme}\""), &[secret(scheme)]).unwrap();
        let complete = send(&own, scheme, Timestamp::now());
        let names: Vec<HeaderName> = complete.headers.keys().filter(|name| *name != "content-type").cloned().collect();
        assert!(!names.is_empty(), "{scheme}");
        for name in names {
            let with = |change: &dyn Fn(&mut HeaderMap)| {
                let mut sent = send(&own, scheme, Timestamp::now());
                change(&mut sent.headers);
                sent.verify(&own).unwrap_err()
            };
            let missing = with(&|headers| drop(headers.remove(&name)));
            assert_eq!(missing, Refused::no_header(&name), "{scheme}");
            let malformed = Refused::bad_header(&name);
            let doubled = with(&|headers| {
                headers.append(&name, headers[&name].clone());
            });
            assert_eq!(doubled, malformed, "{scheme}");
            for value in [Vec::new(), vec![b'1'; LONGEST_HEADER + 1], "zwölf".as_bytes().to_vec()] {
                let value = HeaderValue::from_bytes(&value).unwrap();
                let refusal = with(&|headers| drop(headers.insert(&name, value.clone())));
                assert_eq!(refusal, malformed, "{scheme}");
            }
        }
    }
}

#[test]
fn an_attempt_that_is_signed_anew_is_the_same_delivery_and_a_changed_one_is_not() {
    let now = Timestamp::now();
    for scheme in ["stripe", "slack", "zoom", "hubspot", "zendesk", "calendly", "paddle", "github", "square"] {
        let own = verifier(&format!("scheme = \"{scheme}\""), &[secret(scheme)]).unwrap();
        let key = |sent: Sent| sent.verify(&own).unwrap().unwrap().key();
        let first = key(send(&own, scheme, now - jiff::SignedDuration::from_secs(60)));
        assert_eq!(first, key(send(&own, scheme, now)), "{scheme}");
        let signed = |body: &str| {
            let line = RequestLine::post("/hooks/x");
            let headers = own.sign(&line, &HeaderMap::new(), body.as_bytes(), now).unwrap().headers;
            key(Sent { line, headers, body: body.as_bytes().to_vec() })
        };
        assert_ne!(signed("{}"), signed("{ }"), "{scheme}");
    }
}

/// twilio-python, tests/unit/test_request_validator.py.
#[test]
fn twilios_own_vectors_are_right() {
    let own = verifier("scheme = \"twilio\"", &["12345"]).unwrap();
    let form = "application/x-www-form-urlencoded";
    let call = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309";
    let json = "{\"property\": \"value\", \"boolean\": true}";
    let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let with_hash = format!("/myapp.php?foo=1&bar=2&bodySHA256={hash}");
    let of_other = format!("/myapp.php?foo=1&bar=2&bodySHA256={}", hash.replace('0', "1"));
    let verify = |target: &str, kind: &str, body: &str, signature: &str| {
        let line = RequestLine { origin: "https://mycompany.com".to_owned(), ..RequestLine::post(target) };
        own.verify(&line, &headers(&[("content-type", kind), ("X-Twilio-Signature", signature)]), body.as_bytes())
    };
    let target = "/myapp.php?foo=1&bar=2";
    assert!(verify(target, form, call, "RSOYDt4T1cUTdK1PDd93/VVr8B8=").is_ok());
    assert!(
        verify(target, form, "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234", "IK+Dwps556ElfBT0I3Rgjkr1wJU=")
            .is_ok()
    );
    assert!(verify(&with_hash, "application/json", json, "a9nBmqA0ju/hNViExpshrM61xv4=").is_ok());
    assert_eq!(
        verify(&with_hash, "application/json", "{}", "a9nBmqA0ju/hNViExpshrM61xv4=").unwrap_err(),
        Refused::Wrong,
        "another body than the one with this hash"
    );
    assert_eq!(
        verify(&of_other, "application/json", json, "a9nBmqA0ju/hNViExpshrM61xv4=").unwrap_err(),
        Refused::Wrong
    );
    let no_hash = verify(target, "application/json", json, "RSOYDt4T1cUTdK1PDd93/VVr8B8=").unwrap_err();
    assert_eq!(no_hash, Refused::bad_header(&http::header::CONTENT_TYPE));
}
