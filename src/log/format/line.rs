//! The frame of a line: its number, the watermark of durable lines, and a checksum.
//!
//! `{"seq":7,"durable":5,` … `,"crc":"9a0c11f2"}` and a newline. The checksum is a CRC-32 (IEEE) of the bytes before
//! `,"crc":`, so it can be verified without a JSON parser and removed by `sed`. The content is one JSON object. It contains
//! no newline, since JSON escapes it in texts.

use std::io::Write;

use serde::Serialize;

use super::event::Event;

/// The beginning of every line.
pub(in crate::log) const START: &[u8] = b"{\"seq\":";
const DURABLE: &[u8] = b",\"durable\":";
const CRC: &[u8] = b",\"crc\":\"";
const END: &[u8] = b"\"}\n";
const DIGITS: usize = 8;
const EVENT: &[u8] = b",\"event\":\"";
/// Most contents are no longer, so that they are written without moving what is there.
const USUAL: usize = 2 << 10;

/// The content of a line without its number: a JSON object whose first member is `event`.
#[derive(Debug, Clone)]
pub(in crate::log) struct Body(Vec<u8>);

impl Body {
    pub(in crate::log) fn new(event: Event, content: &impl Serialize) -> Self {
        #[derive(Serialize)]
        struct Whole<'c, C> {
            event: &'static str,
            #[serde(flatten)]
            content: &'c C,
        }
        let mut bytes = Vec::with_capacity(USUAL);
        #[expect(clippy::expect_used, reason = "every key is a text and every value a plain one")]
        serde_json::to_writer(&mut bytes, &Whole { event: event.name(), content }).expect("a line that is JSON");
        Self(bytes)
    }

    pub(in crate::log) fn len(&self) -> usize {
        self.0.len()
    }

    /// Appends the framed line to `line`.
    pub(in crate::log) fn frame(&self, seq: u64, durable: u64, line: &mut Vec<u8>) {
        let start = line.len();
        line.extend_from_slice(START);
        // A write into memory does not fail.
        let _ = write!(line, "{seq}");
        line.extend_from_slice(DURABLE);
        let _ = write!(line, "{durable},");
        line.extend_from_slice(&self.0[1..self.0.len() - 1]);
        let digits = checksum(&line[start..]);
        line.extend_from_slice(CRC);
        line.extend_from_slice(&digits);
        line.extend_from_slice(END);
    }
}

/// A whole line.
#[derive(Debug, Clone, Copy)]
pub(in crate::log) struct Line<'b> {
    pub(in crate::log) seq: u64,
    pub(in crate::log) durable: u64,
    /// Including the newline.
    pub(in crate::log) bytes: &'b [u8],
}

impl<'b> Line<'b> {
    /// The line at the beginning of these bytes, if it is whole and its checksum is right.
    pub(in crate::log) fn at(bytes: &'b [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(START)?;
        let end = memchr::memchr(b'\n', rest)? + START.len() + 1;
        let bytes = &bytes[..end];
        let checked = bytes.len().checked_sub(CRC.len() + DIGITS + END.len())?;
        let (content, tail) = bytes.split_at(checked);
        let digits = tail.strip_prefix(CRC)?.strip_suffix(END)?;
        // Compared as text, so that no other spelling of the number passes.
        if digits != checksum(content) {
            return None;
        }
        let (seq, rest) = number(rest)?;
        let (durable, _) = number(rest.strip_prefix(DURABLE)?)?;
        Some(Self { seq, durable, bytes })
    }

    /// What the line records; `None` for an event of a later version.
    pub(in crate::log) fn event(&self) -> Option<Event> {
        // The event follows two numbers of at most twenty digits.
        let head = &self.bytes[..self.bytes.len().min(128)];
        let name = memchr::memmem::find(head, EVENT).map(|at| &head[at + EVENT.len()..]);
        let name = name.and_then(|name| name.split(|byte| *byte == b'"').next());
        name.and_then(|name| std::str::from_utf8(name).ok()).and_then(Event::named)
    }

    /// The content; `None` where it is not the expected JSON, which a checksum does not exclude.
    pub(in crate::log) fn parse<'l, T: serde::Deserialize<'l>>(&self) -> Option<T>
    where
        'b: 'l,
    {
        serde_json::from_slice(self.bytes).ok()
    }

    /// The number of the next line. The line of a gap says where the gap ends.
    pub(in crate::log) fn next(&self) -> u64 {
        #[derive(serde::Deserialize)]
        struct Gap {
            to: u64,
        }
        let last = match self.event() {
            Some(Event::Gap) => self.parse::<Gap>().map_or(self.seq, |gap| gap.to.max(self.seq)),
            _ => self.seq,
        };
        last.saturating_add(1)
    }
}

/// The checksum of what stands before it in a line, as the line has it.
fn checksum(content: &[u8]) -> [u8; DIGITS] {
    let mut digits = [0; DIGITS];
    // There is room for the digits of four bytes.
    let _ = const_hex::encode_to_slice(crc32fast::hash(content).to_be_bytes(), &mut digits);
    digits
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = bytes.split_at(end);
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_json_and_read_as_it_was_written() {
        let mut bytes = Vec::new();
        Body::new(Event::Mark, &json!({"ts": "now", "text": "a\nb"})).frame(12, 11, &mut bytes);
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&value["seq"], &value["durable"], &value["text"]), (&json!(12), &json!(11), &json!("a\nb")));
        let line = Line::at(&bytes).unwrap();
        assert_eq!((line.seq, line.durable, line.event(), line.next()), (12, 11, Some(Event::Mark), 13));
        assert_eq!(line.bytes, bytes);
    }

    #[test]
    fn a_line_with_any_bit_changed_is_none() {
        let mut bytes = Vec::new();
        Body::new(Event::Mark, &json!({"ts": "now"})).frame(12, 11, &mut bytes);
        for at in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(Line::at(&changed).is_none(), "bit {at}");
        }
        for end in 0..bytes.len() {
            assert!(Line::at(&bytes[..end]).is_none(), "cut at {end}");
        }
    }

    #[test]
    fn a_gap_says_where_it_ends() {
        let mut bytes = Vec::new();
        Body::new(Event::Gap, &json!({"to": 20})).frame(12, 11, &mut bytes);
        assert_eq!(Line::at(&bytes).unwrap().next(), 21);
    }
}
