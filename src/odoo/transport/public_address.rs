//! The address under which people reach Odoo, and the headers that tell Odoo about it.
//!
//! Odoo writes the host by which an administrator logs in into the links of its mails, and accepts a websocket only from a
//! page of the same host (16 and later). In proxy mode it reads X-Forwarded-*, and those only where X-Forwarded-Host is
//! among them (14-19).

use http::{
    HeaderMap, HeaderName, HeaderValue, header,
    uri::{Authority, Scheme},
};
use reqwest::Url;

use super::origin::Origin;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The address of Odoo as people see it: `[upstream] public_url`, else `url`.
#[derive(Debug, Clone)]
pub struct PublicAddress {
    pub scheme: Scheme,
    pub authority: Authority,
    /// Host and port of `url`.
    pub inner: Authority,
    /// `public_url` is configured.
    pub is_public: bool,
    /// Authority and scheme as header values.
    host: HeaderValue,
    proto: HeaderValue,
}

impl PublicAddress {
    /// None where a URL has no scheme or host, which the configuration rejects.
    pub fn of(url: &Url, public: Option<&Url>) -> Option<Self> {
        let (_, inner) = origin(url)?;
        let (scheme, authority) = origin(public.unwrap_or(url))?;
        let host = HeaderValue::try_from(authority.as_str()).ok()?;
        let proto = HeaderValue::try_from(scheme.as_str()).ok()?;
        Some(Self { scheme, authority, inner, is_public: public.is_some(), host, proto })
    }

    /// Sets the headers that name the public address and the origin of the request.
    pub fn set_headers(&self, headers: &mut HeaderMap, origin: &Origin) {
        let mut set = |name: HeaderName, value: Option<HeaderValue>| {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        };
        set(header::HOST, Some(self.host.clone()));
        set(FORWARDED_HOST, Some(self.host.clone()));
        set(FORWARDED_PROTO, Some(self.proto.clone()));
        let address = origin.address.and_then(|address| HeaderValue::try_from(address.to_string()).ok());
        set(FORWARDED_FOR, address.clone());
        set(REAL_IP, address);
        set(TRACEPARENT, origin.traceparent.and_then(|parent| parent.header()));
    }
}

fn origin(url: &Url) -> Option<(Scheme, Authority)> {
    let host = url.host_str()?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Some((url.scheme().parse().ok()?, authority.parse().ok()?))
}
