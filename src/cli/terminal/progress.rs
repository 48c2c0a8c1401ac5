//! How far a long command is: count, rate and rest, on standard error where that is a terminal, and nothing elsewhere.
//!
//! A command that writes to the terminal meanwhile does so within [`Progress::beside`]. What is shown is gone when it is dropped.

use std::fmt::Write;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// What is shown.
const FORM: &str = "{msg} {wide_bar} {pos} of {len}, {rate}, {eta} left";

/// How far a command is. It shows with the first thing that is done, and where there are several.
#[derive(Debug)]
pub(in crate::cli) struct Progress(ProgressBar);

impl Progress {
    /// So many things, one after another; `what` is done with them.
    pub(in crate::cli) fn of_things(what: &'static str, all: u64) -> Self {
        // Hidden where standard error is no terminal.
        let bar = if all > 1 { ProgressBar::new(all) } else { ProgressBar::hidden() };
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{:.1}/s", state.per_sec());
        };
        if let Ok(style) = ProgressStyle::with_template(FORM) {
            bar.set_style(style.with_key("rate", rate).progress_chars("=> "));
        }
        Self(bar.with_message(what))
    }

    /// The same where the number is not known yet.
    pub(in crate::cli) fn unknown() -> Self {
        Self::of_things("", u64::MAX)
    }

    /// So many of all are done.
    pub(in crate::cli) fn at(&self, what: &'static str, done: usize, all: usize) {
        self.0.set_length(all as u64);
        self.0.set_position(done as u64);
        self.0.set_message(what);
    }

    /// So many more are done.
    pub(in crate::cli) fn add(&self, more: u64) {
        self.0.inc(more);
    }

    /// Does something that writes to the terminal.
    pub(in crate::cli) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
