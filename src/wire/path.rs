//! A path as Odoo will read it.
//!
//! Odoo decodes a path once and takes several slashes for one, so a path must be judged in that form: `/web/%64atabase` is
//! `/web/database` to it. What is sent on is the path as it came, byte for byte; so one that servers read in different ways
//! is refused here.

use percent_encoding::percent_decode_str;

/// A path, decoded, with single slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// None of a path that may lead elsewhere than it reads: with dot segments, backslashes or control characters, encoded
    /// or not, or without a slash before it.
    pub fn read(raw: &str) -> Option<Self> {
        let decoded = percent_decode_str(raw).decode_utf8_lossy();
        let is_odd = |c: char| c == '\\' || c.is_control();
        if !raw.starts_with('/') || decoded.contains(is_odd) {
            return None;
        }
        let segments = || decoded.split('/');
        if segments().any(|segment| matches!(segment, "." | "..")) {
            return None;
        }
        let mut path = String::with_capacity(decoded.len());
        for segment in segments().filter(|segment| !segment.is_empty()) {
            path.push('/');
            path.push_str(segment);
        }
        if path.is_empty() || decoded.ends_with('/') {
            path.push('/');
        }
        Some(Self(path))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same without a slash at its end.
    pub fn trimmed(&self) -> &str {
        self.0.trim_end_matches('/')
    }

    /// Whether Odoo serves this path where `path` is, behind a language or not, with a slash at its end or not.
    pub fn is(&self, path: &str) -> bool {
        let behind_language = self.behind_language().map(|rest| rest.trim_end_matches('/'));
        self.trimmed() == path || behind_language == Some(path)
    }

    /// The path behind its first segment: a website serves `/de/web` as `/web`, and its languages may be called anything
    /// (`res.lang`, `url_code`, 14-19).
    pub fn behind_language(&self) -> Option<&str> {
        let rest = self.0.strip_prefix('/')?;
        let (first, _) = rest.split_once('/')?;
        rest.get(first.len()..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_odoo_reads_it() {
        for (raw, read) in [
            ("/web/session/check", "/web/session/check"),
            ("/web/%64atabase/manager", "/web/database/manager"),
            ("//web//database", "/web/database"),
            ("/web/session%2Fcheck/", "/web/session/check/"),
            ("/", "/"),
            ("/web/content/a%20b.pdf", "/web/content/a b.pdf"),
            ("/%zz", "/%zz"),
        ] {
            assert_eq!(Path::read(raw).map(|path| path.0), Some(read.to_owned()), "{raw}");
        }
    }

    #[test]
    fn what_may_lead_elsewhere_is_not_read() {
        for raw in [
            "/web/session/../database/manager",
            "/web/session/%2e%2e/database",
            "/web/session/..%2fdatabase",
            "/web/session/%2e",
            "/web/session/..\\database",
            "/web/session/%5c..",
            "/web/session/%00",
            "/web/session/%0d%0a",
            "web",
            "*",
            "",
        ] {
            assert_eq!(Path::read(raw), None, "{raw}");
        }
    }

    #[test]
    fn a_language_may_stand_before_a_path() {
        let behind = |raw| Path::read(raw).unwrap().behind_language().map(str::to_owned);
        assert_eq!(behind("/de/web/database"), Some("/web/database".to_owned()));
        assert_eq!(behind("/english/web"), Some("/web".to_owned()));
        assert_eq!(behind("/web"), None);
        assert!(Path::read("/de//jsonrpc/").unwrap().is("/jsonrpc"));
    }
}
