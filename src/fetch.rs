//! Fetches files that a payload names by their URL.
//!
//! A URL is fetched only where `[files] allow` has it, each redirect anew, and only from a public address: the one that was
//! checked is the one that is connected to (`address`). No credential, no cookie and no proxy of the environment is used.
//! What is fetched is bounded in size and time, and counts as memory of the call. An error names the host and the reason,
//! and never the query of the URL, which may hold a key, nor what was answered.

mod address;

use std::{collections::BTreeMap, error::Error as _, net::IpAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use bytesize::ByteSize;
use http::{StatusCode, header};
use ipnet::IpNet;
use parking_lot::Mutex;
use reqwest::Url;
use tokio::time::{self, Instant};

use self::address::{NotPublic, PublicResolver, is_allowed};
use crate::{
    config::Files,
    memory::{self, Full},
};

const CONNECT: Duration = Duration::from_secs(10);
const POOL_IDLE: Duration = Duration::from_secs(10);

/// Fetches files within the bounds of `[files]`.
#[derive(Debug)]
pub struct Fetcher {
    config: Files,
    /// None where nothing may be fetched.
    client: Option<reqwest::Client>,
}

/// Fetches the files of one call, each once: a call that is planned anew has the same content.
#[derive(Debug)]
pub struct CallFiles {
    fetcher: Arc<Fetcher>,
    fetched: Mutex<BTreeMap<Url, Bytes>>,
}

impl CallFiles {
    pub fn new(fetcher: Arc<Fetcher>) -> Self {
        Self { fetcher, fetched: Mutex::default() }
    }

    /// The number of different files that one call may name.
    pub fn max_count(&self) -> usize {
        self.fetcher.config.max_count.get()
    }

    /// How many of them are left, if the call names `wanted`, of which some may have been fetched already; none where they are
    /// too many.
    pub fn left<'u>(&self, wanted: impl Iterator<Item = &'u Url>) -> Option<usize> {
        let fetched = self.fetched.lock();
        let new = wanted.filter(|url| !fetched.contains_key(*url)).count();
        self.max_count().checked_sub(fetched.len() + new)
    }

    /// Checks a URL without fetching it.
    ///
    /// # Errors
    /// It may not be fetched.
    pub fn check(&self, url: &Url) -> Result<(), Error> {
        self.fetcher.check(url)
    }

    /// The content of a file.
    ///
    /// # Errors
    /// It may not be fetched, or is not to be had until `until`.
    pub async fn fetch(&self, url: &Url, until: Instant) -> Result<Bytes, Error> {
        let known = self.fetched.lock().get(url).cloned();
        if let Some(content) = known {
            return Ok(content);
        }
        let content = self.fetcher.fetch(url, until).await?;
        self.fetched.lock().insert(url.clone(), content.clone());
        Ok(content)
    }
}

/// Why a file is not fetched. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{host} is not among the places of `[files] allow`")]
    NotAllowed { host: String },
    #[error("{host} is at an address that is not public; `[files] allow_private` can name it")]
    NotPublic { host: String },
    #[error("must have no user and no password: the gateway sends none")]
    Credentials,
    #[error("{host} {why}")]
    Refused { host: String, why: String },
    /// Another try may succeed.
    #[error("{host} {why}")]
    Failed { host: String, why: String },
    #[error("there is no memory left for the file from {host}: the calls under way hold `[limits] bodies`")]
    NoMemory { host: String },
}

