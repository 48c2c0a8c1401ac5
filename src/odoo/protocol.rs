//! Odoo's four RPC protocols, and which of them is used for a credential.
//!
//! `protocol = "auto"` selects the cheapest protocol that will last: the session protocol for sessions and passwords, JSON-2 for
//! keys where Odoo has it (19 and later), JSON-RPC for keys before. XML-RPC is used only where it is configured. Odoo 22 removes
//! JSON-RPC and XML-RPC.
//!
//! A protocol writes an RPC ([`wire`], [`xml`]), sends it by the transport, and reads the answer; it has no state. This folder
//! imports `model`, `transport` and `auth::credential`.

pub(in crate::odoo) mod endpoint;
pub(in crate::odoo) mod envelope;
pub(in crate::odoo) mod json2;
pub(in crate::odoo) mod json_rpc;
pub(in crate::odoo) mod release;
pub(in crate::odoo) mod session;
pub(in crate::odoo) mod wire;
pub(in crate::odoo) mod xml;
pub(in crate::odoo) mod xml_rpc;

use secrecy::SecretString;

use super::credential::Credential;
use crate::{config::ProtocolChoice, odoo::model::error::Error};

/// The first version with JSON-2.
pub(in crate::odoo) const JSON2_SINCE: u16 = 19;

/// The protocol of a caller's RPCs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Session,
    JsonRpc,
    XmlRpc,
    Json2,
}

/// A user as JSON-RPC and XML-RPC identify it.
#[derive(Debug, Clone)]
pub(in crate::odoo) struct ServiceUser {
    pub(in crate::odoo) uid: i64,
    /// An API key or a password.
    pub(in crate::odoo) secret: SecretString,
}

impl Protocol {
    /// The protocol for a credential. `version` is asked only where it matters, so that a session needs no other answer.
    ///
    /// # Errors
    /// The configured protocol does not take such a credential, or this version of Odoo does not have the protocol.
    pub(in crate::odoo) async fn select(
        credential: &Credential,
        choice: ProtocolChoice,
        version: impl AsyncFnOnce() -> Result<u16, Error>,
    ) -> Result<Self, Error> {
        let forced = match choice {
            ProtocolChoice::Auto => None,
            ProtocolChoice::Session => Some(Self::Session),
            ProtocolChoice::JsonRpc => Some(Self::JsonRpc),
            ProtocolChoice::XmlRpc => Some(Self::XmlRpc),
            ProtocolChoice::Json2 => Some(Self::Json2),
        };
        let taken = match choice {
            ProtocolChoice::Auto => "any",
            ProtocolChoice::Session => "a session, or a login and password",
            ProtocolChoice::JsonRpc | ProtocolChoice::XmlRpc => "a key with its login, or a login and password",
            ProtocolChoice::Json2 => "an API key",
        };
        let refused = || Err(Error::CredentialNotTaken { credential: credential.kind(), taken });
        match (credential, forced) {
            (Credential::Session(_) | Credential::Password { .. }, None | Some(Self::Session)) => Ok(Self::Session),
            (Credential::Session(_), _) | (Credential::Password { .. }, Some(Self::Json2)) => refused(),
            (
                Credential::Password { .. } | Credential::LoginKey { .. },
                Some(protocol @ (Self::JsonRpc | Self::XmlRpc)),
            ) => Ok(protocol),
            (Credential::Key(_) | Credential::LoginKey { .. }, Some(Self::Session)) => refused(),
            (Credential::Key(_) | Credential::LoginKey { .. }, forced) => match (version().await?, forced) {
                (JSON2_SINCE.., forced) => Ok(forced.unwrap_or(Self::Json2)),
                (version, Some(Self::Json2)) => Err(Error::NoSuchProtocol { version }),
                (_, _) if matches!(credential, Credential::LoginKey { .. }) => Ok(Self::JsonRpc),
                (version, _) => Err(Error::KeyNeedsLogin { version }),
            },
        }
    }

    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::JsonRpc => "json-rpc",
            Self::XmlRpc => "xml-rpc",
            Self::Json2 => "json-2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of credentials, choices and versions; `-` is a refusal.
    #[tokio::test]
    async fn each_credential_opens_its_door() {
        let (login, secret) = (|| "l".to_owned(), || "s".into());
        let credentials = [
            Credential::Session(secret()),
            Credential::Password { login: login(), password: secret() },
            Credential::Key(secret()),
            Credential::LoginKey { login: login(), key: secret() },
        ];
        let table = [
            (ProtocolChoice::Auto, 14, ["session", "session", "key_needs_login", "json-rpc"]),
            (ProtocolChoice::Auto, 19, ["session", "session", "json-2", "json-2"]),
            (ProtocolChoice::Session, 14, ["session", "session", "-", "-"]),
            (ProtocolChoice::Session, 19, ["session", "session", "-", "-"]),
            (ProtocolChoice::JsonRpc, 14, ["-", "json-rpc", "key_needs_login", "json-rpc"]),
            (ProtocolChoice::JsonRpc, 19, ["-", "json-rpc", "json-rpc", "json-rpc"]),
            (ProtocolChoice::XmlRpc, 14, ["-", "xml-rpc", "key_needs_login", "xml-rpc"]),
            (ProtocolChoice::XmlRpc, 19, ["-", "xml-rpc", "xml-rpc", "xml-rpc"]),
            (ProtocolChoice::Json2, 14, ["-", "-", "no_such_door", "no_such_door"]),
            (ProtocolChoice::Json2, 19, ["-", "-", "json-2", "json-2"]),
        ];
        for (protocol, version, expected) in table {
            for (credential, expected) in credentials.iter().zip(expected) {
                let seen = match Protocol::select(credential, protocol, async || Ok(version)).await {
                    Ok(protocol) => protocol.name(),
                    Err(error) if error.code().as_str() == "credential_not_allowed" => "-",
                    Err(error) => error.code().as_str(),
                };
                assert_eq!(seen, expected, "{protocol:?} on {version} with a {}", credential.kind());
            }
        }
    }
}
