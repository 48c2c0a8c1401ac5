//! How much room there is, and texts of a certain width. A width is in columns of the terminal: a sign of East Asia takes two.

use std::{
    io::{self, IsTerminal},
    os::fd::AsFd,
};

use terminal_size::{Width, terminal_size_of};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Where a terminal does not tell its width.
const USUAL: usize = 80;

/// Lines that are wrapped are not narrower.
const LEAST_LINE: usize = 20;

/// How wide a table may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Room {
    /// No terminal reads it, or a person wants all of it.
    Unlimited,
    Columns(usize),
}

impl Room {
    pub(in crate::cli) fn of_stdout() -> Self {
        Self::of(io::stdout())
    }

    pub(in crate::cli) fn of_stderr() -> Self {
        Self::of(io::stderr())
    }

    fn of(stream: impl IsTerminal + AsFd) -> Self {
        if !stream.is_terminal() {
            return Self::Unlimited;
        }
        let told = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0);
        let asked = terminal_size_of(stream).map(|(Width(columns), _)| usize::from(columns));
        Self::Columns(asked.or_else(told).unwrap_or(USUAL))
    }

    pub(in crate::cli) fn is_unlimited(self) -> bool {
        self == Self::Unlimited
    }

    /// The columns that are left beside so many.
    pub(in crate::cli) fn beside(self, taken: usize) -> usize {
        match self {
            Self::Unlimited => usize::MAX,
            Self::Columns(columns) => columns.saturating_sub(taken),
        }
    }
}

/// The columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// A text of at most so many columns.
pub(in crate::cli) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let fits = |sign: &char| match left.checked_sub(sign.width().unwrap_or_default()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// A text in lines that fit, broken between words. Lines from the second on begin with so many blanks, and the first one begins
/// behind as many columns that are taken already.
pub(in crate::cli) fn wrapped(text: &str, room: Room, indent: usize) -> String {
    let most = room.beside(indent).max(LEAST_LINE);
    let (mut shown, mut taken) = (String::new(), 0);
    for word in text.split(' ') {
        let needed = width(word);
        if taken > 0 && taken + 1 + needed > most {
            shown.push('\n');
            shown.extend(std::iter::repeat_n(' ', indent));
            taken = 0;
        } else if taken > 0 {
            shown.push(' ');
            taken += 1;
        }
        shown.push_str(word);
        taken += needed;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_the_columns_that_it_takes() {
        assert_eq!(cut("sale.order", 10), "sale.order");
        assert_eq!(cut("sale.order", 6), "sale.…");
        assert_eq!(cut("東京都港区", 6), "東京…");
        assert_eq!(cut("東京都港区", 10), "東京都港区");
    }

    #[test]
    fn a_text_is_wrapped_between_words_and_indented() {
        let text = "one two three four five six seven";
        assert_eq!(wrapped(text, Room::Columns(24), 4), "one two three four\n    five six seven");
        assert_eq!(wrapped(text, Room::Unlimited, 4), text);
    }
}
