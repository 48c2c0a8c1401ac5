//! The line of a request to a hook or route: what stands outside of its headers and its body.

use std::fmt;

use http::Method;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use serde_json::{Map, Value};

/// Method, path and query of a request. Its path and query may hold a secret of the sender, so it has no `Debug` of them.
#[derive(Clone)]
pub struct RequestLine {
    pub method: Method,
    /// Path and query as they came, for signatures over them.
    pub target: String,
    /// The segment of the path that is a secret, where the hook has one.
    pub token: Option<SecretString>,
    /// Scheme, host and port at which the sender reached the gateway, as far as the request tells.
    pub origin: String,
}

impl RequestLine {
    /// A POST to this path, by a sender that nothing else is known of.
    pub fn post(target: &str) -> Self {
        Self { method: Method::POST, target: target.to_owned(), token: None, origin: String::new() }
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query as it came, without its question mark.
    pub fn raw_query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The names and values of the query, decoded. A name that stands twice has a list of values.
    pub fn query(&self) -> Map<String, Value> {
        let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let mut query = Map::new();
        for pair in self.raw_query().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = Value::from(decoded(value));
            match query.get_mut(&decoded(name)) {
                None => drop(query.insert(decoded(name), value)),
                Some(Value::Array(values)) => values.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        query
    }
}

impl fmt::Debug for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLine").field("method", &self.method).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_is_decoded_and_what_is_badly_encoded_stays_as_it_is() {
        let query = |target: &str| Value::Object(RequestLine::post(target).query());
        assert_eq!(query("/hooks/x"), json!({}));
        assert_eq!(
            query("/hooks/x?a=1+2%2B&a=3&b&=c&&%zz=%"),
            json!({"a": ["1 2+", "3"], "b": "", "": "c", "%zz": "%"})
        );
        assert_eq!(query("/hooks/x?a=%ff&b=c=d?e"), json!({"a": "\u{fffd}", "b": "c=d?e"}));
        assert_eq!(query(&format!("/hooks/x?{}", "a&".repeat(4_000)))["a"].as_array().unwrap().len(), 4_000);
    }
}
