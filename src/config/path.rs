//! The way from the root of `gateway.toml` to a value.

/// A step of the way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::config) enum Step {
    Key(String),
    Index(usize),
}

pub(in crate::config) type Path = Vec<Step>;
