//! What a caller proves itself with.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::key_texts::is_odoo_key;

/// An Odoo credential: the caller's own, or that of its `[[client]]` entry.
#[derive(Clone)]
pub enum Credential {
    /// The `session_id` cookie of `/web/session/authenticate`.
    Session(SecretString),
    /// An API key: alone it is enough from Odoo 19 on.
    Key(SecretString),
    /// An API key and the login of its user: enough for every version.
    LoginKey { login: String, key: SecretString },
    /// Enough for every version, but not for accounts with two-factor authentication.
    Password { login: String, password: SecretString },
}

/// Tells credentials apart in caches without keeping them there.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Credential {
    /// A login with what may be an API key or a password: a key is 40 hexadecimal digits (Odoo 14-19).
    pub fn of_login(login: String, secret: SecretString) -> Self {
        if is_odoo_key(secret.expose_secret()) {
            Self::LoginKey { login, key: secret }
        } else {
            Self::Password { login, password: secret }
        }
    }

    pub fn fingerprint(&self) -> Fingerprint {
        let secret = self.secret();
        let digest = Sha256::new().chain_update(self.kind()).chain_update([0]);
        let digest = digest.chain_update(self.login().unwrap_or_default()).chain_update([0]);
        Fingerprint(digest.chain_update(secret.expose_secret()).finalize().into())
    }

    pub fn secret(&self) -> &SecretString {
        match self {
            Self::Session(secret) | Self::Key(secret) => secret,
            Self::LoginKey { key, .. } => key,
            Self::Password { password, .. } => password,
        }
    }

    /// The login that was given beside the secret.
    pub fn login(&self) -> Option<&str> {
        match self {
            Self::Session(_) | Self::Key(_) => None,
            Self::LoginKey { login, .. } | Self::Password { login, .. } => Some(login),
        }
    }

    /// The kind alone, for the log.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Key(_) => "key",
            Self::LoginKey { .. } => "login and key",
            Self::Password { .. } => "login and password",
        }
    }
}

impl Fingerprint {
    /// Of a text that is no credential, such as a name.
    pub(in crate::odoo) fn of_text(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

/// Its kind alone: what a caller gave as a login may be the secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

#[cfg(test)]
mod tests {
    use crate::odoo::credential::*;

    #[test]
    fn a_secret_shows_in_no_debug_output() {
        // They may have been swapped.
        let credential = Credential::Password { login: "login5".to_owned(), password: "hunter2".into() };
        let shown = format!("{credential:?} {:?}", credential.fingerprint());
        assert!(!shown.contains("hunter2") && !shown.contains("login5"), "{shown}");
    }

    #[test]
    fn credentials_of_the_same_text_are_different_callers() {
        let all = [
            Credential::Key("a".into()),
            Credential::Session("a".into()),
            Credential::LoginKey { login: "a".to_owned(), key: "a".into() },
            Credential::LoginKey { login: "aa".to_owned(), key: "".into() },
            Credential::Password { login: "a".to_owned(), password: "a".into() },
        ];
        let fingerprints: std::collections::HashSet<_> = all.iter().map(Credential::fingerprint).collect();
        assert_eq!(fingerprints.len(), all.len());
    }

    #[test]
    fn forty_hexadecimal_digits_beside_a_login_are_a_key() {
        assert_eq!(Credential::of_login("a".to_owned(), "0123456789".repeat(4).into()).kind(), "login and key");
        assert_eq!(Credential::of_login("a".to_owned(), "secret".into()).kind(), "login and password");
    }
}
