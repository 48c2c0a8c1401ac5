//! A place in the text of a filter, as people are shown it: line, column and the line itself with a marker under it.

use std::fmt;

/// The most characters of a line that are shown before the marker, and from it on.
const SHOWN: usize = 60;

/// A place in the text of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// From 1 on.
    pub(super) line: usize,
    /// The number of the character in its line, from 1 on.
    pub(super) column: usize,
    /// The part of the line that is shown before the place.
    before: String,
    /// The rest of it.
    after: String,
}

impl Place {
    /// The place of this byte of a text.
    pub(super) fn of(text: &str, at: usize) -> Self {
        let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (done, rest) = text.split_at(at);
        let before = done.rsplit('\n').next().unwrap_or_default();
        let rest = rest.lines().next().unwrap_or_default();
        let column = before.chars().count();
        let cut = if column > SHOWN { "…" } else { "" };
        let is_cut = rest.chars().nth(SHOWN).is_some();
        Self {
            line: done.matches('\n').count() + 1,
            column: column + 1,
            before: cut.chars().chain(before.chars().skip(column.saturating_sub(SHOWN))).collect(),
            after: rest.chars().take(SHOWN).chain(is_cut.then_some('…')).collect(),
        }
    }

    /// The line, and under it a marker at the place. Tabs stay tabs, so that the marker stands where it should.
    pub(super) fn shown(&self) -> String {
        let number = self.line.to_string();
        let (margin, Self { before, after, .. }) = (" ".repeat(number.len()), self);
        let blanks: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        format!("\n {number} | {before}{after}\n {margin} | {blanks}^")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Where a part of a text begins in it; none where it is a part of another text.
pub(super) fn offset_in(text: &str, part: &str) -> Option<usize> {
    let offset = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    (offset + part.len() <= text.len()).then_some(offset)
}
