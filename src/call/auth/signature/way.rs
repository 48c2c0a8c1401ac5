//! How each scheme signs: which headers say it, and what is signed.
//!
//! Nothing is proven here; what a request claims is taken out of its headers, or is not of its form.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName};

use super::Refused;
use crate::{
    config::{Algorithm, Encoding, Hmac, Part, Scheme},
    hook::RequestLine,
};

pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// A header with more signatures is refused.
const MOST_SIGNATURES: usize = 16;
pub(super) const LONGEST_HEADER: usize = 4 << 10;

/// How a scheme signs.
pub(super) enum Way {
    StandardWebhooks,
    Stripe,
    Hmac(Hmac),
}

/// What a request says of its signature.
pub(super) struct Claim<'h> {
    /// Its MACs, any of which may be the right one.
    pub(super) macs: Vec<Vec<u8>>,
    /// In seconds since 1970.
    pub(super) time: Option<i64>,
    /// What is signed.
    pub(super) signed: Vec<&'h [u8]>,
    /// What a sender calls the delivery, if it does: the same in all attempts.
    pub(super) id: Option<&'h [u8]>,
}

impl Way {
    pub(super) fn of(scheme: &Scheme) -> Self {
        match scheme {
            Scheme::StandardWebhooks => Self::StandardWebhooks,
            Scheme::Stripe => Self::Stripe,
            Scheme::Shopify => Self::Hmac(over_body("x-shopify-hmac-sha256", Encoding::Base64, "")),
            Scheme::Github => Self::Hmac(over_body("x-hub-signature-256", Encoding::Hex, "sha256=")),
            Scheme::Hmac(hmac) => Self::Hmac(hmac.clone()),
        }
    }

    /// The header with the signature, of a way that says which.
    pub(super) fn header(&self) -> Option<&HeaderName> {
        match self {
            Self::StandardWebhooks | Self::Stripe => None,
            Self::Hmac(hmac) => Some(&hmac.header),
        }
    }

    pub(super) fn claim<'h>(
        &'h self,
        _line: &'h RequestLine,
        headers: &'h HeaderMap,
        body: &'h [u8],
    ) -> Result<Claim<'h>, Refused> {
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

pub(super) fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| !digits.is_empty() && digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
