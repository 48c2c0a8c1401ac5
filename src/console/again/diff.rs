//! Two texts side by side, with what is the same folded.

use std::time::Duration;

use similar::{Algorithm, DiffOp, TextDiff};

/// Larger texts are not compared.
const LARGEST: usize = 256 << 10;
/// A comparison that takes longer becomes coarse.
const PATIENCE: Duration = Duration::from_millis(300);
/// As many equal lines stay around what differs; more are folded.
const AROUND: usize = 3;

/// Two texts, compared.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Diff {
    pub(super) parts: Vec<Part>,
    pub(super) is_same: bool,
    pub(super) is_too_large: bool,
}

/// A part of a comparison: lines that both have, or those of each.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) before: String,
    pub(super) now: String,
    pub(super) kind: Kind,
    /// How many lines are folded.
    pub(super) lines: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Same,
    Folded,
    Changed,
}

impl Part {
    pub(super) fn is_folded(&self) -> bool {
        self.kind == Kind::Folded
    }

    pub(super) fn is_changed(&self) -> bool {
        self.kind == Kind::Changed
    }
}

impl Diff {
    /// Compares two texts, off the runtime's threads.
    pub(super) async fn of(before: String, now: String) -> Self {
        tokio::task::spawn_blocking(move || Self::compare(&before, &now)).await.unwrap_or_default()
    }

    fn compare(before: &str, now: &str) -> Self {
        if before == now {
            return Self { is_same: true, ..Self::default() };
        }
        if before.len().max(now.len()) > LARGEST {
            return Self { is_too_large: true, ..Self::default() };
        }
        let diff = TextDiff::configure().algorithm(Algorithm::Myers).timeout(PATIENCE).diff_lines(before, now);
        let (left, right): (Vec<&str>, Vec<&str>) =
            (before.split_inclusive('\n').collect(), now.split_inclusive('\n').collect());
        let lines = |all: &[&str], range: std::ops::Range<usize>| all.get(range).unwrap_or_default().concat();
        let ops = diff.ops();
        let mut parts = Vec::new();
        for (place, op) in ops.iter().enumerate() {
            let (old, new) = (op.old_range(), op.new_range());
            let DiffOp::Equal { .. } = op else {
                let (before, now) = (lines(&left, old), lines(&right, new));
                parts.push(Part { before, now, kind: Kind::Changed, lines: 0 });
                continue;
            };
            let (is_first, is_last) = (place == 0, place + 1 == ops.len());
            let head = if is_first { 0 } else { AROUND.min(old.len()) };
            let tail = if is_last { 0 } else { AROUND.min(old.len() - head) };
            let folded = old.len() - head - tail;
            let same = |range: std::ops::Range<usize>, kind: Kind| {
                let (lines, text) = (range.len(), lines(&left, range));
                Part { before: text.clone(), now: text, kind, lines }
            };
            // A line or two are not worth a fold.
            if folded <= 2 {
                parts.push(same(old, Kind::Same));
                continue;
            }
            let (from, to) = (old.start + head, old.end - tail);
            let cut = [(old.start..from, Kind::Same), (from..to, Kind::Folded), (to..old.end, Kind::Same)];
            parts.extend(cut.into_iter().filter(|(range, _)| !range.is_empty()).map(|(range, kind)| same(range, kind)));
        }
        Self { parts, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_folded_but_for_some_lines_around() {
        let line = |number: usize| format!("line {number}\n");
        let before: String = (0..20).map(line).collect();
        let now = before.replace("line 10\n", "another\nand more\n");
        let diff = Diff::compare(&before, &now);
        let kinds: Vec<_> = diff.parts.iter().map(|part| (part.kind, part.lines)).collect();
        let expected = [(Kind::Folded, 7), (Kind::Same, 3), (Kind::Changed, 0), (Kind::Same, 3), (Kind::Folded, 6)];
        assert_eq!(kinds, expected);
        let changed = &diff.parts[2];
        assert_eq!((&*changed.before, &*changed.now), ("line 10\n", "another\nand more\n"));
        let again: String = diff.parts.iter().map(|part| part.now.as_str()).collect();
        assert_eq!(again, now);
        assert!(Diff::compare("a", "a").is_same && Diff::compare("a", &"b".repeat(LARGEST + 1)).is_too_large);
    }
}
