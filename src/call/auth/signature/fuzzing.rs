//! What fuzz targets feed of signatures, by every scheme. What must hold: what nobody has signed with the secret is refused, and what
//! was signed with it is taken, but not with another body.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by panicking")]

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::SecretString;

use super::{Verifier, Way};
use crate::{
    config::{Part, Signature},
    hook::RequestLine,
};

/// Every scheme that has a name, and the forms that can be put together.
const SCHEMES: [&str; 20] = [
    "scheme = 'standard-webhooks'",
    "scheme = 'mailgun'",
    "scheme = 'adyen'",
    "scheme = 'shopify'",
    "scheme = 'github'",
    "scheme = 'stripe'",
    "scheme = 'slack'",
    "scheme = 'hubspot'\npublic_url = 'https://gateway.example.com'",
    "scheme = 'square'\npublic_url = 'https://gateway.example.com'",
    "scheme = 'twilio'\npublic_url = 'https://gateway.example.com'",
    "scheme = 'paddle'",
    "scheme = 'hmac'\nheader = 'X-Sig'\nalgorithm = 'sha512'\nencoding = 'base64url'\nsigned = '{method}{path}{query}{body}'",
    "scheme = 'hmac'\nheader = 'X-Sig'\nalgorithm = 'sha1'\nseparator = ','\nprefix = 'v1='",
    "scheme = 'hmac'\nheader = 'X-Sig'\nfields = { timestamp = 't', signature = 's' }\nsigned = '{header:X-Id}.{timestamp}.{body}'",
    "scheme = 'hmac'\nheader = 'X-Sig'\nsigned = '{crc32}{timestamp}{body}'\ntimestamp_header = 'X-Time'",
    "scheme = 'token'\nheader = 'X-Token'\nprefix = 'Token '",
    "scheme = 'token'\nquery = 'token'",
    "scheme = 'token'\nbasic = true",
    "scheme = 'public-key'\nheader = 'X-Sig'\ntimestamp_header = 'X-Time'\nsigned = '{timestamp}{body}'",
    "scheme = 'typeform'",
];
/// A secret of each kind that a scheme may want.
const SECRETS: [&str; 4] = ["5b3c1d", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "user:password", "secret"];
/// The public key of RFC 8032, section 7.1, test 1.
const PUBLIC_KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

static VERIFIERS: LazyLock<Vec<Verifier>> = LazyLock::new(|| {
    let verifiers: Vec<Verifier> = SCHEMES.iter().filter_map(|lines| verifier(lines)).collect();
    assert!(verifiers.len() > 12, "{} schemes", verifiers.len());
    verifiers
});

fn verifier(lines: &str) -> Option<Verifier> {
    let read = |source: &str| toml::from_str::<Signature>(&format!("{lines}\n{source}")).ok();
    let of_key = || {
        let signature = read("public_key_file = 'k'")?;
        Verifier::new(&signature, Some(&[PUBLIC_KEY.into()])).ok()
    };
    let of_secret = |secret: &&str| {
        let signature = read("secret_env = 'S'")?;
        Verifier::new(&signature, Some(&[SecretString::from(*secret)])).ok()
    };
    SECRETS.iter().find_map(of_secret).or_else(of_key)
}

/// The target of the first line, and the headers of the others.
fn head(head: &str) -> (RequestLine, HeaderMap) {
    let mut lines = head.lines();
    let target = lines.next().filter(|target| target.starts_with('/')).unwrap_or("/hooks/x");
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    (RequestLine::post(target), headers)
}

pub(crate) fn signature(scheme: u8, lines: &str, body: &[u8]) {
    let verifier = &VERIFIERS[usize::from(scheme) % VERIFIERS.len()];
    let (line, headers) = head(lines);
    match verifier.verify(&line, &headers, body) {
        Err(refused) => assert!(!refused.to_string().is_empty()),
        // A token that matches shows that the secret was found: a text of the corpus may be it.
        Ok(taken) => assert!(matches!(verifier.way, Way::Token(_)) && taken.is_none(), "taken without the secret"),
    }
    let _ = verifier.hidden();
}

pub(crate) fn signed(scheme: u8, lines: &str, body: &[u8]) {
    let verifier = &VERIFIERS[usize::from(scheme) % VERIFIERS.len()];
    let (mut line, mut headers) = head(lines);
    let Ok(signed) = verifier.sign(&line, &headers, body, Timestamp::now()) else { return };
    let has_own_body = signed.body.is_some();
    for (name, value) in &signed.headers {
        headers.insert(name, value.clone());
    }
    if let Some((name, secret)) = &signed.query {
        line.target = format!("{}?{name}={}", line.path(), secrecy::ExposeSecret::expose_secret(secret));
    }
    line.token = signed.token.clone();
    let sent = signed.body.as_deref().unwrap_or(body);
    let verified = verifier.verify(&line, &headers, sent);
    let Way::Parts(parts) = &verifier.way else {
        // A body may have had fields of the same names before: then it stands twice, and is refused.
        assert!(verified.is_ok() || has_own_body || matches!(verifier.way, Way::StandardWebhooks), "{verified:?}");
        return;
    };
    assert!(verified.is_ok(), "{lines:?}: {verified:?}");
    if parts.signed.iter().any(|part| matches!(part, Part::Body)) {
        let other = [sent, b" "].concat();
        assert!(verifier.verify(&line, &headers, &other).is_err(), "another body has the same signature");
    }
}
