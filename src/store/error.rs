//! Why the store does not serve. Nothing was sent to Odoo for a call that gets one of these.

use std::path::PathBuf;

use sqlx::migrate::MigrateError;

use crate::{control::Holder, errors::Code};

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// It cannot be read or written now.
    #[error("the store of keys and queued calls does not answer: {0}")]
    Unavailable(String),
    /// It was to write something, and has not said whether it did: that may be there, or come yet.
    #[error("the store of keys and queued calls does not answer: {0}")]
    Unconfirmed(String),
    /// There is no room for another call.
    #[error("{held} calls are queued{}, and no more are taken", of_client(.client.as_deref()))]
    Full { client: Option<String>, held: u64 },
    /// A newer gateway has written it.
    #[error("the store is of a newer version of the gateway: this one knows schemas up to {known}")]
    Newer { known: i64 },
    /// Another process has it.
    #[error("the store `{}` is in use by another process{}", .0.display(), .1)]
    InUse(PathBuf, Holder),
    /// It cannot be opened at all.
    #[error("the store at `{at}` cannot be opened: {why}")]
    Unusable { at: String, why: String },
}

fn of_client(client: Option<&str>) -> String {
    client.map_or_else(String::new, |client| format!(" for the client `{client}`"))
}

impl Error {
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Full { .. } => Code::QueueFull,
            Self::Unavailable(_)
            | Self::Unconfirmed(_)
            | Self::Newer { .. }
            | Self::InUse(..)
            | Self::Unusable { .. } => Code::StoreUnavailable,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Error {
    pub(super) fn of_migration(error: MigrateError, known: i64, at: &str) -> Self {
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => Self::Newer { known },
            // A PostgreSQL that is stopped while the tables are made: they are made at the next try.
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) if is_cut(&error) => {
                Self::Unavailable(error.to_string())
            }
            error => Self::Unusable { at: at.to_owned(), why: error.to_string() },
        }
    }
}

/// Whether the connection ended: by itself, or by an administrator, a crash or a start of PostgreSQL (classes 08 and 57P of its
/// codes, appendix A of its manual).
fn is_cut(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        }
        _ => false,
    }
}
