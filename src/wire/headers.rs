//! The headers that the gateway's own answers have, besides those of HTTP.

use http::HeaderName;

/// The id of the call in the log.
pub const CALL_ID: HeaderName = HeaderName::from_static("gateway-call-id");
/// RFC 7240, section 3.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// The answer is that of an earlier call with the same key.
pub const IDEMPOTENT_REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");
/// How a write kept to all or nothing.
pub const ATOMICITY: HeaderName = HeaderName::from_static("gateway-atomicity");
