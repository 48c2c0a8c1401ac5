//! One GET before the template, for senders that send no more than an id.
//!
//! What must stay true: a URL is fetched only where `[hook.fetch] allow` has it, each redirect anew, and only from a public address;
//! the credential goes to the origin that the expression named, and nowhere else; size, time and redirects are bounded. An error
//! names the host and the reason, and never the query of a URL, which may hold a key, nor what was answered.

#[cfg(test)]
mod tests;

use std::{env, fs, path::PathBuf, time::Duration};

use bytes::{Bytes, BytesMut};
use bytesize::ByteSize;
use http::{HeaderName, HeaderValue, StatusCode, header};
use ipnet::IpNet;
use reqwest::Url;
use serde_json::Value;
use tokio::time::{self, Instant};

use super::{
    Error, Hook, Input,
    body::{Bounds, Why, json},
    expression,
    template::Code,
};
use crate::{
    config::{self, BodyForm, Source, UrlPattern},
    fetch::{self, host, is_reachable, public_client},
    memory,
};

/// The most redirects.
const REDIRECTS: usize = 5;
/// The bounds of what is made of an answer.
const VALUES: usize = 200_000;
const DEPTH: usize = 100;
/// JSON may be so many times as long as the XML or the table that it was made of.
const AS_JSON: u64 = 8;

/// Why nothing was fetched. It names the host and the reason, and never the query of a URL, which may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFetched {
    /// Another try may succeed.
    #[error("cannot be fetched now: {0}")]
    Failed(String),
    #[error("cannot be fetched: {0}")]
    Refused(String),
}

/// A secret that is not where the configuration says it is. That hook alone can fetch nothing; a reload that finds it mends this.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    #[error("the environment variable `{0}` of the secret of [hook.fetch] is not set")]
    NotSet(String),
    #[error("cannot read the secret of [hook.fetch], `{}`: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the secret of [hook.fetch] is empty")]
    Empty,
}

/// Why a hook cannot fetch.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    #[error("its secret is no value of a header")]
    NoHeader,
    #[error(transparent)]
    Client(#[from] fetch::Unusable),
}

/// `[hook.fetch]`, ready to fetch.
#[derive(Debug)]
pub(super) struct Fetching {
    url: Code,
    allow: Vec<UrlPattern>,
    allow_private: Vec<IpNet>,
    client: reqwest::Client,
    /// Its value is marked as sensitive, so that no Debug output shows it.
    credential: Result<Option<(HeaderName, HeaderValue)>, Missing>,
    timeout: Duration,
    max_size: ByteSize,
}

impl Hook {
    /// What `[hook.fetch]` names for this delivery: JSON, or what its content type makes of it. None where the hook fetches
    /// nothing, or nothing for this delivery.
    ///
    /// # Errors
    /// The expression fails ([`Error::Expression`]), nothing can be fetched ([`Error::Fetch`]), or there is no room for it now.
    pub async fn fetched(&self, input: &Input, until: Instant) -> Result<Option<Value>, Error> {
        let Some(fetching) = &self.fetch else { return Ok(None) };
        let failed = |why: String| Error::Expression { key: "fetch.url", why };
        let url = match expression("fetch.url", &fetching.url, input).await? {
            Value::Null => return Ok(None),
            Value::String(url) => url,
            other => return Err(failed(format!("it gives {}, not a URL or null", crate::plan::kind_of(&other)))),
        };
        let url = Url::parse(&url).map_err(|error| failed(format!("it gives a text that is no URL: {error}")))?;
        fetching.fetch(&url, until).await.map(Some)
    }
}

impl Fetching {
    /// Reads the secret from where the configuration says it is.
    pub(super) fn load(url: Code, entry: &config::Fetch) -> Result<Self, Unready> {
        let credential = match entry.secret.as_ref().map(read).transpose() {
            Err(missing) => Err(missing),
            Ok(None) => Ok(None),
            Ok(Some(secret)) => {
                let value = HeaderValue::try_from(format!("{}{secret}", entry.prefix));
                let mut value = value.map_err(|_| Unready::NoHeader)?;
                value.set_sensitive(true);
                Ok(Some((entry.header.clone(), value)))
            }
        };
        Ok(Self {
            url,
            allow: entry.allow.clone(),
            allow_private: entry.allow_private.clone(),
            client: public_client(&entry.allow_private)?,
            credential,
            timeout: entry.timeout,
            max_size: entry.max_size,
        })
    }

    /// The secret that is not where the configuration says it is.
    pub(super) fn missing(&self) -> Option<&Missing> {
        self.credential.as_ref().err()
    }

