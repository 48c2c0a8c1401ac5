//! Signed requests: whether a body was sent by whoever has the client's secret, lately, and for the first time.
//!
//! What is compared are MACs over the body as it came, byte for byte, in constant time. A delivery is taken once; one that
//! came to nothing may come again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use aws_lc_rs::hmac;
use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use moka::{future::Cache, policy::EvictionPolicy};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::config::{Algorithm, Encoding, Hmac, Part, Scheme, Signature};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// More signatures in one header are nobody's.
const MOST_SIGNATURES: usize = 16;
const LONGEST_HEADER: usize = 4 << 10;
/// So many deliveries are known again. Only those with a right signature are kept.
const DELIVERIES: u64 = 100_000;
/// Times are compared by whole seconds.
const EDGE: Duration = Duration::from_secs(2);

/// Why a request is not taken for the client's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the request has no header `{0}`, which its signature needs")]
    Missing(HeaderName),
    #[error("the header `{0}` cannot be read: it stands twice, or is not of its form")]
    Malformed(HeaderName),
    #[error("the signature is {age} s away from now, further than the {} s that are allowed", tolerance.as_secs())]
    Stale { age: i64, tolerance: Duration },
    #[error("the signature is not that of this body: it was changed, or signed with another secret")]
    Wrong,
    #[error("this delivery has been taken already, as call {of}{}", if *is_done { "" } else { ", which goes on" })]
    Replayed { of: Uuid, is_done: bool },
}

/// Why a secret signs nothing.
#[derive(Debug, thiserror::Error)]
#[error("is not base64, with or without `whsec_` before it")]
pub struct NoKey;

/// Knows the signatures of one client.
pub(super) struct Verifier {
    way: Way,
    /// That of the secret, and while it is being replaced of the one before.
    keys: Vec<hmac::Key>,
    tolerance: Duration,
    taken: Taken,
}

/// The deliveries that were taken.
type Taken = Cache<[u8; 32], Call>;

/// What a delivery became.
#[derive(Debug, Clone)]
struct Call {
    id: Uuid,
    is_done: Arc<AtomicBool>,
}

/// How a scheme signs.
enum Way {
    StandardWebhooks,
    Stripe,
    Hmac(Hmac),
}

/// What a request says of its signature.
struct Claim<'h> {
    /// Its MACs, any of which may be the right one.
    macs: Vec<Vec<u8>>,
    /// In seconds since 1970.
    time: Option<i64>,
    /// What is signed.
    signed: Vec<&'h [u8]>,
    /// What a sender calls the delivery, if it does: the same in all attempts.
    id: Option<&'h [u8]>,
}

/// A delivery with a right signature.
#[derive(Debug)]
pub(super) struct Delivery {
    taken: Taken,
    digest: [u8; 32],
    is_done: Arc<AtomicBool>,
}

impl Verifier {
    pub(super) fn new(signature: &Signature, secrets: &[SecretString]) -> Result<Self, NoKey> {
        let way = match &signature.scheme {
            Scheme::StandardWebhooks => Way::StandardWebhooks,
            Scheme::Stripe => Way::Stripe,
            Scheme::Shopify => Way::Hmac(over_body("x-shopify-hmac-sha256", Encoding::Base64, "")),
            Scheme::Github => Way::Hmac(over_body("x-hub-signature-256", Encoding::Hex, "sha256=")),
            Scheme::Hmac(hmac) => Way::Hmac(hmac.clone()),
        };
        let algorithm = match &way {
            Way::Hmac(Hmac { algorithm: Algorithm::Sha1, .. }) => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Way::Hmac(Hmac { algorithm: Algorithm::Sha512, .. }) => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        let key = |secret: &SecretString| {
            let text = secret.expose_secret();
            let bytes = match way {
                // Standard Webhooks 1.0.0, "Signature scheme": base64 behind `whsec_`.
                Way::StandardWebhooks => {
                    let text = text.trim();
                    let bytes = BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| NoKey)?;
                    if bytes.is_empty() { Err(NoKey) } else { Ok(bytes) }?
                }
                _ => text.as_bytes().to_vec(),
            };
            Ok(hmac::Key::new(algorithm, &bytes))
        };
        let keys = secrets.iter().map(key).collect::<Result<_, _>>()?;
        let tolerance = signature.tolerance;
        // A time may be as far ahead as behind.
        let taken = Cache::builder()
            .max_capacity(DELIVERIES)
            .time_to_live(tolerance * 2 + EDGE)
            // The latest are the ones to be known again.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Ok(Self { way, keys, tolerance, taken })
    }

