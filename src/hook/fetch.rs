//! One GET before the template, for senders that send no more than an id.

use serde_json::Value;
use tokio::time::Instant;

use super::{Error, Hook, Input};

/// Why nothing was fetched. It names the host and the reason, and never the query of a URL, which may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFetched {
    /// Another try may succeed.
    #[error("cannot be fetched now: {0}")]
    Failed(String),
    #[error("cannot be fetched: {0}")]
    Refused(String),
}

impl Hook {
    /// What `[hook.fetch]` names for this delivery: JSON, or what its content type makes of it. None where the hook fetches
    /// nothing, or nothing for this delivery.
    ///
    /// # Errors
    /// The expression fails ([`Error::Expression`]), or nothing can be fetched ([`Error::Fetch`]).
    #[expect(clippy::unused_async, reason = "it will fetch")]
    pub async fn fetched(&self, _input: &Input, _until: Instant) -> Result<Option<Value>, Error> {
        Ok(None)
    }
}
