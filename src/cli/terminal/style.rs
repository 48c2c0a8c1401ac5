//! Colour and weight of what a person reads.
//!
//! Commands write styles always, through [`out`] or `anstream::eprintln!`. These take them out again where no terminal reads, where
//! `NO_COLOR` is set, or where the terminal has no colours (`TERM=dumb`). `CLICOLOR_FORCE` keeps them. The sixteen colours of the
//! terminal alone are used, so that a light and a dark theme both have theirs. Nothing is told by colour alone.

use std::io::{self, StdoutLock};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

/// It is as it should be.
pub(in crate::cli) const GOOD: Style = AnsiColor::Green.on_default();
/// It works, and a person should look at it.
pub(in crate::cli) const WARN: Style = AnsiColor::Yellow.on_default();
/// It failed.
pub(in crate::cli) const BAD: Style = AnsiColor::Red.on_default();
/// It matters less than what stands beside it.
pub(in crate::cli) const DIM: Style = Style::new().dimmed();
/// It names what follows.
pub(in crate::cli) const STRONG: Style = Style::new().bold();

/// A text in a style.
pub(in crate::cli) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Standard output for a person.
pub(in crate::cli) fn out() -> AutoStream<StdoutLock<'static>> {
    AutoStream::auto(io::stdout().lock())
}
