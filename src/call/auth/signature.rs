//! Signed requests: whether a body was signed with the client's secret, lately, and comes for the first time.
//!
//! What is compared are MACs over the body as it came, byte for byte, in constant time. No scheme signs the URL, so a delivery
//! is taken once for its client, at whichever route or hook it comes first; one that came to nothing may come again. That is its
//! key in the store ([`Delivery::key`]), so it is known after a restart, too. How each scheme signs is in `way`.

#[cfg(test)]
mod tests;
mod way;

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::way::{BASE64, Way};
use crate::{
    config::{Algorithm, Hmac, Signature},
    hook::RequestLine,
};

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
pub(in crate::call) struct Verifier {
    way: Way,
    /// That of the secret, and while it is being replaced of the one before.
    keys: Vec<hmac::Key>,
    tolerance: Duration,
}

/// A delivery with a right signature.
#[derive(Debug, Clone, Copy)]
pub(in crate::call) struct Delivery {
    digest: [u8; 32],
    /// How long it is known again, where its sender gives it no identity: later the same content is another delivery.
    known_for: Option<Duration>,
}

impl Verifier {
    /// The header with the signature, where the configuration names one.
    pub(in crate::call) fn header(&self) -> Option<&HeaderName> {
        self.way.header()
    }

    pub(in crate::call) fn new(signature: &Signature, secrets: &[SecretString]) -> Result<Self, NoKey> {
        let way = Way::of(&signature.scheme);
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
        Ok(Self { way, keys, tolerance: signature.tolerance })
    }

    /// Whether the client has sent this body. What is known of its time is looked at only when that is sure.
    pub(in crate::call) fn verify(
        &self,
        line: &RequestLine,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Delivery, Refused> {
        let claim = self.way.claim(line, headers, body)?;
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
        // A time may be as far ahead as behind.
        let known_for = claim.id.is_none().then(|| self.tolerance * 2 + EDGE);
        match claim.id {
            Some(id) => digest.update(id),
            None => claim.signed.iter().for_each(|part| digest.update(part)),
        }
        Ok(Delivery { digest: digest.finalize().into(), known_for })
    }
}

impl Delivery {
    /// The key that it has in the store, for its client. No key that a caller sends has a blank in it.
    pub(in crate::call) fn key(&self) -> String {
        format!("delivery {}", const_hex::encode(self.digest))
    }

    pub(in crate::call) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    pub(in crate::call) fn known_for(&self) -> Option<Duration> {
        self.known_for
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}
