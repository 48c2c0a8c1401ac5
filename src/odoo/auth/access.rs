//! A caller's access to Odoo: its credential, the protocol selected for it, and what authenticates its RPCs.

use std::sync::Arc;

use http::HeaderValue;
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

use crate::odoo::{
    credential::Credential,
    protocol::{Protocol, ServiceUser},
};

/// The access of one caller, for the duration of one call to the gateway.
#[derive(Debug)]
pub(in crate::odoo) struct Access {
    pub(in crate::odoo) credential: Credential,
    pub(in crate::odoo) protocol: Protocol,
    pub(in crate::odoo) rotated: RotatedCookie,
}

/// The `Set-Cookie` value by which Odoo replaced the caller's own session during a call, if it did. The caller must receive it
/// whatever the outcome of the call.
#[derive(Debug, Clone, Default)]
pub struct RotatedCookie(Arc<Mutex<Option<HeaderValue>>>);

impl RotatedCookie {
    pub fn get(&self) -> Option<HeaderValue> {
        self.0.lock().clone()
    }

    /// A later cookie replaces an earlier one; none leaves it.
    pub(in crate::odoo) fn replace(&self, cookie: Option<HeaderValue>) {
        if cookie.is_some() {
            *self.0.lock() = cookie;
        }
    }
}

/// What authenticates an RPC, by protocol.
#[derive(Debug, Clone)]
pub(in crate::odoo) enum RpcAuth {
    Session(SecretString),
    JsonRpc(ServiceUser),
    XmlRpc(ServiceUser),
    Json2(SecretString),
}

impl RpcAuth {
    pub(super) fn of_user(protocol: Protocol, user: ServiceUser) -> Self {
        if protocol == Protocol::XmlRpc { Self::XmlRpc(user) } else { Self::JsonRpc(user) }
    }

    /// Whether both stand for the same session or user.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Session(one), Self::Session(other)) => one.expose_secret() == other.expose_secret(),
            (Self::JsonRpc(one), Self::JsonRpc(other)) | (Self::XmlRpc(one), Self::XmlRpc(other)) => {
                one.uid == other.uid
            }
            _ => false,
        }
    }
}
