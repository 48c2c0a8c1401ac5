//! Output for people: tables, styles, times, and texts that may come from anyone.

pub(super) mod progress;
pub(super) mod style;

use comfy_table::{CellAlignment, Table, TableStyle};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

pub(super) use crate::web::text::{plain, plain_lines};

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
