//! What a caller proves itself with, and which Odoo door that opens.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A caller's own Odoo credential. Its secret shows in no `Debug` output.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The `session_id` cookie of `/web/session/authenticate`.
    Session(SecretString),
    /// An API key: alone it is enough from Odoo 19 on.
    Key(SecretString),
}

/// Tells credentials apart in caches without keeping them there.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Credential {
    pub fn fingerprint(&self) -> Fingerprint {
        let (kind, secret) = match self {
            Self::Session(secret) => ("session", secret),
            Self::Key(secret) => ("key", secret),
        };
        Fingerprint(
            Sha256::new().chain_update(kind).chain_update([0]).chain_update(secret.expose_secret()).finalize().into(),
        )
    }

    /// The kind alone, for the log.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Key(_) => "key",
        }
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_in_no_debug_output() {
        let credential = Credential::Key("hunter2".into());
        assert!(!format!("{credential:?} {:?}", credential.fingerprint()).contains("hunter2"));
    }

    #[test]
    fn a_session_and_a_key_with_the_same_text_are_two_callers() {
        assert_ne!(Credential::Key("a".into()).fingerprint(), Credential::Session("a".into()).fingerprint());
    }
}
