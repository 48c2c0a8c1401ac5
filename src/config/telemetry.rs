//! `[telemetry]`: where traces go.

use std::path::PathBuf;

use serde::Deserialize;

use super::{faults::Faults, some_origin};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// The collector, by OTLP over HTTP; without it nothing is traced.
    #[serde(default, deserialize_with = "some_origin")]
    pub otlp_endpoint: Option<reqwest::Url>,
    /// Headers for the collector, a line each: `name: value`.
    pub otlp_headers_file: Option<PathBuf>,
    pub service_name: String,
    /// The part of calls that is traced, where the caller has not decided.
    pub sample_ratio: f64,
}

impl Telemetry {
    pub(super) fn check(&self, faults: &mut Faults) {
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            faults.key("telemetry", "sample_ratio", "must be between 0 and 1");
        }
        if self.service_name.is_empty() {
            faults.key("telemetry", "service_name", "must not be empty");
        }
    }
}
