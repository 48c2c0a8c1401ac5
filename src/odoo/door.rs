//! Which of Odoo's four doors a credential opens.
//!
//! `protocol = "auto"` takes the cheapest door that is there to stay: the session door wherever there is a session or a
//! password, JSON-2 for keys where Odoo has it (19 and later), JSON-RPC for keys before. XML-RPC is taken only where it is
//! asked for. Odoo 22 removes JSON-RPC and XML-RPC.

use super::{credential::Credential, error::Error};
use crate::config::Protocol;

/// The first version with JSON-2.
pub(super) const JSON2_SINCE: u16 = 19;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Session,
    JsonRpc,
    XmlRpc,
    Json2,
}

impl Door {
    /// `version` is asked only where it matters, so that a session needs no other answer of Odoo's.
    pub(super) async fn of(
        credential: &Credential,
        protocol: Protocol,
        version: impl AsyncFnOnce() -> Result<u16, Error>,
    ) -> Result<Self, Error> {
        let forced = match protocol {
            Protocol::Auto => None,
            Protocol::Session => Some(Self::Session),
            Protocol::JsonRpc => Some(Self::JsonRpc),
            Protocol::XmlRpc => Some(Self::XmlRpc),
            Protocol::Json2 => Some(Self::Json2),
        };
        let taken = match protocol {
            Protocol::Auto => "any",
            Protocol::Session => "a session, or a login and password",
            Protocol::JsonRpc | Protocol::XmlRpc => "a key with its login, or a login and password",
            Protocol::Json2 => "an API key",
        };
        let closed = || Err(Error::DoorClosed { credential: credential.kind(), taken });
        match (credential, forced) {
            (Credential::Session(_) | Credential::Password { .. }, None | Some(Self::Session)) => Ok(Self::Session),
            (Credential::Session(_), _) | (Credential::Password { .. }, Some(Self::Json2)) => closed(),
            (
                Credential::Password { .. } | Credential::LoginKey { .. },
                Some(door @ (Self::JsonRpc | Self::XmlRpc)),
            ) => Ok(door),
            (Credential::Key(_) | Credential::LoginKey { .. }, Some(Self::Session)) => closed(),
            (Credential::Key(_) | Credential::LoginKey { .. }, forced) => match (version().await?, forced) {
                (JSON2_SINCE.., forced) => Ok(forced.unwrap_or(Self::Json2)),
                (version, Some(Self::Json2)) => Err(Error::NoSuchDoor { version }),
                (_, _) if matches!(credential, Credential::LoginKey { .. }) => Ok(Self::JsonRpc),
                (version, _) => Err(Error::KeyNeedsLogin { version }),
            },
        }
    }

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

    /// The table of credentials, protocols and versions; `-` is a refusal.
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
            (Protocol::Auto, 14, ["session", "session", "key_needs_login", "json-rpc"]),
            (Protocol::Auto, 19, ["session", "session", "json-2", "json-2"]),
            (Protocol::Session, 14, ["session", "session", "-", "-"]),
            (Protocol::Session, 19, ["session", "session", "-", "-"]),
            (Protocol::JsonRpc, 14, ["-", "json-rpc", "key_needs_login", "json-rpc"]),
            (Protocol::JsonRpc, 19, ["-", "json-rpc", "json-rpc", "json-rpc"]),
            (Protocol::XmlRpc, 14, ["-", "xml-rpc", "key_needs_login", "xml-rpc"]),
            (Protocol::XmlRpc, 19, ["-", "xml-rpc", "xml-rpc", "xml-rpc"]),
            (Protocol::Json2, 14, ["-", "-", "no_such_door", "no_such_door"]),
            (Protocol::Json2, 19, ["-", "-", "json-2", "json-2"]),
        ];
        for (protocol, version, expected) in table {
            for (credential, expected) in credentials.iter().zip(expected) {
                let seen = match Door::of(credential, protocol, async || Ok(version)).await {
                    Ok(door) => door.name(),
                    Err(error) if error.code().as_str() == "credential_not_allowed" => "-",
                    Err(error) => error.code().as_str(),
                };
                assert_eq!(seen, expected, "{protocol:?} on {version} with a {}", credential.kind());
            }
        }
    }
}
