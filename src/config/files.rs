//! `[files]`: from where files are fetched that a payload names by their URL.

use std::{fmt, num::NonZeroUsize, time::Duration};

use bytesize::ByteSize;
use ipnet::IpNet;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use reqwest::Url;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::faults::Faults;

/// The most redirects that may be followed.
const MAX_REDIRECTS: u8 = 10;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The URLs that may be fetched; none, if empty.
    pub allow: Vec<UrlPattern>,
    /// Addresses that are not public and may be reached all the same.
    pub allow_private: Vec<IpNet>,
    /// The size of one file.
    pub max_size: ByteSize,
    /// The number of different files of one call.
    pub max_count: NonZeroUsize,
    #[serde(with = "duration")]
    pub timeout: Duration,
    pub max_redirects: u8,
}

impl Files {
    /// Whether the URL is among those that may be fetched.
    pub fn allows(&self, url: &Url) -> bool {
        self.allow.iter().any(|pattern| pattern.matches(url))
    }

    /// Checks what the types cannot express.
    pub(super) fn check(&self, longest: Duration, faults: &mut Faults) {
        if self.timeout.is_zero() || self.timeout > longest {
            faults.key("files", "timeout", "must be longer than nothing and not longer than a day");
        }
        if self.max_size.as_u64() == 0 {
            faults.key("files", "max_size", "must be larger than nothing");
        }
        if self.max_redirects > MAX_REDIRECTS {
            faults.key("files", "max_redirects", format!("must not be more than {MAX_REDIRECTS}"));
        }
    }
}

/// A pattern of URLs, such as `https://cdn.shop.example/img/*`: scheme, host and port as they stand, and a path; with a `*`
/// at its end, everything that begins so. `*.` before a host stands for every name below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPattern {
    text: String,
    url: Url,
    /// The names below the host are meant.
    is_below: bool,
    /// Paths that begin so are meant.
    is_prefix: bool,
}

impl UrlPattern {
    /// # Errors
    /// The text is no such pattern.
    pub fn read(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is no pattern such as \"https://cdn.shop.example/*\": {why}");
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it needs a scheme"))?;
        if !matches!(scheme, "http" | "https") {
            return Err(wrong("the scheme must be https or http"));
        }
        let (is_below, rest) = rest.strip_prefix("*.").map_or((false, rest), |rest| (true, rest));
        let (is_prefix, rest) = rest.strip_suffix('*').map_or((false, rest), |rest| (true, rest));
        if rest.contains('*') {
            return Err(wrong("a `*` may stand before the host as `*.`, and at the end"));
        }
        if !rest.contains('/') {
            return Err(wrong("the host must be followed by a path, such as `/*`"));
        }
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|error| wrong(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it must have no user, password, query or fragment"));
        }
        if is_below && url.domain().is_none() {
            return Err(wrong("`*.` must stand before a name"));
        }
        Ok(Self { text: text.to_owned(), url, is_below, is_prefix })
    }

    pub fn matches(&self, url: &Url) -> bool {
        let (own, host) = (self.url.host_str().unwrap_or_default(), url.host_str().unwrap_or_default());
        let is_host = match self.is_below {
            true => host.strip_suffix(own).is_some_and(|name| name.ends_with('.') && name.len() > 1),
            false => host == own,
        };
        let (own, path) = (self.url.path(), url.path());
        // Some servers decode these, and would leave the folder.
        let is_plain = own == "/" || !["%2f", "%5c"].iter().any(|code| path.to_ascii_lowercase().contains(code));
        let is_path = if self.is_prefix { path.starts_with(own) && is_plain } else { path == own };
        url.scheme() == self.url.scheme()
            && url.port_or_known_default() == self.url.port_or_known_default()
            && is_host
            && is_path
    }
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for UrlPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, url: &str) -> bool {
        UrlPattern::read(pattern).unwrap().matches(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_pattern_matches_scheme_host_port_and_the_beginning_of_the_path() {
        for (pattern, url) in [
            ("https://cdn.shop.example/*", "https://cdn.shop.example/a/b.png?size=2"),
            ("https://cdn.shop.example/*", "https://CDN.shop.example:443/"),
            ("https://cdn.shop.example/img/*", "https://cdn.shop.example/img/a.png"),
            ("https://cdn.shop.example/one.pdf", "https://cdn.shop.example/one.pdf"),
            ("https://*.shop.example/*", "https://a.b.shop.example/x"),
            ("http://files.lan:8080/*", "http://files.lan:8080/x"),
        ] {
            assert!(matches(pattern, url), "{pattern} {url}");
        }
        for (pattern, url) in [
            ("https://cdn.shop.example/*", "http://cdn.shop.example/a"),
            ("https://cdn.shop.example/*", "https://cdn.shop.example.evil.example/a"),
            ("https://cdn.shop.example/*", "https://cdn.shop.example:8443/a"),
            ("https://cdn.shop.example/*", "https://cdn.shop.example@evil.example/a"),
            ("https://cdn.shop.example/img/*", "https://cdn.shop.example/img/../secret"),
            ("https://cdn.shop.example/img/*", "https://cdn.shop.example/img/%2e%2e/secret"),
            ("https://cdn.shop.example/img/*", "https://cdn.shop.example/img/..%2Fsecret"),
            ("https://cdn.shop.example/img/*", "https://cdn.shop.example/img\\..\\secret"),
            ("https://cdn.shop.example/one.pdf", "https://cdn.shop.example/one.pdf.exe"),
            ("https://*.shop.example/*", "https://shop.example/x"),
            ("https://*.shop.example/*", "https://evilshop.example/x"),
        ] {
            assert!(!matches(pattern, url), "{pattern} {url}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "*",
            "cdn.shop.example/*",
            "ftp://a.example/*",
            "https://a.example",
            "https://a.*.example/*",
            "https://u@a.example/*",
            "https://*.10.0.0.1/*",
            "https://*/*",
        ] {
            assert!(UrlPattern::read(text).is_err(), "{text}");
        }
    }
}
