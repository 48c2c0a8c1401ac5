//! Where a client is told how its queued calls ended, and the signature by which it knows that the gateway tells it.
//!
//! Standard Webhooks 1.0.0: the MAC is over id, time and body, in base64 behind `v1,`.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::signature::NoKey;

/// The receiver of a client.
pub struct Callback {
    pub url: Url,
    key: hmac::Key,
}

impl Callback {
    /// # Errors
    /// The secret is not base64, behind `whsec_` or not.
    pub(super) fn new(url: &Url, secret: &SecretString) -> Result<Self, NoKey> {
        let text = secret.expose_secret().trim();
        let bytes =
            STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| NoKey::StandardWebhooks)?;
        if bytes.is_empty() {
            return Err(NoKey::StandardWebhooks);
        }
        Ok(Self { url: url.clone(), key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
    }

    /// The value of `webhook-signature` for what is told at this time, in seconds since 1970.
    pub fn signature(&self, id: Uuid, time: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(format!("{id}.{time}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_signed_as_standard_webhooks_has_it() {
        let url = Url::parse("https://shop.example/hooks").unwrap();
        let callback = Callback::new(&url, &"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
        let id = Uuid::parse_str("018f0000-0000-7000-8000-000000000001").unwrap();
        let signature = callback.signature(id, 1_614_265_330, b"{\"test\": 2432232314}");
        // By `openssl dgst -sha256 -mac HMAC` over the same bytes.
        assert_eq!(signature, "v1,Z5yqoI5lX4gE+Wt5VIduM8EFpOrg9hWCZLXjdM6c3Nc=");
        assert!(Callback::new(&url, &"whsec_?".into()).is_err());
        assert!(!format!("{callback:?}").contains("hooks"));
    }
}
