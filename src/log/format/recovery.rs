//! Judges the bytes of a segment; pure functions.
//!
//! A crash can tear only what was never acknowledged. So a torn tail is cut off, and everything else that is wrong is
//! damage, which stops the start. The watermark distinguishes the two: a later line whose watermark covers the damaged one
//! proves that it had been durable.

use super::line::{Line, START};

/// How a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) enum End {
    /// With a whole line.
    Whole,
    /// The bytes after the good lines were being written when the machine stopped.
    Torn,
    /// The bytes after the good lines had been durable.
    Damaged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) struct Recovered {
    /// The length of the good lines in bytes.
    pub(in crate::log) good: usize,
    /// The number of the line that follows the good lines.
    pub(in crate::log) next: u64,
    pub(in crate::log) end: End,
}

/// Judges a segment whose first line has the number `first`.
pub(in crate::log) fn recover(bytes: &[u8], first: u64) -> Recovered {
    let (mut good, mut next) = (0, first);
    while good < bytes.len() {
        match Line::at(&bytes[good..]) {
            Some(line) if line.seq == next => {
                good += line.bytes.len();
                next = line.next();
            }
            // A whole line in the wrong place is damage: no crash moves lines.
            Some(_) => return Recovered { good, next, end: End::Damaged },
            None => {
                // The header was durable before the segment got its name.
                let was_durable = good == 0 || later_lines(&bytes[good..]).any(|(_, line)| line.durable >= next);
                let end = if was_durable { End::Damaged } else { End::Torn };
                return Recovered { good, next, end };
            }
        }
    }
    let end = if good == 0 { End::Damaged } else { End::Whole };
    Recovered { good, next, end }
}

/// All whole lines and their offsets, in damaged segments, too. The search looks for the beginning of a line and not for the
/// end of the one before, since a damaged byte may be a newline.
pub(in crate::log) fn later_lines(bytes: &[u8]) -> impl Iterator<Item = (usize, Line<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(found) = memchr::memmem::find(&bytes[at..], START) {
            at += found;
            if let Some(line) = Line::at(&bytes[at..]) {
                let start = at;
                at += line.bytes.len();
                return Some((start, line));
            }
            at += START.len();
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::log::format::{event::Event, line::Body};

    /// A header, two batches of two lines and, where wanted, a mark; and where each line begins.
    fn three_batches(has_mark: bool) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        let mut starts = Vec::new();
        let batches: &[(u64, &[u64])] = &[(0, &[1]), (1, &[2, 3]), (3, &[4, 5]), (5, &[6])];
        for (durable, lines) in &batches[..if has_mark { 4 } else { 3 }] {
            for seq in *lines {
                starts.push(bytes.len());
                // A payload that looks like a line.
                let body = Body::new(Event::CallReceived, &json!({"payload": {"seq": 1, "durable": 9}, "n": seq}));
                body.frame(*seq, *durable, &mut bytes);
            }
        }
        (bytes, starts)
    }

    #[test]
    fn every_truncation_is_a_torn_tail_behind_the_lines_that_are_whole() {
        let (bytes, starts) = three_batches(true);
        for length in 1..bytes.len() {
            let whole = starts.iter().skip(1).chain([&bytes.len()]).filter(|end| **end <= length).count();
            let good = starts.get(whole).copied().unwrap_or(bytes.len());
            // Without its header, which was durable before the rest, a segment is damaged.
            let end = match whole {
                0 => End::Damaged,
                _ if good == length => End::Whole,
                _ => End::Torn,
            };
            assert_eq!(recover(&bytes[..length], 1), Recovered { good, next: whole as u64 + 1, end }, "{length}");
        }
        assert_eq!(recover(&[], 1).end, End::Damaged);
    }

    #[test]
    fn every_flipped_bit_is_found_and_is_damage_where_the_line_had_been_durable() {
        for has_mark in [false, true] {
            let (bytes, starts) = three_batches(has_mark);
            // The last batch may have been torn; what came before it is known to have been durable.
            let unproven = if has_mark { starts[5] } else { starts[3] };
            for bit in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let line = starts.iter().filter(|start| **start <= bit / 8).count() - 1;
                let end = if bit / 8 < unproven { End::Damaged } else { End::Torn };
                let expected = Recovered { good: starts[line], next: line as u64 + 1, end };
                assert_eq!(recover(&changed, 1), expected, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_line_that_was_taken_out_or_moved_is_damage() {
        let (bytes, starts) = three_batches(true);
        let without = [&bytes[..starts[2]], &bytes[starts[3]..]].concat();
        assert_eq!(recover(&without, 1).end, End::Damaged);
        let twice = [&bytes[..starts[3]], &bytes[starts[2]..]].concat();
        assert_eq!(recover(&twice, 1).end, End::Damaged);
    }
}
