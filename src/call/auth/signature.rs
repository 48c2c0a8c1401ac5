//! Signed requests: whether a body was signed with the client's secret, lately, and comes for the first time.
//!
//! What is compared are MACs and signatures over the request as it came, byte for byte, in constant time; or a token, which proves
//! who sends and not what. A delivery is taken once for its client, at whichever route or hook it comes first; one that came to
//! nothing may come again. That is its key in the store ([`Delivery::key`]), so it is known after a restart, too.
//!
//! `way` reads what a request claims, `text` puts together what is signed, `in_body` knows the schemes whose signature is within
//! the body, `token` and `keys` compare, `sign` does what a sender does, `value` reads headers and times.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod in_body;
mod keys;
mod refused;
mod sign;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod value;
mod way;

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use self::{keys::Keys, way::Way};
pub use self::{
    keys::NoKey,
    refused::{Place, Refused},
    sign::{NotSigned, Signed},
};
use crate::{
    config::{Signature, Token},
    hook::{Hidden, RequestLine},
};

/// Times are compared by whole seconds.
const EDGE: Duration = Duration::from_secs(2);

/// Knows the signatures of one client.
pub(in crate::call) struct Verifier {
    way: Way,
    /// None where a secret is missing: then nothing is verified.
    keys: Option<Keys>,
    tolerance: Duration,
    public_url: Option<String>,
}

/// A delivery with a right signature, and what tells it from others.
#[derive(Debug, Clone, Copy)]
pub(in crate::call) struct Delivery {
    digest: [u8; 32],
    /// How long it is known again, where its sender gives it no identity: later the same content is another delivery.
    known_for: Option<Duration>,
}

/// What a request says of its signature.
struct Claim<'r> {
    /// Any of them may be the right one.
    signatures: Vec<Vec<u8>>,
    /// In seconds since 1970.
    time: Option<i64>,
    /// What is signed.
    signed: Vec<Piece<'r>>,
    /// What a sender calls the delivery, if it does: the same in all attempts.
    id: Option<Cow<'r, [u8]>>,
}

/// A piece of what is signed.
struct Piece<'r> {
    bytes: Cow<'r, [u8]>,
    /// It is the same in all attempts of a sender, and other in another delivery: no time, no constant text.
    is_content: bool,
}

impl Verifier {
    /// Without secrets, everything is refused; what of a request is secret is known all the same.
    pub(in crate::call) fn new(signature: &Signature, secrets: Option<&[SecretString]>) -> Result<Self, NoKey> {
        Ok(Self {
            way: Way::of(&signature.scheme),
            keys: secrets.map(|secrets| Keys::of(&signature.scheme, secrets)).transpose()?,
            tolerance: signature.tolerance,
            public_url: signature.public_url.clone(),
        })
    }

    /// What of a request is a signature or a secret: no template, log or store gets it.
    pub(in crate::call) fn hidden(&self) -> Hidden<'_> {
        let (headers, query): (&[HeaderName], _) = match &self.way {
            Way::StandardWebhooks | Way::Mailgun | Way::Adyen => (&[], None),
            Way::Parts(parts) => (&parts.headers, None),
            Way::Token(Token::Header { name, .. }) => (std::slice::from_ref(name), None),
            Way::Token(Token::Query(name)) => (&[], Some(name.as_str())),
            Way::Token(Token::Path | Token::Basic) => (&[], None),
        };
        Hidden { headers, query }
    }

    /// The secret that signs now; none of public keys.
    pub(in crate::call) fn secret(&self) -> Option<&SecretString> {
        self.keys.as_ref().and_then(Keys::secret)
    }

    /// Whether the client has sent this body. What is known of its time is looked at only when that is sure. A token gives no delivery:
    /// it proves no content, so that two equal bodies are two deliveries.
    pub(in crate::call) fn verify(
        &self,
        line: &RequestLine,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Option<Delivery>, Refused> {
        let keys = self.keys.as_ref().ok_or(Refused::NoSecret)?;
        if let Way::Token(token) = &self.way {
            token::check(token, keys, line, headers)?;
            return Ok(None);
        }
        let origin = self.origin(line);
        let claims = self.way.claims(&text::Request { origin, line, headers, body })?;
        // Each of them, whichever is right.
        let mut is_right = !claims.is_empty();
        for claim in &claims {
            is_right &= keys.have_signed(&claim.signed, &claim.signatures);
        }
        if !is_right {
            return Err(match self.way.signs_url() {
                true => Refused::WrongAt(origin.to_owned()),
                false => Refused::Wrong,
            });
        }
        for time in claims.iter().filter_map(|claim| claim.time) {
            let age = Timestamp::now().as_second().saturating_sub(time);
            if age.unsigned_abs() > self.tolerance.as_secs() {
                return Err(Refused::Stale { age, tolerance: self.tolerance });
            }
        }
        Ok(Some(self.delivery(&claims)))
    }

    /// The id that the sender signs, else a hash of the content, without the time: attempts are signed anew.
    fn delivery(&self, claims: &[Claim<'_>]) -> Delivery {
        let mut digest = Sha256::new();
        let mut known_for = None;
        for claim in claims {
            match &claim.id {
                Some(id) => digest.update(id),
                None => {
                    // A time may be as far ahead as behind.
                    known_for = Some(self.tolerance * 2 + EDGE);
                    claim.signed.iter().filter(|piece| piece.is_content).for_each(|piece| digest.update(&piece.bytes));
                }
            }
        }
        Delivery { digest: digest.finalize().into(), known_for }
    }

    /// What the sender calls, before the path.
    fn origin<'r>(&'r self, line: &'r RequestLine) -> &'r str {
        self.public_url.as_deref().unwrap_or(&line.origin)
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

    /// How long it is known, where its sender signs no id of it.
    pub(in crate::call) fn known_for(&self) -> Option<Duration> {
        self.known_for
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}
