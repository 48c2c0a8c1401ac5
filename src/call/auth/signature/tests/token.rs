//! Tokens: where they may be, and that they prove no content.

use super::*;

const TOKEN: &str = "tok en:7";

fn check(lines: &str, right: (&RequestLine, &HeaderMap), wrong: (&RequestLine, &HeaderMap), place: &Place) {
    let lines = format!("scheme = \"token\"\n{lines}");
    let both = verifier(&lines, &["u:old", TOKEN]).unwrap();
    let none = (&RequestLine::post("/hooks/x"), &HeaderMap::new());
    let verified = both.verify(right.0, right.1, b"{}").unwrap();
    assert!(verified.is_none(), "{lines}: a token proves no content");
    assert_eq!(both.verify(wrong.0, wrong.1, b"{}").unwrap_err(), Refused::WrongToken(place.clone()), "{lines}");
    assert_eq!(both.verify(none.0, none.1, b"{}").unwrap_err(), Refused::Missing(place.clone()), "{lines}");
    let signed = both.sign(none.0, none.1, b"{}", Timestamp::now()).unwrap();
    let (mut line, mut headers) = (none.0.clone(), none.1.clone());
    headers.extend(signed.headers);
    line.token = signed.token;
    if let Some((name, value)) = signed.query {
        line.target += &format!("?{name}={}", secrecy::ExposeSecret::expose_secret(&value));
    }
    assert!(both.verify(&line, &headers, b"").is_ok(), "{lines}");
}

#[test]
fn a_token_may_be_in_a_header_the_query_the_path_or_as_user_and_password() {
    let line = |target: &str| RequestLine::post(target);
    let plain = line("/hooks/x");
    let header = |value: &str| headers(&[("X-Gitlab-Token", value)]);
    let place = Place::Header("x-gitlab-token".parse().unwrap());
    check("header = \"X-Gitlab-Token\"", (&plain, &header(TOKEN)), (&plain, &header("other")), &place);
    let (right, wrong) = (header("Token tok en:7"), header("Token x"));
    check("header = \"X-Gitlab-Token\"\nprefix = \"Token \"", (&plain, &right), (&plain, &wrong), &place);
    let none = HeaderMap::new();
    let place = Place::Query("token".to_owned());
    let (right, wrong) = (line("/hooks/x?a=1&token=tok%20en%3A7"), line("/hooks/x?token=x"));
    check("query = \"token\"", (&right, &none), (&wrong, &none), &place);
    let with = |token: &str| RequestLine { token: Some(token.into()), ..line("/hooks/x") };
    check("path = true", (&with(TOKEN), &none), (&with("x"), &none), &Place::Path);
    let basic = |pair: &str| headers(&[("authorization", &format!("Basic {}", BASE64.encode(pair)))]);
    check("basic = true", (&plain, &basic(TOKEN)), (&plain, &basic("tok en:8")), &Place::Basic);
}

#[test]
fn a_token_that_stands_twice_or_is_of_no_form_is_malformed() {
    let verify = |lines: &str, target: &str, sent: &[(&str, &str)]| {
        let own = verifier(&format!("scheme = \"token\"\n{lines}"), &[TOKEN]).unwrap();
        own.verify(&RequestLine::post(target), &headers(sent), b"{}").unwrap_err()
    };
    let in_query = Refused::Malformed(Place::Query("t".to_owned()));
    assert_eq!(verify("query = \"t\"", "/hooks/x?t=1&t=2", &[]), in_query);
    assert_eq!(verify("query = \"t\"", "/hooks/x?t=", &[]), in_query);
    let twice = [("x-token", TOKEN), ("x-token", TOKEN)];
    let in_header = Refused::bad_header(&"x-token".parse().unwrap());
    assert_eq!(verify("header = \"X-Token\"", "/hooks/x", &twice), in_header);
    assert_eq!(verify("header = \"X-Token\"\nprefix = \"T \"", "/hooks/x", &twice[..1]), in_header);
    for value in ["Bearer x", "Basic ***", "Basic"] {
        let refusal = verify("basic = true", "/hooks/x", &[("authorization", value)]);
        assert_eq!(refusal, Refused::Malformed(Place::Basic), "{value}");
    }
}

#[test]
fn user_and_password_have_a_colon_between_them() {
    assert_eq!(verifier("scheme = \"postmark\"", &["password"]).err(), Some(NoKey::NoUser));
}

#[test]
fn what_proves_the_sender_is_hidden_from_templates_and_log() {
    let hidden = |lines: &str| {
        let own = verifier(lines, &["a:b"]).unwrap();
        let hidden = own.hidden();
        let headers: Vec<String> = hidden.headers.iter().map(ToString::to_string).collect();
        (headers, hidden.query.map(str::to_owned))
    };
    assert_eq!(hidden("scheme = \"gitlab\""), (vec!["x-gitlab-token".to_owned()], None));
    assert_eq!(hidden("scheme = \"token\"\nquery = \"hub\""), (vec![], Some("hub".to_owned())));
    assert_eq!(hidden("scheme = \"paddle\""), (vec!["paddle-signature".to_owned()], None));
    assert_eq!(format!("{:?}", verifier("scheme = \"postmark\"", &["a:b"]).unwrap()), "Verifier");
}
