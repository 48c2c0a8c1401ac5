//! The two forms in which metrics are asked for: OpenMetrics 1.0, and Prometheus's own text form 0.0.4, which all others read.
//!
//! The library writes OpenMetrics. The text form differs in what stands before the samples: a counter's family has the name of its
//! samples, there is no type `info` and no unit, and no end mark.

use std::fmt::Write as _;

use http::{HeaderMap, header};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    OpenMetrics,
    Text,
}

impl Form {
    /// The form that a request wants: OpenMetrics where it is named, as Prometheus does; else text.
    pub fn wanted(headers: &HeaderMap) -> Self {
        let names_it = |accept: &http::HeaderValue| {
            accept.to_str().is_ok_and(|accept| accept.contains("application/openmetrics-text"))
        };
        if headers.get_all(header::ACCEPT).iter().any(names_it) { Self::OpenMetrics } else { Self::Text }
    }

    /// The content type of an answer in this form.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The same metrics in the text form.
pub(super) fn to_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = "";
    for line in open_metrics.lines() {
        if let Some(words) = line.strip_prefix("# HELP ") {
            help = words.split_once(' ').map_or("", |(_, words)| words);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            let (name, kind) = match kind {
                "counter" => (format!("{name}_total"), "counter"),
                "info" => (format!("{name}_info"), "gauge"),
                "unknown" => (name.to_owned(), "untyped"),
                kind => (name.to_owned(), kind),
            };
            // Writing to a String does not fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_names_a_family_as_its_samples_are_named() {
        let open_metrics = "# HELP a_calls Calls.\n# TYPE a_calls counter\na_calls_total{b=\"# c\"} 1\n\
            # HELP a_build It.\n# TYPE a_build info\na_build_info{v=\"1\"} 1\n\
            # HELP a_seconds How long.\n# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1.5\n# EOF\n";
        let text = "# HELP a_calls_total Calls.\n# TYPE a_calls_total counter\na_calls_total{b=\"# c\"} 1\n\
            # HELP a_build_info It.\n# TYPE a_build_info gauge\na_build_info{v=\"1\"} 1\n\
            # HELP a_seconds How long.\n# TYPE a_seconds gauge\na_seconds 1.5\n";
        assert_eq!(to_text(open_metrics), text);
    }

    #[test]
    fn what_prometheus_asks_with_gets_open_metrics() {
        let wanted = |accept: &'static str| {
            Form::wanted(&HeaderMap::from_iter([(header::ACCEPT, http::HeaderValue::from_static(accept))]))
        };
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!([wanted(prometheus), wanted("*/*")], [Form::OpenMetrics, Form::Text]);
        assert_eq!(Form::wanted(&HeaderMap::new()), Form::Text);
    }
}
