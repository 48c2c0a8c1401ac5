//! Output for people: tables that fit, styles, a pager, times, short ids, and texts that may come from anyone.
//!
//! What is no terminal gets everything: nothing is cut, dropped or shortened there, so that `grep` finds all.

pub(super) mod ids;
pub(super) mod line;
pub(super) mod mark;
pub(super) mod pager;
pub(super) mod progress;
pub(super) mod style;
pub(super) mod table;
pub(super) mod time;
mod width;

use serde_json::Value;

pub(super) use self::width::{Room, cut, wrapped};
pub(super) use crate::web::text::{plain, plain_lines};

/// How a table is shown.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
#[command(next_help_heading = "Display")]
pub(super) struct View {
    /// All columns, whole ids and whole texts, however wide the terminal is
    #[arg(long)]
    pub(super) wide: bool,
    #[command(flatten)]
    pub(super) paging: pager::Paging,
}

impl View {
    /// The room that a table has on standard output.
    pub(super) fn room(self) -> Room {
        if self.wide { Room::Unlimited } else { Room::of_stdout() }
    }
}

/// How many rows a list has.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Rows {
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: usize,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Rows {
    /// The most rows; None for all.
    pub(super) fn limit(self) -> Option<usize> {
        (!self.all).then_some(self.limit)
    }
}

/// JSON to be read by a person. JSON escapes control characters by itself; what turns the direction of writing it does not.
pub(super) fn pretty(value: &Value) -> String {
    plain_lines(&serde_json::to_string_pretty(value).unwrap_or_default())
}
