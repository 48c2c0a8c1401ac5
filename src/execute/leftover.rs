//! What a failed write has left in Odoo.

use crate::plan;

/// A write that failed and could not be undone completely.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{cause}; {}", left.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Incomplete {
    #[source]
    pub cause: plan::Error,
    pub left: Vec<Leftover>,
}

/// Something that is in Odoo, or may be, though the call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub model: String,
    /// Empty where Odoo's answer was lost, and with it the ids.
    pub ids: Vec<i64>,
    pub fate: Fate,
    pub why: String,
    /// The models of what was created with it, in the same call.
    pub with: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was created, and still exists.
    Made,
    /// It was updated, and stays so.
    Updated,
    /// It is unknown whether it was created or updated.
    Unknown,
}

impl Fate {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Updated => "updated",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for Leftover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { model, ids, why, .. } = self;
        let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self.fate {
            Fate::Made => write!(f, "left behind: {model} {ids} ({why})"),
            Fate::Updated => write!(f, "{model} {ids} was updated ({why})"),
            Fate::Unknown if ids.is_empty() => write!(f, "a {model} may be left behind ({why})"),
            Fate::Unknown => write!(f, "{model} {ids} may be changed or left behind ({why})"),
        }?;
        if self.with.is_empty() { Ok(()) } else { write!(f, ", with its {}", self.with.join(", ")) }
    }
}
