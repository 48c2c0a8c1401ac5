//! What the HTTP front and the reverse proxy share: paths as Odoo reads them, bodies on their way in, statuses, responses.
//!
//! It knows neither calls nor Odoo.

mod body;
pub mod headers;
mod path;
pub mod status;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

pub use self::{
    body::{BodyError, Passing, Streamed, collect},
    path::Path,
};

/// A body that goes out: made here, or streamed from Odoo.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;
pub type Response = http::Response<Body>;
