//! The vectors that the schemes themselves publish, and what is no signature of theirs.

mod in_body;
mod parts;
mod public_key;
mod senders;
mod token;

use aws_lc_rs::hmac;
use base64::Engine;
use http::HeaderValue;

use super::{
    value::{BASE64, LONGEST_HEADER, hexadecimal},
    *,
};

const SHA256: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
const SLACK: &str = "scheme = \"hmac\"\nheader = \"X-Slack-Signature\"\nprefix = \"v0=\"\n\
                     timestamp_header = \"X-Slack-Request-Timestamp\"\nsigned = \"v0:{timestamp}:{body}\"";
/// That of the vectors of Standard Webhooks.
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn verifier(lines: &str, secrets: &[&str]) -> Result<Verifier, NoKey> {
    let signature: Signature = toml::from_str(&format!("{lines}\nsecret_env = \"A\"")).unwrap();
    let secrets: Vec<SecretString> = secrets.iter().map(|secret| (*secret).into()).collect();
    Verifier::new(&signature, Some(&secrets))
}

/// What a verifier of one secret makes of a request.
fn verify(lines: &str, secret: &str, sent: &[(&str, &str)], body: &[u8]) -> Result<Option<Delivery>, Refused> {
    verifier(lines, &[secret]).unwrap().verify(&RequestLine::post("/hooks/x"), &headers(sent), body)
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// The signature of `parts`, in hexadecimal digits.
fn sign(secret: &[u8], parts: &[&[u8]]) -> String {
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &parts.concat());
    mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A published signature, which is right for its body and no other. Those with a time are of long ago: that is looked at
/// behind the MAC, so it shows that the MAC is right.
#[track_caller]
fn check(lines: &str, secret: &str, sent: &[(&str, &str)], body: &[u8]) {
    let verified = verify(lines, secret, sent, body);
    assert!(matches!(verified, Ok(_) | Err(Refused::Stale { .. })), "{lines}: {verified:?}");
    let mut changed = body.to_vec();
    changed[0] ^= 1;
    assert_eq!(verify(lines, secret, sent, &changed).unwrap_err(), Refused::Wrong, "{lines}");
    let other = if secret == WHSEC { "whsec_c2VjcmV0" } else { "other" };
    assert_eq!(verify(lines, other, sent, body).unwrap_err(), Refused::Wrong, "{lines}");
}

/// github.com/standard-webhooks/standard-webhooks, libraries/javascript/src/webhook.test.ts.
#[test]
fn standard_webhooks_own_vector_is_right_also_among_others_and_under_the_names_of_svix() {
    let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    let several = format!("{wrong} {} {right} v1,no+base64", wrong.replace("v1", "v2"));
    for prefix in ["webhook", "svix"] {
        let [id, timestamp, signature] = ["id", "timestamp", "signature"].map(|what| format!("{prefix}-{what}"));
        for signatures in [right, &several] {
            let sent = [(&*id, "msg_p5jXN8AQM9LWM0D4loKWxJek"), (&*timestamp, "1614265330"), (&*signature, signatures)];
            check("scheme = \"standard-webhooks\"", WHSEC, &sent, b"{\"test\": 2432232314}");
        }
    }
}

/// docs.github.com, "Validating webhook deliveries".
#[test]
fn githubs_own_vector_is_right() {
    let signature = format!("sha256={SHA256}");
    let sent = [("X-Hub-Signature-256", &*signature)];
    check("scheme = \"github\"", "It's a Secret to Everybody", &sent, b"Hello, World!");
}

/// github.com/Shopify/shopify-api-js, packages/shopify-api/lib/webhooks/__tests__/validate.test.ts, and
/// github.com/Shopify/shopify-api-php, tests/Webhooks/RegistryTest.php.
#[test]
fn shopifys_own_vectors_are_right() {
    for (secret, body, signature) in [
        ("test_secret_key", &b"{\"foo\": \"bar\"}"[..], "B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g="),
        ("steffi", b"{\"foo\":\"bar\"}", "/Redz4YXHLnSmmSN8grr5/Jl/Ua3d7yX3iWbjb8R8wo="),
    ] {
        check("scheme = \"shopify\"", secret, &[("X-Shopify-Hmac-Sha256", signature)], body);
    }
}

/// github.com/stripe/stripe-dotnet, src/StripeTests: Resources/event_test_signature.json, and the headers of
/// Services/Events/EventUtilityTest.cs.
#[test]
fn stripes_own_vector_is_right_and_its_malformed_headers_are_told_as_that() {
    let body = "{\n  \"id\": \"evt_123\",\n  \"object\": \"event\",\n  \"account\": \"acct_123\",\n  \
        \"api_version\": \"2017-05-25\",\n  \"created\": 1533204620,\n  \"data\": {\n    \"object\": {\n      \
        \"id\": \"cus_123\",\n      \"object\": \"customer\",\n      \"created\": 123456789,\n      \
        \"email\": \"test@stripe.com\",\n      \"livemode\": false,\n      \"metadata\": {}\n    }\n  },\n  \
        \"livemode\": false,\n  \"pending_webhooks\": 1,\n  \"request\": {\n    \"id\": \"req_123\",\n    \
        \"idempotency_key\": \"idempotency-key-123\"\n  },\n  \"type\": \"customer.created\"\n}\n";
    assert_eq!(body.len(), 484);
    let (v1, v0) = (
        "2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c7",
        "63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef",
    );
    let (lines, secret) = ("scheme = \"stripe\"", "webhook_secret");
    let right = format!("t=1533204620,v1={v1},v0={v0}");
    let rolled = format!("t=1533204620,v1={v0},v1={v1}");
    for value in [right, rolled] {
        check(lines, secret, &[("Stripe-Signature", &value)], body.as_bytes());
    }
    // What an attacker would have taken for the other scheme.
    let other = format!("t=1533204620,v1={v0},v0={v1}");
    let refusal = verify(lines, secret, &[("Stripe-Signature", &other)], body.as_bytes()).unwrap_err();
    assert_eq!(refusal, Refused::Wrong);
    for value in [
        format!("t=,v1={v1},v0={v0}"),
        format!("t=1533204620,t=1,v1={v1}"),
        format!("t=1533204620,v0={v1}"),
        "t,v1=,v0=".to_owned(),
        "t,v1=,v0".to_owned(),
        "t,v1=,".to_owned(),
        "t,,".to_owned(),
        ",,".to_owned(),
        "t".to_owned(),
        " ".to_owned(),
    ] {
        let refusal = verify(lines, secret, &[("Stripe-Signature", &value)], body.as_bytes()).unwrap_err();
        assert_eq!(refusal, Refused::bad_header(&"stripe-signature".parse().unwrap()), "{value}");
    }
}

/// RFC 2202 and RFC 4231, test case 2 of each.
#[test]
fn the_rfcs_own_vectors_are_right_in_each_algorithm_and_encoding() {
    let sha512 = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd\
                  caeab1a34d4a6b4b636e070a38bce737";
    for (algorithm, hex) in [
        ("sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        ("sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ("sha512", sha512),
    ] {
        let base64 = BASE64.encode(hexadecimal(hex).unwrap());
        let upper = hex.to_uppercase();
        for (encoding, signature) in [("hex", hex), ("hex", &upper), ("base64", &base64)] {
            for prefix in ["", "sig="] {
                let lines = format!(
                    "scheme = \"hmac\"\nheader = \"X-Sig\"\nalgorithm = \"{algorithm}\"\nencoding = \"{encoding}\"\nprefix = \"{prefix}\""
                );
                let sent = format!("{prefix}{signature}");
                check(&lines, "Jefe", &[("X-Sig", &sent)], b"what do ya want for nothing?");
            }
        }
    }
}

/// docs.slack.dev, "Verifying requests from Slack".
#[test]
fn a_time_that_is_signed_counts_within_the_tolerance_to_either_side() {
    let secret = "8f742231b10e8888abcd99yyyzzz85a5";
    let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
        channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
        response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
        trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let published = [
        ("X-Slack-Request-Timestamp", "1531420618"),
        ("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
    ];
    check(SLACK, secret, &published, body);
    for (away, is_taken) in [(0, true), (-295, true), (295, true), (-305, false), (305, false)] {
        let time = (Timestamp::now().as_second() + away).to_string();
        let signature = format!("v0={}", sign(secret.as_bytes(), &[b"v0:", time.as_bytes(), b":", body]));
        let sent = [("X-Slack-Request-Timestamp", &*time), ("X-Slack-Signature", &*signature)];
        let verified = verify(SLACK, secret, &sent, body);
        assert_eq!(verified.is_ok(), is_taken, "{away}: {verified:?}");
        assert!(is_taken || matches!(verified, Err(Refused::Stale { .. })), "{away}: {verified:?}");
    }
}

#[test]
fn a_header_that_is_missing_repeated_or_malformed_is_named() {
    let name = |text: &str| text.parse::<HeaderName>().unwrap();
    let (right, half) = (format!("sha256={SHA256}"), format!("sha256={}", &SHA256[1..]));
    let long = format!("sha256={}", SHA256.repeat(LONGEST_HEADER / SHA256.len()));
    let header = |value| ("X-Hub-Signature-256", value);
    let malformed = [vec![header(&*right); 2], vec![header(SHA256)], vec![header(&half)], vec![header(&long)]];
    let refusal = |sent: &[_]| verify("scheme = \"github\"", "secret", sent, b"{}").unwrap_err();
    assert_eq!(refusal(&[("X-Hub-Signature", "sha1=00")]), Refused::no_header(&name("x-hub-signature-256")));
    for sent in malformed.iter().map(Vec::as_slice).chain([&[header("")][..], &[header("sha256=")]]) {
        assert_eq!(refusal(sent), Refused::bad_header(&name("x-hub-signature-256")), "{sent:?}");
    }
    let of_slack = |time| {
        let sent = [("X-Slack-Signature", "v0=00"), ("X-Slack-Request-Timestamp", time)];
        verify(SLACK, "secret", &sent, b"{}").unwrap_err()
    };
    for time in ["", "-1", "1531420618.5", "soon", "99999999999999999999"] {
        assert_eq!(of_slack(time), Refused::bad_header(&name("x-slack-request-timestamp")), "{time}");
    }
    let timeless = verify(SLACK, "secret", &[("X-Slack-Signature", "v0=00")], b"{}").unwrap_err();
    assert_eq!(timeless, Refused::no_header(&name("x-slack-request-timestamp")));
}

#[test]
fn either_of_two_secrets_signs_and_what_is_no_base64_is_none_of_standard_webhooks() {
    let verifier_of_two = verifier("scheme = \"github\"", &["new", "old"]).unwrap();
    for (secret, is_right) in [("new", true), ("old", true), ("older", false)] {
        let signature = format!("sha256={}", sign(secret.as_bytes(), &[b"{}"]));
        let sent = headers(&[("X-Hub-Signature-256", &signature)]);
        assert_eq!(verifier_of_two.verify(&RequestLine::post("/hooks/x"), &sent, b"{}").is_ok(), is_right, "{secret}");
    }
    let is_key = |secret: &str| verifier("scheme = \"standard-webhooks\"", &[secret]).is_ok();
    assert!(is_key(WHSEC) && is_key(WHSEC.trim_start_matches("whsec_")));
    assert!(!is_key("whsec_") && !is_key("whsec_it's no base64"));
}

#[test]
fn a_body_is_the_same_delivery_as_often_as_it_comes() {
    let verifier = verifier("scheme = \"github\"", &["secret"]).unwrap();
    let key = |body: &[u8]| {
        let signature = format!("sha256={}", sign(b"secret", &[body]));
        verifier
            .verify(&RequestLine::post("/hooks/x"), &headers(&[("X-Hub-Signature-256", &signature)]), body)
            .unwrap()
            .unwrap()
            .key()
    };
    assert_eq!(key(b"{}"), key(b"{}"));
    assert_ne!(key(b"{}"), key(b"{} "));
    assert!(key(b"{}").starts_with("delivery "), "no key that a caller sends has a blank");
}

#[test]
fn the_same_id_with_a_new_time_is_the_same_delivery() {
    let verifier = verifier("scheme = \"standard-webhooks\"", &[WHSEC]).unwrap();
    let key = BASE64.decode(WHSEC.trim_start_matches("whsec_")).unwrap();
    let delivery = |id: &str, away: i64| {
        let time = (Timestamp::now().as_second() + away).to_string();
        let mac = hexadecimal(&sign(&key, &[id.as_bytes(), b".", time.as_bytes(), b".{}"])).unwrap();
        let signature = format!("v1,{}", BASE64.encode(mac));
        let sent = [("webhook-id", id), ("webhook-timestamp", &*time), ("webhook-signature", &*signature)];
        verifier.verify(&RequestLine::post("/hooks/x"), &headers(&sent), b"{}").unwrap().unwrap()
    };
    assert_eq!(delivery("msg_1", -60).key(), delivery("msg_1", 0).key());
    assert_ne!(delivery("msg_1", 0).key(), delivery("msg_2", 0).key());
}
