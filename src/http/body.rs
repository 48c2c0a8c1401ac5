//! A request's body, read whole within limits of size and time.

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};

use crate::{api::BodyError, config::Limits};

/// Reads the body. What announces itself as too large is refused before a byte of it is read.
pub async fn collect(body: Incoming, limits: &Limits) -> Result<Bytes, BodyError> {
    let most = usize::try_from(limits.body.as_u64()).unwrap_or(usize::MAX);
    if body.size_hint().lower() > limits.body.as_u64() {
        return Err(BodyError::TooLarge(limits.body));
    }
    match tokio::time::timeout(limits.body_timeout, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge(limits.body)),
        Ok(Err(_)) => Err(BodyError::Broken),
        Err(_) => Err(BodyError::TimedOut(limits.body_timeout)),
    }
}