    /// Knows the deliveries again that another one has taken, unless they are to be known for another time.
    pub(super) fn remember(&mut self, other: &Self) {
        if self.tolerance == other.tolerance {
            self.taken = other.taken.clone();
        }
    }

    /// Whether the client has sent this body. What is known of its time is looked at only when that is sure.
    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, Refused> {
        let claim = self.way.claim(headers, body)?;
        // Every MAC with every key, whichever is right.
        let mut is_right = false;
        for key in &self.keys {
            let mut context = hmac::Context::with_key(key);
            claim.signed.iter().for_each(|part| context.update(part));
            let own = context.sign();
            for mac in &claim.macs {
                is_right |= aws_lc_rs::constant_time::verify_slices_are_equal(own.as_ref(), mac).is_ok();
            }
        }
        if !is_right {
            return Err(Refused::Wrong);
        }
        if let Some(time) = claim.time {
            let age = Timestamp::now().as_second().saturating_sub(time);
            if age.unsigned_abs() > self.tolerance.as_secs() {
                return Err(Refused::Stale { age, tolerance: self.tolerance });
            }
        }
        let mut digest = Sha256::new();
        match claim.id {
            Some(id) => digest.update(id),
            None => claim.signed.iter().for_each(|part| digest.update(part)),
        }
        Ok(Delivery { taken: self.taken.clone(), digest: digest.finalize().into(), is_done: Arc::default() })
    }
}

impl Delivery {
    /// The same body elsewhere, at another hook, is another delivery.
    #[must_use]
    pub(super) fn at(self, target: &str) -> Self {
        let digest = Sha256::new().chain_update(self.digest).chain_update(target).finalize().into();
        Self { digest, ..self }
    }

    /// Takes it as this call, unless it has been taken.
    pub(super) async fn take(&self, call: Uuid) -> Result<(), Refused> {
        let call = Call { id: call, is_done: self.is_done.clone() };
        let entry = self.taken.entry(self.digest).or_insert(call).await;
        if entry.is_fresh() {
            return Ok(());
        }
        let Call { id: of, is_done } = entry.into_value();
        Err(Refused::Replayed { of, is_done: is_done.load(Relaxed) })
    }

    /// It has been done, or nobody knows.
    pub(super) fn keep(&self) {
        self.is_done.store(true, Relaxed);
    }

    /// It came to nothing, and may come again.
    pub(super) async fn give_back(&self) {
        // By now it may have been taken by another call.
        if self.taken.get(&self.digest).await.is_some_and(|taken| Arc::ptr_eq(&taken.is_done, &self.is_done)) {
            self.taken.invalidate(&self.digest).await;
        }
    }
}

impl Way {
    fn claim<'h>(&'h self, headers: &'h HeaderMap, body: &'h [u8]) -> Result<Claim<'h>, Refused> {
        match self {
            Self::StandardWebhooks => standard_webhooks(headers, body),
            Self::Stripe => stripe(headers, body),
            Self::Hmac(hmac) => parts(hmac, headers, body),
        }
    }
}

/// Standard Webhooks 1.0.0, "Signature scheme": `v1,` and base64, several behind blanks, over `ID.TIMESTAMP.BODY`. Svix, where
/// it comes from, has its own names for the headers.
fn standard_webhooks<'h>(headers: &'h HeaderMap, body: &'h [u8]) -> Result<Claim<'h>, Refused> {
    let has = |name: &str| headers.contains_key(name);
    let prefix = if !has("webhook-signature") && has("svix-signature") { "svix" } else { "webhook" };
    let name = |what: &str| HeaderName::try_from(format!("{prefix}-{what}")).map_err(|_| Refused::Wrong);
    let (id, timestamp, signature) = (name("id")?, name("timestamp")?, name("signature")?);
    let (id, time, signatures) = (one(headers, &id)?, one(headers, &timestamp)?, one(headers, &signature)?);
    let time = (time, seconds(time).ok_or(Refused::Malformed(timestamp))?);
    let signatures = signatures.split_ascii_whitespace().filter_map(|text| text.strip_prefix("v1,"));
    let macs = macs(signatures.filter_map(|text| BASE64.decode(text).ok()), signature)?;
    let signed = vec![id.as_bytes(), b".", time.0.as_bytes(), b".", body];
    Ok(Claim { macs, time: Some(time.1), signed, id: Some(id.as_bytes()) })
}