    async fn fetch(&self, url: &Url, until: Instant) -> Result<Value, Error> {
        let until = until.min(Instant::now() + self.timeout);
        let fetched = time::timeout_at(until, self.follow(url)).await;
        fetched.unwrap_or_else(|_| {
            let why = format!("{} has not answered within {:?} (`timeout`)", host(url), self.timeout);
            Err(NotFetched::Failed(why).into())
        })
    }

    /// Fetches a URL, and where it redirects to.
    async fn follow(&self, first: &Url) -> Result<Value, Error> {
        let mut url = first.clone();
        let credential = self.credential.as_ref().map_err(|_| {
            let why = "the gateway lacks its secret: its operator finds which by `odoo-gateway check`";
            NotFetched::Failed(why.to_owned())
        })?;
        for _ in 0..=REDIRECTS {
            self.check(&url)?;
            let mut request = self.client.get(url.clone()).header(header::ACCEPT, "application/json, */*;q=0.5");
            if let Some((name, value)) = credential.as_ref().filter(|_| url.origin() == first.origin()) {
                request = request.header(name, value);
            }
            let response = request.send().await.map_err(|error| not_fetched(&url, &error))?;
            // 304 and 300 are no redirects to follow.
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return self.content(&url, response).await;
            }
            let refused = |why: &str| NotFetched::Refused(format!("{} redirects to {why}", host(&url)));
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            let to = to.ok_or_else(|| refused("nowhere"))?;
            url = url.join(to).map_err(|_| refused("what is no URL"))?;
        }
        Err(NotFetched::Refused(format!("{} redirects more than {REDIRECTS} times", host(first))).into())
    }

    fn check(&self, url: &Url) -> Result<(), NotFetched> {
        let host = host(url);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotFetched::Refused(format!("the URL at {host} has a user or a password in it")));
        }
        if !self.allow.iter().any(|pattern| pattern.matches(url)) {
            return Err(NotFetched::Refused(format!("the URL at {host} is not among those of `allow`")));
        }
        if is_reachable(url, &self.allow_private) { Ok(()) } else { Err(not_public(&host)) }
    }

    async fn content(&self, url: &Url, mut response: reqwest::Response) -> Result<Value, Error> {
        let refused = |why: String| Error::Fetch(NotFetched::Refused(format!("{} {why}", host(url))));
        match response.status() {
            status if status.is_success() => {}
            status if is_passing(status) => {
                return Err(NotFetched::Failed(format!("{} answered {}", host(url), status.as_u16())).into());
            }
            status => return Err(refused(format!("answered {}", status.as_u16()))),
        }
        let max = self.max_size.as_u64();
        let too_large = || refused(format!("answered more than {} (`max_size`)", self.max_size.display().iec()));
        if response.content_length().is_some_and(|length| length > max) {
            return Err(too_large());
        }
        let mut content = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| not_fetched(url, &error))? {
            if (content.len() + chunk.len()) as u64 > max {
                return Err(too_large());
            }
            memory::take(chunk.len()).map_err(|_| Error::NoRoom)?;
            content.extend_from_slice(&chunk);
        }
        self.read(response.headers(), content.freeze()).map_err(|why| match why {
            Why::NoRoom => Error::NoRoom,
            Why::Unreadable(why) => refused(format!("answered what cannot be read: {why}")),
        })
    }

    /// Makes JSON of an answer, by its content type as of a body.
    fn read(&self, headers: &http::HeaderMap, content: Bytes) -> Result<Value, Why> {
        if content.is_empty() {
            return Ok(Value::Null);
        }
        let size = ByteSize(self.max_size.as_u64().saturating_mul(AS_JSON));
        let json = json(BodyForm::Auto, headers, &content, &Bounds { size, values: VALUES, depth: DEPTH })?;
        memory::take(memory::weigh(&json).in_call(json.len())).map_err(|_| Why::NoRoom)?;
        serde_json::from_slice(&json).map_err(|error| Why::Unreadable(error.to_string()))
    }
}

/// Whether another try may succeed (RFC 9110, RFC 6585).
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

fn not_public(host: &str) -> NotFetched {
    NotFetched::Refused(format!("{host} is at an address that is not public; `allow_private` can name it"))
}

/// The secret, without blanks around it.
fn read(source: &Source) -> Result<String, Missing> {
    let secret = match source {
        Source::Environment(variable) => env::var(variable).map_err(|_| Missing::NotSet(variable.clone()))?,
        Source::File(path) => {
            fs::read_to_string(path).map_err(|source| Missing::Unreadable { path: path.clone(), source })?
        }
    };
    match secret.trim() {
        "" => Err(Missing::Empty),
        secret => Ok(secret.to_owned()),
    }
}

fn not_fetched(url: &Url, error: &reqwest::Error) -> NotFetched {
    match fetch::failed(url, error) {
        fetch::Error::NotPublic { host } => not_public(&host),
        other => NotFetched::Failed(other.to_string()),
    }
}
