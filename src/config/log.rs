//! `[log]`: where the interface log is, how much of each call it keeps, and for how long.

use std::{path::PathBuf, time::Duration};

use bytesize::ByteSize;
use jiff::{Span, SpanRelativeTo};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Unexpected},
};

use super::faults::Faults;
use crate::route::Route;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub directory: PathBuf,
    pub create_data: Kept,
    pub create_update_data: Kept,
    pub update_data: Kept,
    pub search_data: Kept,
    pub call_function: Kept,
    pub delete_data: Kept,
    pub passed: Kept,
    pub redact: Vec<String>,
    pub blob_from: ByteSize,
    pub segment_size: ByteSize,
    #[serde(deserialize_with = "span")]
    pub keep: Duration,
    pub max_total: ByteSize,
    pub min_free: ByteSize,
    pub on_failure: OnFailure,
}

impl Log {
    /// How much is kept of the calls of a route.
    pub fn kept(&self, route: Route) -> Kept {
        match route {
            Route::CreateData => self.create_data,
            Route::CreateUpdateData => self.create_update_data,
            Route::UpdateData => self.update_data,
            Route::SearchData => self.search_data,
            Route::CallFunction => self.call_function,
            Route::DeleteData => self.delete_data,
        }
    }
}

/// How much of a route's calls is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    All,
    /// Everything except the records of an answer.
    Summary,
    /// Only that there was a call, who made it and how it ended: neither the request nor the answer.
    Nothing,
}

/// What the gateway does while it cannot log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// No request is served.
    Reject,
    /// Requests are passed on to Odoo; calls are not served.
    ProxyOnly,
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Whole(bool),
            Named(String),
        }
        match Written::deserialize(deserializer) {
            Ok(Written::Whole(true)) => Ok(Self::All),
            Ok(Written::Whole(false)) => Ok(Self::Nothing),
            Ok(Written::Named(name)) if name == "summary" => Ok(Self::Summary),
            Ok(Written::Named(name)) => Err(D::Error::invalid_value(Unexpected::Str(&name), &EXPECTED)),
            Err(_) => Err(D::Error::custom(format_args!("invalid type, expected {EXPECTED}"))),
        }
    }
}

const EXPECTED: &str = "true, \"summary\" or false";

impl Log {
    /// Checks what the types cannot express.
    pub(super) fn check(&self, faults: &mut Faults) {
        if self.segment_size < ByteSize::kib(64) {
            faults.key("log", "segment_size", "must be at least 64 KiB");
        }
        if self.max_total.as_u64() < self.segment_size.as_u64().saturating_mul(2) {
            faults.keys("log", &["max_total", "segment_size"], "must be at least twice segment_size");
        }
        if self.blob_from < ByteSize::b(256) || self.blob_from > ByteSize::kib(64) {
            faults.key("log", "blob_from", "must be between 256 B and 64 KiB");
        }
        if self.keep.is_zero() {
            faults.key("log", "keep", "must be longer than nothing");
        }
        let is_path = |path: &str| !path.contains(':') && !path.split('.').any(str::is_empty);
        let is_pattern = |pattern: &str| match pattern.split_once(':') {
            Some((model, path)) => is_path(model) && is_path(path),
            None => is_path(pattern),
        };
        for pattern in self.redact.iter().filter(|pattern| !is_pattern(pattern)) {
            faults.key("log", "redact", format!("has `{pattern}`, which is neither a path of keys nor MODEL:PATH"));
        }
    }
}

/// A duration that may have days and weeks in it, of 24 hours and seven days.
pub fn days(text: &str) -> Result<Duration, jiff::Error> {
    let span: Span = text.parse()?;
    Duration::try_from(span.to_duration(SpanRelativeTo::days_are_24_hours())?)
}

pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    days(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_true_false_or_summary() {
        #[derive(Debug, Deserialize)]
        struct One {
            kept: Kept,
        }
        let read = |value: &str| toml::from_str::<One>(&format!("kept = {value}")).map(|one| one.kept);
        assert_eq!(read("true").unwrap(), Kept::All);
        assert_eq!(read("false").unwrap(), Kept::Nothing);
        assert_eq!(read("\"summary\"").unwrap(), Kept::Summary);
        assert!(read("\"rows\"").unwrap_err().to_string().contains("expected true, \"summary\" or false"));
        assert!(read("3").unwrap_err().to_string().contains("expected true, \"summary\" or false"));
    }

    #[test]
    fn a_span_may_have_days() {
        assert_eq!(days("30d").unwrap(), Duration::from_secs(30 * 86_400));
        assert_eq!(days("1d 12h").unwrap(), Duration::from_secs(36 * 3_600));
        assert!(days("-2h").is_err() && days("soon").is_err());
    }
}
