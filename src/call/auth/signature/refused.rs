//! Why a request is not taken for the client's.

use std::{fmt, time::Duration};

use http::HeaderName;
use uuid::Uuid;

/// Why a request is not taken for the client's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(
        "the gateway lacks the secret of this client's signatures: its operator finds which by `odoo-gateway check`"
    )]
    NoSecret,
    #[error("the request has no {0}, which its signature needs")]
    Missing(Place),
    #[error("the {0} cannot be read: it stands twice, or is not of its form")]
    Malformed(Place),
    #[error("the signature is {age} s away from now, further than the {} s that are allowed", tolerance.as_secs())]
    Stale { age: i64, tolerance: Duration },
    #[error("the signature is not that of this body: it was changed, or signed with another secret")]
    Wrong,
    /// A proxy may hide what the sender has called.
    #[error(
        "the signature is not that of this body at `{0}`: it was changed, signed with another secret, or sent to another URL; `public_url` of the signature says what the sender calls"
    )]
    WrongAt(String),
    #[error("the request has a body, which its signature does not cover")]
    Uncovered,
    #[error("the {0} is not what this client sends")]
    WrongToken(Place),
    #[error("this delivery has been taken already, as call {of}{}", if *is_done { "" } else { ", which goes on" })]
    Replayed { of: Uuid, is_done: bool },
}

/// Where a part of a signature is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Header(HeaderName),
    /// User and password in `Authorization`.
    Basic,
    /// A member of the query.
    Query(String),
    /// The last segment of the path.
    Path,
    /// A value of the body, by its path.
    Body(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header `{name}`"),
            Self::Basic => f.write_str("user and password (`Authorization: Basic`)"),
            Self::Query(name) => write!(f, "value `{name}` of the query"),
            Self::Path => f.write_str("token as the last segment of the path"),
            Self::Body(path) => write!(f, "value `{path}` of the body"),
        }
    }
}

impl Refused {
    pub(super) fn no_header(name: &HeaderName) -> Self {
        Self::Missing(Place::Header(name.clone()))
    }

    pub(super) fn bad_header(name: &HeaderName) -> Self {
        Self::Malformed(Place::Header(name.clone()))
    }
}
