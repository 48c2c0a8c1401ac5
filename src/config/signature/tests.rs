//! What a configuration may say of signatures, and the mistakes that it is told.

use super::{presets::PRESETS, *};

fn read(text: &str) -> Result<Signature, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn parts(text: &str) -> Parts {
    let Scheme::Parts(parts) = read(text).unwrap().scheme else { unreachable!("{text}") };
    parts
}

#[test]
fn a_scheme_knows_its_own_parts_and_hmac_is_told_them() {
    let stripe = read("scheme = \"stripe\"\nsecret_env = \"A\"\nold_secret_file = \"b\"").unwrap();
    assert!(matches!(&stripe.scheme, Scheme::Parts(parts) if parts.has_time()));
    assert_eq!((stripe.secrets.len(), stripe.tolerance), (2, written::TOLERANCE));
    let slack = "scheme = \"hmac\"\nsecret_env = \"A\"\nheader = \"X-Slack-Signature\"\nprefix = \"v0=\"\n\
                 timestamp_header = \"X-Slack-Request-Timestamp\"\nsigned = \"v0:{timestamp}:{body}\"";
    let text = |text: &str| Part::Text(text.to_owned());
    let signed = [text("v0:"), Part::Timestamp, text(":"), Part::Body];
    assert_eq!(parts(slack).signed, signed);
    assert_eq!(parts("scheme = \"slack\"\nsecret_env = \"A\"").signed, signed);
    let hmac = Proof::Hmac { algorithm: Algorithm::Sha256, secret: SecretEncoding::Text };
    assert_eq!(parts(slack).proof, hmac);
}

#[test]
fn every_preset_can_be_read_and_is_named_once() {
    for preset in PRESETS {
        let secret = match preset.keys.contains("public-key") {
            true => "public_key_file = \"key.pem\"",
            false => "secret_env = \"A\"",
        };
        let read = read(&format!("scheme = \"{}\"\n{secret}", preset.name));
        assert!(read.is_ok(), "{}: {read:?}", preset.name);
        assert_eq!(PRESETS.iter().filter(|other| other.name == preset.name).count(), 1, "{}", preset.name);
    }
}

#[test]
fn names_within_a_header_have_separators_of_any_kind() {
    let lines = "scheme = \"hmac\"\nsecret_env = \"A\"\nheader = [\"X-A\", \"X-B\"]\nseparator = \" \"\nequals = \":\"\n\
                 fields = { signature = \"sig\", timestamp = \"at\" }";
    let parts = parts(lines);
    assert_eq!(parts.headers.len(), 2);
    assert!(matches!(parts.form, Form::Fields { separator, equals, .. } if separator == " " && equals == ":"));
    assert_eq!(parts.signed[0], Part::Timestamp);
}

#[test]
fn what_would_prove_nothing_is_refused() {
    let hmac = "scheme = \"hmac\"\nsecret_env = \"A\"\nheader = \"X\"\n";
    let token = "scheme = \"token\"\nsecret_env = \"A\"\n";
    for (text, why) in [
        ("scheme = \"github\"", "needs `secret_env` or `secret_file`"),
        ("scheme = \"github\"\nsecret_env = \"A\"\nsecret_file = \"b\"", "one of `secret_env` and `secret_file`"),
        (
            "scheme = \"github\"\nsecret_env = \"A\"\nheader = \"X\"",
            "`header` is no key of the scheme \"github\": the scheme \"github\" knows its own parts",
        ),
        ("scheme = \"hmac\"\nsecret_env = \"A\"", "needs `header`"),
        (&format!("{hmac}timestamp_header = \"T\"\nsigned = \"{{body}}\""), "{timestamp} once"),
        (&format!("{hmac}signed = \"{{timestamp}}{{body}}\""), "say where the time is"),
        (&format!("{hmac}signed = \"{{body}}{{id}}\""), "`signed` has {id}, but knows {body}, "),
        (&format!("{hmac}signed = \"{{body\""), "a { without }"),
        (&format!("{hmac}signed = \"{{method}}{{header:X-Id}}\""), "must have {body}, {form} or {crc32}"),
        (&format!("{hmac}signed = \"{{header:X Y}}{{body}}\""), "`signed` has {header:X Y}"),
        (&format!("{hmac}equals = \":\""), "say which names there are in `fields`"),
        (&format!("{hmac}separator = \"\""), "must not be empty"),
        (&format!("{hmac}fields = {{ signature = \"s\", timestamp = \"s\" }}"), "two different names"),
        (&format!("{hmac}fields = {{ timestamp = \"t\" }}"), "missing field `signature`"),
        (
            &format!("{hmac}timestamp_header = \"T\"\nfields = {{ signature = \"s\", timestamp = \"t\" }}"),
            "the time is in one place",
        ),
        (&format!("{hmac}padding = \"pss\""), "`padding` belongs to \"public-key\""),
        (&format!("{hmac}public_key_file = \"k\""), "has a secret, not a `public_key_file`"),
        (&format!("{hmac}public_url = \"hooks.example.com\""), "must be what the sender calls"),
        (&format!("{hmac}query = \"token\""), "`query`, `path` and `basic` to \"token\""),
        (token, "needs one of `header`, `query`, `path = true` and `basic = true`"),
        (&format!("{token}query = \"t\"\npath = true"), "needs one of"),
        (&format!("{token}query = \"t\"\nprefix = \"x\""), "give `header`"),
        (&format!("{token}header = \"X\"\nsigned = \"{{body}}\""), "a token has no signature"),
        ("scheme = \"public-key\"\nheader = \"X\"", "needs `public_key_file`"),
        ("scheme = \"public-key\"\nheader = \"X\"\nsecret_env = \"A\"", "no secret"),
        ("scheme = \"md5\"\nsecret_env = \"A\"", "there is no scheme \"md5\"; there are hmac, token, public-key, "),
        ("scheme = \"stripe\"\nsecret_env = \"A\"\ntolerance = \"0s\"", "longer than nothing"),
    ] {
        let refusal = read(text).unwrap_err();
        assert!(refusal.contains(why), "{text}: {refusal}");
    }
}
