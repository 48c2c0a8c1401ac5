//! The parts that a scheme of one's own is put together from.

use super::*;

fn signature(lines: &str, headers: &HeaderMap, line: &RequestLine, body: &[u8]) -> HeaderMap {
    verifier(lines, &["secret"]).unwrap().sign(line, headers, body, Timestamp::now()).unwrap().headers
}

#[test]
fn every_part_of_a_request_can_be_signed_and_is_what_came() {
    let line =
        RequestLine { origin: "https://h.example:8443".to_owned(), ..RequestLine::post("/hooks/x%20y?b=2&a=%2F") };
    let sent = headers(&[("x-id", " 7 "), ("content-type", "application/x-www-form-urlencoded; charset=utf-8")]);
    let body = b"b=2+2&a=%21&a=%21";
    for (part, text) in [
        ("{method}", "POST"),
        ("{url}", "https://h.example:8443/hooks/x%20y?b=2&a=%2F"),
        ("{url:decoded}", "https://h.example:8443/hooks/x%20y?b=2&a=/"),
        ("{path}", "/hooks/x%20y"),
        ("{query}", "b=2&a=%2F"),
        ("{header:X-Id}", "7"),
        ("{form}", "a!b2 2"),
        ("{crc32}", "3009283371"),
    ] {
        let with_body = if matches!(part, "{form}" | "{crc32}") { "" } else { "|{body}" };
        let lines = format!("scheme = \"hmac\"\nheader = \"X-Sig\"\nsigned = \"<{part}>{with_body}\"");
        let found = signature(&lines, &sent, &line, body);
        let mut signed = format!("<{text}>").into_bytes();
        if part == "{crc32}" {
            signed = format!("<{}>", crc32fast::hash(body)).into_bytes();
        }
        if !with_body.is_empty() {
            signed.extend([b"|", &body[..]].concat());
        }
        assert_eq!(found["x-sig"].to_str().unwrap(), sign(b"secret", &[&signed]), "{part}");
    }
}

#[test]
fn a_time_is_read_in_seconds_milliseconds_or_as_iso_8601() {
    let lines = "scheme = \"hmac\"\nheader = \"X-Sig\"\ntimestamp_header = \"X-Time\"";
    let now = Timestamp::now();
    let local = now
        .to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)))
        .timestamp()
        .display_with_offset(jiff::tz::offset(2));
    let verify = |time: &str| {
        let signature = sign(b"secret", &[time.as_bytes(), b".{}"]);
        verify(lines, "secret", &[("X-Sig", &signature), ("X-Time", time)], b"{}")
    };
    for time in [now.as_second().to_string(), now.as_millisecond().to_string(), now.to_string(), local.to_string()] {
        assert!(verify(&time).is_ok(), "{time}: {:?}", verify(&time));
    }
    // Milliseconds that are taken for seconds are of the year 57000.
    let micros = now.as_microsecond().to_string();
    assert!(matches!(verify(&micros), Err(Refused::Stale { .. })), "{micros}");
    assert!(matches!(verify("2020-01-01T00:00:00Z"), Err(Refused::Stale { .. })));
    assert_eq!(verify("2020-01-01").unwrap_err(), Refused::bad_header(&"x-time".parse().unwrap()));
}

#[test]
fn a_header_may_have_several_signatures_any_of_which_counts() {
    let right = sign(b"secret", &[b"{}"]);
    let wrong = sign(b"other", &[b"{}"]);
    for (lines, value) in [
        ("separator = \",\"\nprefix = \"v1=\"", format!("v1={wrong}, v1={right}")),
        ("separator = \" \"", format!("{wrong} {right}")),
        ("fields = { signature = \"v1\" }", format!("v1={wrong},v0=x,v1={right}")),
        ("fields = { signature = \"sig\" }\nseparator = \";\"\nequals = \":\"", format!("a:b; sig:\"{right}\"")),
        ("fields = { signature = \"sig\" }\nprefix = \"sha256=\"", format!("sig=sha256={right}")),
    ] {
        let lines = format!("scheme = \"hmac\"\nheader = \"X-Sig\"\n{lines}");
        let verified = |value: &str| verify(&lines, "secret", &[("X-Sig", value)], b"{}");
        assert!(verified(&value).is_ok(), "{lines}: {value}: {:?}", verified(&value));
        assert_eq!(verified(&value.replace(&right, &wrong)).unwrap_err(), Refused::Wrong, "{lines}");
        assert_eq!(verified("v2=1").unwrap_err(), Refused::bad_header(&"x-sig".parse().unwrap()), "{lines}");
    }
    let many = vec![wrong.clone(); 40].join(",") + "," + &right;
    let lines = "scheme = \"hmac\"\nheader = \"X-Sig\"\nseparator = \",\"";
    assert_eq!(
        verify(lines, "secret", &[("X-Sig", &many)], b"{}").unwrap_err(),
        Refused::Wrong,
        "most are not looked at"
    );
}

