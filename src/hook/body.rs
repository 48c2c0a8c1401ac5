//! From the body of a delivery to JSON, which templates see.

use bytes::Bytes;
use http::HeaderMap;

use super::{Hook, SentBody};

impl Hook {
    /// Reads the body of a delivery: JSON, or why it is none. `_headers` say its form where the hook does not.
    pub fn read(&self, _headers: &HeaderMap, body: &Bytes) -> SentBody {
        match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
            Ok(_) => SentBody::Json(body.clone()),
            Err(error) => {
                SentBody::Unreadable { text: String::from_utf8_lossy(body).into_owned(), why: error.to_string() }
            }
        }
    }
}
