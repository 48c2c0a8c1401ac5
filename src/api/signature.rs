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
use moka::future::Cache;
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
        let taken = Cache::builder().max_capacity(DELIVERIES).time_to_live(tolerance * 2).build();
        Ok(Self { way, keys, tolerance, taken })
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
        self.taken.invalidate(&self.digest).await;
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