#[test]
fn of_several_headers_one_must_be_there_and_any_may_be_right() {
    let lines = "scheme = \"hmac\"\nheader = [\"X-Sig-1\", \"X-Sig-2\"]";
    let (right, wrong) = (sign(b"secret", &[b"{}"]), sign(b"other", &[b"{}"]));
    assert!(verify(lines, "secret", &[("X-Sig-2", &right)], b"{}").is_ok());
    assert!(verify(lines, "secret", &[("X-Sig-1", &wrong), ("X-Sig-2", &right)], b"{}").is_ok());
    assert_eq!(verify(lines, "secret", &[("X-Sig-1", &wrong)], b"{}").unwrap_err(), Refused::Wrong);
    assert_eq!(verify(lines, "secret", &[], b"{}").unwrap_err(), Refused::no_header(&"x-sig-1".parse().unwrap()));
}

#[test]
fn a_secret_may_be_hexadecimal_or_base64() {
    let signature = sign(b"Jefe", &[b"{}"]);
    for (encoding, secret) in [("hex", "4a656665"), ("base64", "SmVmZQ=="), ("base64", "SmVmZQ"), ("text", "Jefe")] {
        let lines = format!("scheme = \"hmac\"\nheader = \"X-Sig\"\nsecret_encoding = \"{encoding}\"");
        assert!(verify(&lines, secret, &[("X-Sig", &signature)], b"{}").is_ok(), "{encoding} {secret}");
    }
    let refused = |encoding: &str| {
        let lines = format!("scheme = \"hmac\"\nheader = \"X-Sig\"\nsecret_encoding = \"{encoding}\"");
        verifier(&lines, &["it's neither"]).err()
    };
    assert_eq!(refused("hex"), Some(NoKey::Hex));
    assert_eq!(refused("base64"), Some(NoKey::Base64));
}

#[test]
fn a_url_is_what_the_sender_calls_and_a_wrong_one_is_told() {
    let sent = |public_url: &str, origin: &str| {
        let lines = format!("scheme = \"square\"\n{public_url}");
        let line = RequestLine { origin: origin.to_owned(), ..RequestLine::post("/hooks/x") };
        let mac = hexadecimal(&sign(b"secret", &[b"https://shop.example/in/hooks/x{}"])).unwrap();
        let headers = headers(&[("x-square-hmacsha256-signature", &BASE64.encode(mac))]);
        verifier(&lines, &["secret"]).unwrap().verify(&line, &headers, b"{}")
    };
    assert!(sent("public_url = \"https://shop.example/in/\"", "http://10.0.0.1").is_ok());
    assert!(sent("", "https://shop.example/in").is_ok());
    let refusal = sent("", "http://10.0.0.1").unwrap_err();
    assert_eq!(refusal, Refused::WrongAt("http://10.0.0.1".to_owned()));
    assert!(refusal.to_string().contains("`public_url`"), "{refusal}");
}

#[test]
fn a_body_that_the_signature_does_not_cover_is_refused() {
    let lines = "scheme = \"hmac\"\nheader = \"X-Sig\"\nsigned = \"{query}\"";
    let own = verifier(lines, &["secret"]).unwrap();
    let line = RequestLine::post("/hooks/x?a=1");
    let sent = headers(&[("X-Sig", &sign(b"secret", &[b"a=1"]))]);
    assert!(own.verify(&line, &sent, b"").is_ok());
    assert_eq!(own.verify(&line, &sent, b"{}").unwrap_err(), Refused::Uncovered);
}
