//! Where a secret is: never in the configuration itself.

use std::path::PathBuf;

/// Where a secret is.
#[derive(Debug, Clone)]
pub enum Source {
    Environment(String),
    File(PathBuf),
}