/// docs.stripe.com/webhooks, "Verify manually": `t=TIME,v1=HEX`, several `v1` while a secret is replaced, over `TIME.BODY`;
/// other schemes are to be ignored.
fn stripe<'h>(headers: &'h HeaderMap, body: &'h [u8]) -> Result<Claim<'h>, Refused> {
    const NAME: HeaderName = HeaderName::from_static("stripe-signature");
    let pairs = || one(headers, &NAME).map(|value| value.split(',').filter_map(|pair| pair.trim().split_once('=')));
    let mut times = pairs()?.filter(|(name, _)| *name == "t").map(|(_, time)| time);
    let (Some(time), None) = (times.next(), times.next()) else { return Err(Refused::Malformed(NAME)) };
    let at = seconds(time).ok_or(Refused::Malformed(NAME))?;
    let macs = macs(pairs()?.filter(|(name, _)| *name == "v1").filter_map(|(_, mac)| hexadecimal(mac)), NAME)?;
    Ok(Claim { macs, time: Some(at), signed: vec![time.as_bytes(), b".", body], id: None })
}

fn parts<'h>(hmac: &'h Hmac, headers: &'h HeaderMap, body: &'h [u8]) -> Result<Claim<'h>, Refused> {
    let text = one(headers, &hmac.header)?;
    let text = text.strip_prefix(&*hmac.prefix).ok_or_else(|| Refused::Malformed(hmac.header.clone()))?;
    let mac = match hmac.encoding {
        Encoding::Hex => hexadecimal(text),
        Encoding::Base64 => BASE64.decode(text).ok(),
    };
    let macs = macs(mac.into_iter(), hmac.header.clone())?;
    let time = hmac.timestamp_header.as_ref().map(|name| {
        let text = one(headers, name)?;
        Ok((text, seconds(text).ok_or_else(|| Refused::Malformed(name.clone()))?))
    });
    let time = time.transpose()?;
    let part = |part: &'h Part| match part {
        Part::Text(text) => text.as_bytes(),
        Part::Timestamp => time.map_or(&b""[..], |(text, _)| text.as_bytes()),
        Part::Body => body,
    };
    Ok(Claim { macs, time: time.map(|(_, at)| at), signed: hmac.signed.iter().map(part).collect(), id: None })
}

/// Shopify: shopify.dev/docs/apps/build/webhooks/subscribe/https, "Validate the origin". GitHub: docs.github.com, "Validating
/// webhook deliveries".
fn over_body(header: &'static str, encoding: Encoding, prefix: &str) -> Hmac {
    Hmac {
        header: HeaderName::from_static(header),
        algorithm: Algorithm::Sha256,
        encoding,
        prefix: prefix.to_owned(),
        timestamp_header: None,
        signed: vec![Part::Body],
    }
}

/// A header's value; that of one that stands twice is anybody's guess.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, Refused> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| Refused::Missing(name.clone()))?;
    let text = value.to_str().ok().map(str::trim).filter(|text| !text.is_empty() && text.len() <= LONGEST_HEADER);
    text.filter(|_| values.next().is_none()).ok_or_else(|| Refused::Malformed(name.clone()))
}

fn macs(found: impl Iterator<Item = Vec<u8>>, name: HeaderName) -> Result<Vec<Vec<u8>>, Refused> {
    let macs: Vec<_> = found.take(MOST_SIGNATURES).collect();
    if macs.is_empty() { Err(Refused::Malformed(name)) } else { Ok(macs) }
}

