//! `[docs]`: whether the public listener describes the interface.

use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Docs {
    /// Whether `/docs` is served on the public listener.
    pub public: bool,
}
