//! The gateway's public side: `[server]`, `[tls]`, `[proxy]` and `[limits]`.

use std::{
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use bytesize::ByteSize;
use ipnet::IpNet;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::faults::Faults;

/// Odoo's database manager, which creates, copies and drops databases.
pub const DATABASE_MANAGER: &str = "/web/database";
/// The least size of the buffer that hyper reads a head into.
const MIN_HEADER: ByteSize = ByteSize::kib(8);
const MAX_HEADER: ByteSize = ByteSize::mib(1);
/// The depth that serde_json reads, so that no stack overflows.
const MAX_DEPTH: usize = 127;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: SocketAddr,
    #[serde(with = "duration")]
    pub drain: Duration,
    /// The proxies before the gateway whose forwarding headers are trusted.
    pub trusted_proxies: Vec<IpNet>,
}

/// Files in PEM. Relative paths are resolved against the configuration's folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub client_ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    pub pass: Pass,
    pub deny: Vec<Prefix>,
}

/// Which requests are passed on to Odoo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pass {
    All,
    Prefixes(Vec<Prefix>),
}

/// A prefix of paths, unencoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub body: ByteSize,
    pub bodies: ByteSize,
    pub header_size: ByteSize,
    pub url_length: ByteSize,
    pub json_depth: NonZeroUsize,
    pub values: NonZeroUsize,
    /// The most records that a search without `limit` may answer.
    pub rows: NonZeroU64,
    pub connections: NonZeroUsize,
    pub connections_per_address: NonZeroUsize,
    pub requests: NonZeroUsize,
    pub requests_per_address: NonZeroUsize,
    #[serde(with = "duration")]
    pub header_timeout: Duration,
    #[serde(with = "duration")]
    pub body_timeout: Duration,
    /// Bytes a second.
    pub body_rate: ByteSize,
    #[serde(with = "duration")]
    pub call_timeout: Duration,
}

impl Limits {
    pub(super) fn check(&self, faults: &mut Faults) {
        let sizes = [
            ("body", self.body),
            ("bodies", self.bodies),
            ("url_length", self.url_length),
            ("body_rate", self.body_rate),
        ];
        for (key, _) in sizes.iter().filter(|(_, size)| size.as_u64() == 0) {
            faults.key("limits", key, "must be larger than nothing");
        }
        if self.bodies < self.body && self.bodies.as_u64() > 0 {
            faults.keys("limits", &["bodies", "body"], "must be as large as body, or larger");
        }
        if !(MIN_HEADER..=MAX_HEADER).contains(&self.header_size) {
            faults.key("limits", "header_size", format!("must be between {MIN_HEADER} and {MAX_HEADER}"));
        }
        if self.json_depth.get() > MAX_DEPTH {
            faults.key("limits", "json_depth", format!("must not be more than {MAX_DEPTH}"));
        }
    }
}

impl Proxy {
    /// Whether this page of Odoo's database manager may be reached: only where `pass` names it, or the whole manager.
    pub fn names_database_page(&self, path: &str) -> bool {
        self.named().iter().any(|prefix| prefix.is_within(DATABASE_MANAGER) && prefix.holds(path))
    }

    /// Whether `pass` names the whole manager.
    pub fn names_databases(&self) -> bool {
        self.named().iter().any(|prefix| prefix.0.trim_end_matches('/') == DATABASE_MANAGER)
    }

    fn named(&self) -> &[Prefix] {
        match &self.pass {
            Pass::All => &[],
            Pass::Prefixes(prefixes) => prefixes,
        }
    }
}

impl Tls {
    pub(super) fn files(&mut self) -> [&mut Option<PathBuf>; 3] {
        [&mut self.certificate, &mut self.key, &mut self.client_ca]
    }

    /// Certificate and key, where the public listener speaks TLS.
    pub fn identity(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.certificate.as_ref().zip(self.key.as_ref())
    }

    pub(super) fn check(&self, faults: &mut Faults) {
        match (&self.certificate, &self.key) {
            (Some(_), None) => {
                faults.keys("tls", &["certificate", "key"], "and key belong together: give both or neither")
            }
            (None, Some(_)) => {
                faults.keys("tls", &["key", "certificate"], "and certificate belong together: give both or neither")
            }
            _ => {}
        }
        if self.client_ca.is_some() && self.certificate.is_none() && self.key.is_none() {
            faults.keys(
                "tls",
                &["client_ca", "certificate", "key"],
                "needs a certificate and a key: without TLS no client shows one",
            );
        }
    }
}

impl Prefix {
    /// Whether a decoded path with single slashes is at or below the prefix. A prefix that ends in a slash matches only
    /// what is below it.
    pub fn holds(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.0.as_str());
        rest.is_some_and(|rest| self.0.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
    }

    /// Like [`Self::holds`], and also true for the path itself where the prefix ends in a slash: a closed folder is
    /// closed itself.
    pub fn covers(&self, path: &str) -> bool {
        self.holds(path) || self.0.trim_end_matches('/') == path
    }

    /// Whether the prefix matches `path` or paths below it, and nothing else.
    pub fn is_within(&self, path: &str) -> bool {
        Self(path.to_owned()).holds(self.0.trim_end_matches('/'))
    }
}

impl Prefix {
    fn read(text: String) -> Result<Self, String> {
        let is_plain = |segment: &str| !matches!(segment, "." | "..") && !segment.contains(['%', '\\', '?', '#']);
        let inner = text.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        match inner {
            Some("") => Ok(Self(text)),
            Some(inner) if inner.split('/').all(|segment| !segment.is_empty() && is_plain(segment)) => Ok(Self(text)),
            _ => Err(format!("[proxy]: `{text}` is no beginning of a path, such as \"/web/session/\"")),
        }
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Pass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Texts are read first, since an error in one of them would have no place otherwise.
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "give a list of beginnings of paths, or \"all\"")]
        enum Written {
            Named(String),
            Listed(Vec<String>),
        }
        match Written::deserialize(deserializer)? {
            Written::Named(name) if name == "all" => Ok(Self::All),
            Written::Named(other) => Err(D::Error::custom(format!(
                "[proxy] pass: `{other}`: give a list such as [\"/web/session/\"], or \"all\""
            ))),
            Written::Listed(texts) => {
                let prefixes = texts.into_iter().map(Prefix::read).collect::<Result<_, _>>();
                prefixes.map(Self::Prefixes).map_err(D::Error::custom)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_segment_does() {
        let prefix = Prefix("/web/database".to_owned());
        assert!(prefix.holds("/web/database") && prefix.holds("/web/database/manager"));
        assert!(!prefix.holds("/web/database_x") && !prefix.holds("/web"));
        let below = Prefix("/web/session/".to_owned());
        assert!(below.holds("/web/session/check") && !below.holds("/web/session"));
        assert!(Prefix("/".to_owned()).holds("/web"));
    }
}
