//! How far work on the whole log is, for the person at the terminal.

/// So many of all of one kind are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub what: StepOf,
    pub done: usize,
    pub all: usize,
}

/// What is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOf {
    Segments,
    /// Large values, which have files of their own.
    Blobs,
}
