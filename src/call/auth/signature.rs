//! Signed requests: whether a body was signed with the client's secret, lately, and comes for the first time.
//!
//! What is compared are MACs over the body as it came, byte for byte, in constant time. No scheme signs the URL, so a delivery
//! is taken once for its client, at whichever route or hook it comes first; one that came to nothing may come again. How each
//! scheme signs is in `way`.

#[cfg(test)]
mod tests;
mod way;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use aws_lc_rs::hmac;
use base64::Engine;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use moka::{future::Cache, policy::EvictionPolicy};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::way::{BASE64, Way};
use crate::config::{Algorithm, Hmac, Signature};

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
pub(in crate::call) struct Verifier {
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

/// A delivery with a right signature.
#[derive(Debug)]
pub(in crate::call) struct Delivery {
    taken: Taken,
    digest: [u8; 32],
    is_done: Arc<AtomicBool>,
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
    pub(in crate::call) fn remember(&mut self, other: &Self) {
        if self.tolerance == other.tolerance {
            self.taken = other.taken.clone();
        }
    }

    /// Whether the client has sent this body. What is known of its time is looked at only when that is sure.
    pub(in crate::call) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, Refused> {
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
    pub(in crate::call) async fn take(&self, call: Uuid) -> Result<(), Refused> {
        let call = Call { id: call, is_done: self.is_done.clone() };
        let entry = self.taken.entry(self.digest).or_insert(call).await;
        if entry.is_fresh() {
            return Ok(());
        }
        let Call { id: of, is_done } = entry.into_value();
        Err(Refused::Replayed { of, is_done: is_done.load(Relaxed) })
    }

    /// The delivery was done, or its outcome is unknown: it stays taken.
    pub(in crate::call) fn keep(&self) {
        self.is_done.store(true, Relaxed);
    }

    /// Nothing was written: the delivery may come again.
    pub(in crate::call) async fn give_back(&self) {
        // By now it may have been taken by another call.
        if self.taken.get(&self.digest).await.is_some_and(|taken| Arc::ptr_eq(&taken.is_done, &self.is_done)) {
            self.taken.invalidate(&self.digest).await;
        }
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}