/// The files cannot be fetched at all.
#[derive(Debug, thiserror::Error)]
#[error("a client for other hosts than Odoo cannot be set up: {0}")]
pub struct Unusable(#[from] reqwest::Error);

impl Fetcher {
    /// # Errors
    /// TLS cannot be set up.
    pub fn build(config: &Files) -> Result<Self, Unusable> {
        if config.allow.is_empty() {
            return Ok(Self { config: config.clone(), client: None });
        }
        let client = public_client(&config.allow_private)?;
        Ok(Self { config: config.clone(), client: Some(client) })
    }

    /// Checks a URL without fetching it.
    ///
    /// # Errors
    /// It may not be fetched.
    fn check(&self, url: &Url) -> Result<(), Error> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Credentials);
        }
        if !self.config.allows(url) {
            return Err(Error::NotAllowed { host: host(url) });
        }
        if is_reachable(url, &self.config.allow_private) { Ok(()) } else { Err(Error::NotPublic { host: host(url) }) }
    }

    /// The content of a file.
    ///
    /// # Errors
    /// It may not be fetched, or is not to be had until `until`.
    async fn fetch(&self, url: &Url, until: Instant) -> Result<Bytes, Error> {
        let failed = |why: String| Error::Failed { host: host(url), why };
        let until = until.min(Instant::now() + self.config.timeout);
        match time::timeout_at(until, self.follow(url)).await {
            Ok(fetched) => fetched,
            Err(_) => {
                Err(failed(format!("has not sent the file within {:?} (`[files] timeout`)", self.config.timeout)))
            }
        }
    }

    /// Fetches a URL, and where it redirects to.
    async fn follow(&self, url: &Url) -> Result<Bytes, Error> {
        let mut url = url.clone();
        for _ in 0..=self.config.max_redirects {
            self.check(&url)?;
            let Some(client) = &self.client else { return Err(Error::NotAllowed { host: host(&url) }) };
            let response = client.get(url.clone()).send().await.map_err(|error| failed(&url, &error))?;
            if !response.status().is_redirection() {
                return self.content(&url, response).await;
            }
            let refused = |why: &str| Error::Refused { host: host(&url), why: why.to_owned() };
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            let to = to.ok_or_else(|| refused("redirects to nowhere"))?;
            url = url.join(to).map_err(|_| refused("redirects to what is no URL"))?;
        }
        let why = format!("redirects more than {} times (`[files] max_redirects`)", self.config.max_redirects);
        Err(Error::Refused { host: host(&url), why })
    }

    async fn content(&self, url: &Url, mut response: reqwest::Response) -> Result<Bytes, Error> {
        let refused = |why: String| Error::Refused { host: host(url), why };
        match response.status() {
            StatusCode::OK => {}
            status if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) => {
                return Err(Error::Failed { host: host(url), why: format!("answered {}", status.as_u16()) });
            }
            status => return Err(refused(format!("answered {}", status.as_u16()))),
        }
        if response.headers().get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            return Err(refused("sent the file packed, which was not asked for".to_owned()));
        }
        let max = self.config.max_size.as_u64();
        let too_large =
            || refused(format!("has a file of more than {} (`[files] max_size`)", ByteSize(max).display().iec()));
        if response.content_length().is_some_and(|length| length > max) {
            return Err(too_large());
        }
        let mut content = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(url, &error))? {
            if (content.len() + chunk.len()) as u64 > max {
                return Err(too_large());
            }
            // As bytes, as base64, and as base64 in the request.
            memory::take(chunk.len().saturating_mul(4)).map_err(|full| match full {
                Full::Now { .. } => Error::NoMemory { host: host(url) },
                Full::Always { .. } => refused("has a file that `[limits] bodies` has no room for".to_owned()),
            })?;
            content.extend_from_slice(&chunk);
        }
        Ok(content.freeze())
    }
}

/// A client that connects to public addresses alone, and to those that the operator names; it follows no redirect.
///
/// # Errors
/// TLS cannot be set up.
pub fn public_client(allow_private: &[IpNet]) -> Result<reqwest::Client, Unusable> {
    let resolver = PublicResolver { allow_private: allow_private.into() };
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .dns_resolver(Arc::new(resolver))
        .connect_timeout(CONNECT)
        .pool_idle_timeout(POOL_IDLE)
        .user_agent(concat!("odoo-gateway/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

/// Whether the host of a URL may be connected to, as far as the URL tells: an address is judged here, and a name by the
/// resolver of [`public_client`].
pub fn is_reachable(url: &Url, allow_private: &[IpNet]) -> bool {
    let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    literal.is_none_or(|address| is_allowed(address, allow_private))
}

impl Error {
    /// Whether another try may succeed.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Failed { .. } | Self::NoMemory { .. } => true,
            Self::NotAllowed { .. } | Self::NotPublic { .. } | Self::Credentials | Self::Refused { .. } => false,
        }
    }
}

/// Host and port of a URL, for a sentence.
pub fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Why a host was not reached, or broke off.
pub fn failed(url: &Url, error: &reqwest::Error) -> Error {
    let mut cause: Option<&dyn std::error::Error> = error.source();
    let mut reason = "no reason given".to_owned();
    while let Some(source) = cause {
        if source.is::<NotPublic>() {
            return Error::NotPublic { host: host(url) };
        }
        reason = source.to_string();
        cause = source.source();
    }
    Error::Failed { host: host(url), why: format!("cannot be fetched from: {reason}") }
}

#[cfg(test)]
mod tests;
