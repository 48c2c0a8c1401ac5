//! Why a caller is not served.

use std::{net::IpAddr, sync::Arc};

use http::HeaderName;
use jiff::Timestamp;

use super::signature::{Place, Refused};
use crate::{
    errors::{Class, Code, Retry},
    limits,
};

/// Why a caller is not served: it proves nothing, or may not call now, from there or so often.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no credentials: send the session cookie of /web/session/authenticate, `Authorization: Bearer KEY` or `x-api-key: KEY` (before Odoo 19 with `X-Odoo-Login: LOGIN`), or `Authorization: Basic` with LOGIN:KEY or LOGIN:PASSWORD{}",
        not_taken(tried.as_ref())
    )]
    NoCredentials { tried: Option<Tried> },
    #[error("a caller with a session cookie must send `Content-Type: application/json`")]
    ContentType,
    #[error("the header `{0}` cannot be read: it is empty, stands twice, or is not of its form")]
    UnreadableCredential(HeaderName),
    #[error(
        "what stands as a login in the header `{0}` has the form of a key; send a key as `Authorization: Bearer KEY` or `x-api-key: KEY`, or behind its user's login: LOGIN:KEY"
    )]
    KeyAsLogin(HeaderName),
    #[error("no client of this gateway is known by that key, or by that name and a signature")]
    UnknownClient,
    #[error("the client `{0}` has been revoked")]
    ClientRevoked(Arc<str>),
    #[error("the client `{client}` was to be served until {expired} only")]
    ClientExpired { client: Arc<str>, expired: Timestamp },
    #[error("the gateway lacks a secret of the client `{0}`: its operator finds which by `odoo-gateway check`")]
    ClientNotReady(Arc<str>),
    #[error("this caller is not served at {0}")]
    AddressNotAllowed(IpAddr),
    #[error("this gateway serves callers with a key or signature of its own alone, none with an Odoo credential")]
    OwnCredentials,
    #[error(transparent)]
    Limited(#[from] limits::Error),
    #[error(transparent)]
    Signature(#[from] Refused),
}

/// What stood in `Authorization` instead. Never shown: without a scheme, it is the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    OtherScheme,
    NoScheme,
}

fn not_taken(tried: Option<&Tried>) -> &'static str {
    match tried {
        None => "",
        Some(Tried::OtherScheme) => " (the scheme in your `Authorization` header is not taken)",
        Some(Tried::NoScheme) => " (your `Authorization` header has no scheme: put `Bearer ` before the key)",
    }
}

impl Error {
    /// The stable code that callers may branch on.
    pub fn code(&self) -> Code {
        match self {
            Self::NoCredentials { .. } => Code::NoCredentials,
            Self::ContentType => Code::ContentType,
            Self::UnreadableCredential(_) | Self::KeyAsLogin(_) => Code::UnreadableCredential,
            Self::UnknownClient => Code::UnknownClient,
            Self::ClientRevoked(_) => Code::ClientRevoked,
            Self::ClientExpired { .. } => Code::ClientExpired,
            Self::ClientNotReady(_) | Self::Signature(Refused::NoSecret) => Code::ClientAccount,
            Self::AddressNotAllowed(_) => Code::AddressNotAllowed,
            Self::OwnCredentials => Code::OwnCredentials,
            Self::Limited(limits::Error::RateLimited { .. }) => Code::RateLimited,
            Self::Limited(limits::Error::TooManyInFlight { .. }) => Code::TooManyInFlight,
            Self::Limited(limits::Error::TooManyAttempts) => Code::TooManyAttempts,
            // User and password are told as those of any other caller, so that a sender is asked for them.
            Self::Signature(Refused::Missing(Place::Basic)) => Code::NoCredentials,
            Self::Signature(Refused::Malformed(Place::Basic)) => Code::UnreadableCredential,
            Self::Signature(Refused::WrongToken(Place::Basic)) => Code::UnknownClient,
            Self::Signature(Refused::Missing(_)) => Code::SignatureMissing,
            Self::Signature(Refused::Malformed(_)) => Code::SignatureMalformed,
            Self::Signature(Refused::Stale { .. }) => Code::SignatureStale,
            Self::Signature(Refused::Wrong | Refused::WrongAt(_) | Refused::Uncovered | Refused::WrongToken(_)) => {
                Code::SignatureWrong
            }
            Self::Signature(Refused::Replayed { .. }) => Code::Replayed,
        }
    }

    /// Whether to send the call again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Signature(Refused::Replayed { is_done: false, .. }) => Retry::Safe,
            error => error.code().retry(),
        }
    }

    /// What it means for HTTP.
    pub fn class(&self) -> Class {
        match self {
            Self::Signature(Refused::Replayed { is_done: false, .. }) => Class::UnderWay,
            error => error.code().class(),
        }
    }
}
