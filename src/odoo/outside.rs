//! Odoo as it is called from outside: the host and scheme that it is told, and trusted certificates on the way to it.
//!
//! Odoo writes the host by which an administrator logs in into the links of its mails, and takes a websocket only from a
//! page of the same host (16 and later). In proxy mode it reads X-Forwarded-*, and those only where X-Forwarded-Host is
//! among them (14-19).

use std::path::{Path, PathBuf};

use http::{
    HeaderMap, HeaderName, HeaderValue, header,
    uri::{Authority, Scheme},
};
use hyper_rustls::ConfigBuilderExt;
use reqwest::Url;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
};

use super::Origin;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How people reach Odoo: `[upstream] public_url`, else `url`.
#[derive(Debug, Clone)]
pub struct Outside {
    pub scheme: Scheme,
    pub authority: Authority,
    /// Host and port of `url`.
    pub inner: Authority,
    /// There is a `public_url`.
    pub is_public: bool,
    /// Authority and scheme as headers have them.
    host: HeaderValue,
    proto: HeaderValue,
}

/// Why TLS towards Odoo cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("[upstream] ca: cannot read `{}`: {source}", path.display())]
    Unreadable { path: PathBuf, source: pem::Error },
    #[error("[upstream] ca: there is no certificate authority in `{}`", .0.display())]
    Empty(PathBuf),
    #[error("the system's certificate authorities cannot be used: {0}")]
    System(#[from] rustls::Error),
}

impl Outside {
    /// None where a URL has no scheme or host, which the configuration does not let through.
    pub fn of(url: &Url, public: Option<&Url>) -> Option<Self> {
        let (_, inner) = origin(url)?;
        let (scheme, authority) = origin(public.unwrap_or(url))?;
        let host = HeaderValue::try_from(authority.as_str()).ok()?;
        let proto = HeaderValue::try_from(scheme.as_str()).ok()?;
        Some(Self { scheme, authority, inner, is_public: public.is_some(), host, proto })
    }

    /// Tells Odoo how it is called, and for whom.
    pub fn tell(&self, headers: &mut HeaderMap, origin: &Origin) {
        let mut say = |name: HeaderName, value: Option<HeaderValue>| {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        };
        say(header::HOST, Some(self.host.clone()));
        say(FORWARDED_HOST, Some(self.host.clone()));
        say(FORWARDED_PROTO, Some(self.proto.clone()));
        let address = origin.address.and_then(|address| HeaderValue::try_from(address.to_string()).ok());
        say(FORWARDED_FOR, address.clone());
        say(REAL_IP, address);
        say(TRACEPARENT, origin.traceparent.and_then(|parent| parent.header()));
    }
}

fn origin(url: &Url) -> Option<(Scheme, Authority)> {
    let host = url.host_str()?;
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Some((url.scheme().parse().ok()?, authority.parse().ok()?))
}

/// Trusts the authorities in the file alone; without one, those of the system.
pub fn tls(ca: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let Some(path) = ca else {
        return Ok(ClientConfig::builder().try_with_platform_verifier()?.with_no_client_auth());
    };
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    let all: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<_, _>>).map_err(unreadable)?;
    if roots.add_parsable_certificates(all).0 == 0 {
        return Err(TlsError::Empty(path.to_owned()));
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
