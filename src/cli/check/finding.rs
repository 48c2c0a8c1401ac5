//! What `check` has found of one thing, and what to do about it.

use serde::Serialize;

/// How well it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    /// It works, and a person should look at it.
    Warning,
    /// The gateway does not start with it, or no call would succeed.
    Failure,
}

/// One line of the report.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    pub(super) area: &'static str,
    pub(super) level: Level,
    pub(super) message: String,
    /// What to do, of all but what is as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
    /// Of a mistake in the configuration, its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column: Option<usize>,
}

impl Finding {
    pub(super) fn ok(area: &'static str, message: impl Into<String>) -> Self {
        Self { area, level: Level::Ok, message: message.into(), remedy: None, line: None, column: None }
    }

    pub(super) fn warning(area: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (level, remedy) = (Level::Warning, Some(remedy.into()));
        Self { area, level, message: message.into(), remedy, line: None, column: None }
    }

    pub(super) fn failure(area: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (level, remedy) = (Level::Failure, Some(remedy.into()));
        Self { area, level, message: message.into(), remedy, line: None, column: None }
    }

    pub(super) fn at(self, line: usize, column: usize) -> Self {
        Self { line: Some(line), column: Some(column), ..self }
    }
}
