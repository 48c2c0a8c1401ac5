//! Tables that fit the terminal: columns without lines around them.
//!
//! Where there is too little room, cells of columns that allow it are cut first. If that is not enough, whole columns are left
//! out by their rank, and a line below says which. Where the room is unlimited, nothing is cut or left out.

use anstyle::Style;

use super::{
    plain,
    style::{DIM, STRONG, styled},
    width::{Room, cut, width},
};

/// Blanks between two columns.
const GAP: usize = 2;

/// A column: its head, and what may be done to it where there is too little room.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Column {
    head: String,
    rank: u8,
    is_right: bool,
    is_optional: bool,
    least: Option<usize>,
}

impl Column {
    /// A column that is never cut and never left out.
    pub(in crate::cli) fn new(head: impl Into<String>) -> Self {
        Self { head: head.into(), rank: 0, is_right: false, is_optional: false, least: None }
    }

    /// The column of the highest rank is left out first; one of rank 0 never is.
    pub(in crate::cli) fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    /// Aligned to the right, as numbers are.
    pub(in crate::cli) fn right(self) -> Self {
        Self { is_right: true, ..self }
    }

    /// Cells may be cut to so many columns of the terminal.
    pub(in crate::cli) fn least(self, least: usize) -> Self {
        Self { least: Some(least), ..self }
    }

    /// It is there only if a cell of it is not empty.
    pub(in crate::cli) fn if_any(self) -> Self {
        Self { is_optional: true, ..self }
    }
}

/// A text in a style. The style takes no room.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(in crate::cli) fn styled(style: Style, text: impl Into<String>) -> Self {
        Self { style, ..Self::from(text.into()) }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text: plain(&text).into_owned(), style: Style::new() }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

#[derive(Debug)]
pub(in crate::cli) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(in crate::cli) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// A row with a cell for each column.
    pub(in crate::cli) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<Cell>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The table in lines, each with its end.
    pub(in crate::cli) fn shown(&self, room: Room) -> String {
        let (kept, left_out) = self.layout(room);
        let mut text = String::new();
        let heads = |column: usize| Cell { text: self.columns[column].head.clone(), style: STRONG };
        self.line(&kept, heads, &mut text);
        for row in &self.rows {
            self.line(&kept, |column| row.get(column).cloned().unwrap_or_default(), &mut text);
        }
        if !left_out.is_empty() {
            let verb = if left_out.len() == 1 { "is" } else { "are" };
            let words = format!("{} {verb} not shown: --wide, or a wider terminal", left_out.join(", "));
            text += &styled(DIM, &words);
            text.push('\n');
        }
        text
    }

    /// The columns that are shown with their widths, and the heads of those that are left out.
    fn layout(&self, room: Room) -> (Vec<(usize, usize)>, Vec<&str>) {
        let cells =
            |column: usize| self.rows.iter().filter_map(move |row| row.get(column)).map(|cell| width(&cell.text));
        let natural = |column: usize| cells(column).max().unwrap_or_default();
        let kept = (0..self.columns.len()).filter(|column| !self.columns[*column].is_optional || natural(*column) > 0);
        let whole = |column: usize| natural(column).max(width(&self.columns[column].head));
        let Room::Columns(most) = room else {
            return (kept.map(|column| (column, whole(column))).collect(), Vec::new());
        };
        let head = |column: usize| width(&self.columns[column].head);
        let least = |column: usize| match self.columns[column].least {
            Some(least) => whole(column).min(least.max(head(column))),
            None => whole(column),
        };
        let mut kept: Vec<(usize, usize)> = kept.map(|column| (column, whole(column))).collect();
        let mut left_out = Vec::new();
        let gaps = |columns: usize| columns.saturating_sub(1) * GAP;
        while kept.iter().map(|(column, _)| least(*column)).sum::<usize>() + gaps(kept.len()) > most {
            let rank = |(_, (column, _)): &(usize, &(usize, usize))| self.columns[*column].rank;
            let Some((place, _)) = kept.iter().enumerate().max_by_key(rank).filter(|last| rank(last) > 0) else {
                break;
            };
            left_out.push(kept.remove(place).0);
        }
        // The widest gives way, a sign at a time.
        while kept.iter().map(|(_, width)| width).sum::<usize>() + gaps(kept.len()) > most {
            let can_be_cut = kept.iter_mut().filter(|(column, width)| *width > least(*column));
            let Some((_, widest)) = can_be_cut.max_by_key(|(_, width)| *width) else { break };
            *widest -= 1;
        }
        left_out.sort_unstable();
        (kept, left_out.iter().map(|column| &*self.columns[*column].head).collect())
    }

    fn line(&self, kept: &[(usize, usize)], cell: impl Fn(usize) -> Cell, text: &mut String) {
        let mut pending = 0;
        for (column, room) in kept {
            let Cell { text: words, style } = cell(*column);
            let words = cut(&words, *room);
            let left = room.saturating_sub(width(&words));
            // Blanks are written before the next text, so that no line ends with them.
            match (words.is_empty(), self.columns[*column].is_right) {
                (true, _) => pending += left,
                (false, is_right) => {
                    text.extend(std::iter::repeat_n(' ', pending + if is_right { left } else { 0 }));
                    text.push_str(&styled(style, &words));
                    pending = if is_right { 0 } else { left };
                }
            }
            pending += GAP;
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::style::BAD;

    fn table() -> Table {
        let mut table = Table::new([
            Column::new("ID"),
            Column::new("MODEL").rank(1).least(6),
            Column::new("MS").rank(3).right(),
            Column::new("HOOK").rank(2).if_any(),
        ]);
        table.row([Cell::from("a1"), Cell::styled(BAD, "sale.order.line"), Cell::from("7.5"), Cell::default()]);
        table.row(["b2", "res.partner", "1200.0", ""]);
        table
    }

    fn bare(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn an_unlimited_room_shows_everything() {
        let shown = bare(&table().shown(Room::Unlimited));
        let expected = "ID  MODEL                MS\na1  sale.order.line     7.5\nb2  res.partner      1200.0\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn cells_are_cut_before_columns_are_left_out() {
        let shown = bare(&table().shown(Room::Columns(20)));
        assert_eq!(shown, "ID  MODEL         MS\na1  sale.or…     7.5\nb2  res.par…  1200.0\n");
        let shown = bare(&table().shown(Room::Columns(12)));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[..3], ["ID  MODEL", "a1  sale.or…", "b2  res.par…"]);
        assert_eq!(lines[3], "MS is not shown: --wide, or a wider terminal");
        let shown = bare(&table().shown(Room::Columns(3)));
        assert!(shown.ends_with("a1\nb2\nMODEL, MS are not shown: --wide, or a wider terminal\n"), "{shown}");
    }

    #[test]
    fn a_style_takes_no_room_and_no_line_ends_with_blanks() {
        let mut table = Table::new([Column::new("A"), Column::new("B")]);
        table.row([Cell::styled(BAD, "東京"), Cell::from("x\u{1b}[2J")]);
        table.row(["z", ""]);
        assert_eq!(bare(&table.shown(Room::Columns(80))), "A     B\n東京  x\\u{1b}[2J\nz\n");
        assert!(table.shown(Room::Columns(80)).contains(&styled(BAD, "東京")));
    }
}
