//! The origin of a request: its client address, its trace, and the flow that it belongs to in the fair queue.

use std::{fmt, net::IpAddr};

use http::HeaderValue;

use crate::odoo::credential::Fingerprint;

const TRACEPARENT: usize = 55;

/// Where a call came from. The default stands for requests of the gateway itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin {
    /// The client's address. An Odoo in proxy mode counts failed logins by it.
    pub address: Option<IpAddr>,
    pub traceparent: Option<TraceParent>,
    /// The flow by which the fair queue shares out permits.
    pub flow: Flow,
}

/// A flow of the fair queue: all requests that share one turn. The connections, sessions and keys of one user form one flow;
/// so do the unknown callers of one address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Flow {
    /// The gateway itself.
    #[default]
    Gateway,
    /// A `[[client]]`, by its name. Several clients may act as the same user of Odoo.
    Client(Fingerprint),
    /// The queued calls of a `[[client]]`: they are behind all others.
    Queue(Fingerprint),
    /// A user of Odoo, by id.
    User(i64),
    /// A caller that is not known yet: an address, or a network of addresses.
    Address(IpAddr),
}

impl Flow {
    /// The flow of the `[[client]]` with this name.
    pub fn client(name: &str) -> Self {
        Self::Client(Fingerprint::of_text(name))
    }

    /// The flow of the queued calls of the `[[client]]` with this name.
    pub fn queue(name: &str) -> Self {
        Self::Queue(Fingerprint::of_text(name))
    }

    /// Whether nobody waits for its calls.
    pub(in crate::odoo) fn is_of_queue(self) -> bool {
        matches!(self, Self::Queue(_))
    }

    /// The flow after the user is known: that of a client stays, any other becomes the user's.
    #[must_use]
    pub(in crate::odoo) fn or_user(self, uid: i64) -> Self {
        if matches!(self, Self::Client(_) | Self::Queue(_)) { self } else { Self::User(uid) }
    }
}

/// A `traceparent` header (W3C Trace Context, section 3.2): version, trace, parent and flags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceParent([u8; TRACEPARENT]);

impl TraceParent {
    pub fn read(value: &[u8]) -> Option<Self> {
        let bytes: [u8; TRACEPARENT] = value.try_into().ok()?;
        let is_right = |(at, byte): (usize, &u8)| match at {
            2 | 35 | 52 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        };
        (bytes.iter().enumerate().all(is_right) && !bytes.starts_with(b"ff")).then_some(Self(bytes))
    }

    #[expect(clippy::expect_used, reason = "`read` lets only ASCII through")]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("ASCII")
    }

    pub(in crate::odoo) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&self.0).ok()
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_of_its_form_or_none() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceParent::read(good.as_bytes()).map(|parent| parent.as_str().to_owned()), Some(good.to_owned()));
        for bad in [&good[1..], "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", &good.to_uppercase(), ""] {
            assert_eq!(TraceParent::read(bad.as_bytes()), None, "{bad}");
        }
    }
}
