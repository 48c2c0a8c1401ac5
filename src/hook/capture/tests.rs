//! What is kept of a request, and what is not.

use std::net::Ipv4Addr;

use http::{HeaderName, HeaderValue};

use super::*;
use crate::hook::Hidden;

fn kept(line: &RequestLine, headers: &[(&'static str, &str)], body: SentBody) -> Value {
    let headers =
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    let headers: HeaderMap = headers.collect();
    let sent = Sent::new("/hooks/shop".to_owned(), line, &headers, Hidden::default(), body);
    let address = Ipv4Addr::LOCALHOST.into();
    let refused = Some("no signature".to_owned());
    record(&Came { hook: "shop", line, headers: &headers, sent: &sent, size: 7, address, refused })
}

#[test]
fn secrets_are_described_and_everything_else_is_kept_as_a_template_sees_it() {
    let line = RequestLine::post("/hooks/shop?topic=order&token=s3cret-in-query");
    let headers = [("x-topic", "order"), ("x-foo-signature", &*"0f".repeat(32)), ("host", "hooks.example.com")];
    let kept = kept(&line, &headers, SentBody::Json("{\"id\": 7}".into()));
    assert_eq!(kept["sent"]["body"], json!({"id": 7}));
    assert_eq!(
        (&kept["sent"]["headers"], &kept["sent"]["query"]),
        (&json!({"x-topic": "order"}), &json!({"topic": "order"}))
    );
    let masked = json!({"x-foo-signature": "<64 hexadecimal digits>", "host": "hooks.example.com"});
    assert_eq!((&kept["masked"]["headers"], &kept["verified"]), (&masked, &json!(false)));
    assert_eq!(
        (&kept["masked"]["query"], &kept["why"]),
        (&json!({"token": "<15 characters>"}), &json!("no signature"))
    );
    assert!(!kept.to_string().contains("s3cret"), "{kept}");
    // `hook test --last` takes it from here.
    assert_eq!(Sent::of_json(&kept["sent"]).query, json!({"topic": "order"}).as_object().cloned().unwrap());
}

#[test]
fn a_large_body_is_cut() {
    let text = format!("\"{}\"", "x".repeat(2 << 20));
    for body in [SentBody::Json(text.clone().into()), SentBody::Unreadable { text, why: "no".to_owned() }] {
        let kept = kept(&RequestLine::post("/hooks/shop"), &[], body);
        assert_eq!(kept["sent"]["unreadable"]["text"].as_str().unwrap().len(), BODY);
    }
}