fn seconds(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| !digits.is_empty() && digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SHA256: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const SLACK: &str = "scheme = \"hmac\"\nheader = \"X-Slack-Signature\"\nprefix = \"v0=\"\n\
                         timestamp_header = \"X-Slack-Request-Timestamp\"\nsigned = \"v0:{timestamp}:{body}\"";
    /// That of the vectors of Standard Webhooks.
    const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn verifier(lines: &str, secrets: &[&str]) -> Result<Verifier, NoKey> {
        let signature: Signature = toml::from_str(&format!("{lines}\nsecret_env = \"A\"")).unwrap();
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| (*secret).into()).collect();
        Verifier::new(&signature, &secrets)
    }

    /// What a verifier of one secret makes of a request.
    fn verify(lines: &str, secret: &str, sent: &[(&str, &str)], body: &[u8]) -> Result<Delivery, Refused> {
        verifier(lines, &[secret]).unwrap().verify(&headers(sent), body)
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
                let sent =
                    [(&*id, "msg_p5jXN8AQM9LWM0D4loKWxJek"), (&*timestamp, "1614265330"), (&*signature, signatures)];
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
            assert_eq!(refusal, Refused::Malformed("stripe-signature".parse().unwrap()), "{value}");
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
        assert_eq!(refusal(&[("X-Hub-Signature", "sha1=00")]), Refused::Missing(name("x-hub-signature-256")));
        for sent in malformed.iter().map(Vec::as_slice).chain([&[header("")][..], &[header("sha256=")]]) {
            assert_eq!(refusal(sent), Refused::Malformed(name("x-hub-signature-256")), "{sent:?}");
        }
        let of_slack = |time| {
            let sent = [("X-Slack-Signature", "v0=00"), ("X-Slack-Request-Timestamp", time)];
            verify(SLACK, "secret", &sent, b"{}").unwrap_err()
        };
        for time in ["", "-1", "1531420618.5", "soon", "99999999999999999999"] {
            assert_eq!(of_slack(time), Refused::Malformed(name("x-slack-request-timestamp")), "{time}");
        }
        let timeless = verify(SLACK, "secret", &[("X-Slack-Signature", "v0=00")], b"{}").unwrap_err();
        assert_eq!(timeless, Refused::Missing(name("x-slack-request-timestamp")));
    }

    #[test]
    fn either_of_two_secrets_signs_and_what_is_no_base64_is_none_of_standard_webhooks() {
        let verifier_of_two = verifier("scheme = \"github\"", &["new", "old"]).unwrap();
        for (secret, is_right) in [("new", true), ("old", true), ("older", false)] {
            let signature = format!("sha256={}", sign(secret.as_bytes(), &[b"{}"]));
            let sent = headers(&[("X-Hub-Signature-256", &signature)]);
            assert_eq!(verifier_of_two.verify(&sent, b"{}").is_ok(), is_right, "{secret}");
        }
        let is_key = |secret: &str| verifier("scheme = \"standard-webhooks\"", &[secret]).is_ok();
        assert!(is_key(WHSEC) && is_key(WHSEC.trim_start_matches("whsec_")));
        assert!(!is_key("whsec_") && !is_key("whsec_it's no base64"));
    }

    #[tokio::test]
    async fn a_delivery_is_taken_once_unless_it_came_to_nothing() {
        let verifier = verifier("scheme = \"github\"", &["secret"]).unwrap();
        let delivery = |body: &[u8]| {
            let signature = format!("sha256={}", sign(b"secret", &[body]));
            verifier.verify(&headers(&[("X-Hub-Signature-256", &signature)]), body).unwrap()
        };
        let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
        let taken = delivery(b"{}");
        assert_eq!(taken.take(first).await, Ok(()));
        let goes_on = Refused::Replayed { of: first, is_done: false };
        assert_eq!(delivery(b"{}").take(second).await, Err(goes_on));
        taken.give_back().await;
        let taken = delivery(b"{}");
        assert_eq!(taken.take(second).await, Ok(()));
        taken.keep();
        assert_eq!(delivery(b"{}").take(first).await, Err(Refused::Replayed { of: second, is_done: true }));
        assert_eq!(delivery(b"{} ").take(first).await, Ok(()));
    }

    #[tokio::test]
    async fn the_same_id_with_a_new_time_is_the_same_delivery() {
        let verifier = verifier("scheme = \"standard-webhooks\"", &[WHSEC]).unwrap();
        let key = BASE64.decode(WHSEC.trim_start_matches("whsec_")).unwrap();
        let delivery = |id: &str, away: i64| {
            let time = (Timestamp::now().as_second() + away).to_string();
            let mac = hexadecimal(&sign(&key, &[id.as_bytes(), b".", time.as_bytes(), b".{}"])).unwrap();
            let signature = format!("v1,{}", BASE64.encode(mac));
            let sent = [("webhook-id", id), ("webhook-timestamp", &*time), ("webhook-signature", &*signature)];
            verifier.verify(&headers(&sent), b"{}").unwrap()
        };
        let first = Uuid::now_v7();
        assert_eq!(delivery("msg_1", -60).take(first).await, Ok(()));
        let again = delivery("msg_1", 0).take(Uuid::now_v7()).await;
        assert_eq!(again, Err(Refused::Replayed { of: first, is_done: false }));
        assert_eq!(delivery("msg_2", 0).take(Uuid::now_v7()).await, Ok(()));
    }
}
