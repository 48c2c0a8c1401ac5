//! Whether Odoo is at an address, and if not, what is wrong with it.
//!
//! The way is walked step by step (name, connection, TLS, Odoo), so that each mistake has its own words and none is guessed from
//! the text of an error.

use std::{io, path::Path, path::PathBuf, sync::Arc, time::Duration};

use anyhow::bail;
use reqwest::Url;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{self, Instant},
};

use super::{
    address,
    ask::{Ask, Question},
    file, warn,
};
use crate::{
    cli::terminal::plain,
    config::Config,
    odoo::{Error, Odoo, Release},
};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A wrong address is asked for anew so often.
const TRIES: usize = 5;
/// Redirects that are followed: to TLS, and to another host.
const REDIRECTS: usize = 2;

const ADDRESS: Question<'_> = Question {
    flag: "--url",
    words: "Odoo's address:",
    help: "as in the browser, such as https://erp.example.com or 127.0.0.1:8069",
};

/// Where Odoo was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) url: Url,
    pub(super) ca: Option<PathBuf>,
    pub(super) release: Release,
}

/// Why Odoo was not found at a URL.
#[derive(Debug, thiserror::Error)]
enum Missed {
    #[error("there is no host `{host}` ({source}); check the spelling, or the DNS of this machine")]
    NoHost { host: String, source: io::Error },
    #[error(
        "`{host}` refuses connections at port {port}: nothing listens there. Is Odoo running, and is this its port (8069 where no proxy stands before it)?"
    )]
    Refused { host: String, port: u16 },
    #[error("`{host}` did not answer at port {port} ({source}); a firewall may be between this machine and it")]
    Silent { host: String, port: u16, source: io::Error },
    #[error(
        "TLS with {url} failed: {reason}. Where Odoo's certificate is of an authority of your own, give it with --ca FILE; where the port speaks plain HTTP, write http://"
    )]
    Tls { url: String, reason: String },
    #[error("{url} answers, but is not an Odoo: {reason}")]
    NotOdoo { url: String, reason: String },
    #[error("{0}")]
    Unusable(String),
}

impl Missed {
    /// Whether the other scheme may be tried: not where TLS was spoken and failed, since the credential would go unprotected.
    fn leaves_hope(&self, has_port: bool) -> bool {
        match self {
            Self::Refused { .. } | Self::Silent { .. } | Self::NotOdoo { .. } => true,
            Self::Tls { .. } => has_port,
            Self::NoHost { .. } | Self::Unusable(_) => false,
        }
    }
}

/// Finds Odoo at the given address, or at one that is asked for.
///
/// # Errors
/// There is none. The message says at which step it failed.
pub(super) async fn find(ask: &Ask, given: Option<&str>, ca: Option<&Path>) -> anyhow::Result<Found> {
    let ca = ca.map(std::path::absolute).transpose()?;
    if let Some(text) = given {
        return any_of(text, ca.as_deref()).await.map_err(|why| anyhow::anyhow!("--url {text}: {}", plain(&why)));
    }
    for _ in 0..TRIES {
        let text = ask.text(ADDRESS, None)?;
        match any_of(&text, ca.as_deref()).await {
            Ok(found) => return Ok(found),
            Err(why) => warn(&why),
        }
    }
    bail!("no Odoo was found; nothing was written")
}

/// The first of the URLs that the text may mean at which Odoo is.
async fn any_of(text: &str, ca: Option<&Path>) -> Result<Found, String> {
    let urls = address::candidates(text)?;
    let mut missed = Vec::new();
    for url in urls {
        let has_port = url.port().is_some();
        match at(url, ca).await {
            Ok(found) => return Ok(found),
            Err(why) => {
                let is_last = !why.leaves_hope(has_port);
                missed.push(why.to_string());
                if is_last {
                    break;
                }
            }
        }
    }
    missed.dedup();
    Err(missed.join(", and "))
}

async fn at(mut url: Url, ca: Option<&Path>) -> Result<Found, Missed> {
    for _ in 0..=REDIRECTS {
        let (host, port) = (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or(80));
        connect(&host, port).await?;
        let odoo = open(&url, ca, "odoo").map_err(Missed::Unusable)?;
        let shown = address::shown(&url);
        match odoo.release(Instant::now() + PATIENCE).await {
            Ok(release) => return Ok(Found { url, ca: ca.map(Path::to_owned), release }),
            Err(Error::Redirected { to }) => {
                let next = url.join(&to).ok().and_then(|to| address::base(to.as_str()).ok());
                // From https to http, the credential would go unprotected.
                let is_safe = |next: &Url| next.scheme() == "https" || url.scheme() == "http";
                match next.filter(|next| *next != url && is_safe(next)) {
                    Some(next) => url = next,
                    None => return Err(Missed::NotOdoo { url: shown, reason: format!("it redirects to {to}") }),
                }
            }
            // The connection itself was made just now: what fails is TLS.
            Err(Error::Unreachable { reason, .. }) if url.scheme() == "https" => {
                return Err(Missed::Tls { url: shown, reason });
            }
            Err(Error::NoSuchDatabase(_)) => {
                let reason = "it has no /web/webclient/version_info (HTTP 404)".to_owned();
                return Err(Missed::NotOdoo { url: shown, reason });
            }
            Err(error) => return Err(Missed::NotOdoo { url: shown, reason: error.for_operator() }),
        }
    }
    Err(Missed::NotOdoo { url: address::shown(&url), reason: "it redirects again and again".to_owned() })
}

async fn connect(host: &str, port: u16) -> Result<(), Missed> {
    let named = host.trim_matches(['[', ']']);
    let slow = || io::Error::from(io::ErrorKind::TimedOut);
    let looked_up = time::timeout(PATIENCE, lookup_host((named, port))).await.unwrap_or_else(|_| Err(slow()));
    let addresses: Vec<_> = looked_up.map_err(|source| Missed::NoHost { host: host.to_owned(), source })?.collect();
    let connected = time::timeout(PATIENCE, TcpStream::connect(&*addresses)).await.unwrap_or_else(|_| Err(slow()));
    match connected {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(Missed::Refused { host: host.to_owned(), port })
        }
        Err(source) => Err(Missed::Silent { host: host.to_owned(), port, source }),
    }
}

/// Odoo at this URL, as the gateway will use it.
///
/// # Errors
/// The URL or the certificate authorities cannot be used.
pub(super) fn open(url: &Url, ca: Option<&Path>, database: &str) -> Result<Arc<Odoo>, String> {
    let config = config(url, ca, database)?;
    Odoo::build(&config.upstream, &config.lookup_cache, Arc::default()).map(Arc::new).map_err(|error| error.to_string())
}

/// The configuration with all defaults.
///
/// # Errors
/// As [`open`].
pub(super) fn config(url: &Url, ca: Option<&Path>, database: &str) -> Result<Config, String> {
    let text = file::upstream(&address::shown(url), ca, database);
    Config::parse(&text, Path::new("gateway.toml")).map_err(|error| error.to_string())
}
