//! Output for people: tables, times, and texts that may come from anyone.

use std::{borrow::Cow, fmt::Write as _};

use comfy_table::{CellAlignment, Table, TableStyle};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

/// A text of a caller's or of Odoo's, without what would move the cursor of a terminal.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    let is_harmless = |c: char| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().fold(String::new(), |mut shown, c| {
        if is_harmless(c) {
            shown.push(c);
        } else {
            let _ = write!(shown, "{}", c.escape_default());
        }
        shown
    });
    Cow::Owned(escaped)
}

/// The same for a text of several lines.
pub(super) fn plain_lines(text: &str) -> String {
    text.lines().map(|line| plain(line).into_owned()).collect::<Vec<_>>().join("\n")
}

/// A text of at most so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// JSON to be read by a person. JSON escapes control characters by itself; what turns the direction of writing it does not.
pub(super) fn pretty(value: &Value) -> String {
    plain_lines(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// In the time zone of this machine.
pub(super) fn local(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Columns without lines around them; those with these numbers are aligned to the right.
pub(super) fn table(head: &[&str], numbers: &[usize], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(head.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell).into_owned()));
    }
    for number in numbers {
        if let Some(column) = table.column_mut(*number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().strip_prefix(' ').unwrap_or_default().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_move_the_cursor_is_shown_instead() {
        assert_eq!(plain("a\u{1b}[2Jb\r\u{202e}c"), "a\\u{1b}[2Jb\\r\\u{202e}c");
        assert_eq!(plain("Österreich 😀"), "Österreich 😀");
    }
}
