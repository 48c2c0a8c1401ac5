//! What is said of an error of a filter: its words, with values shortened, and without what is secret.
//!
//! What must stay true: an error is bounded however large the value is that it is about, a text in the form of a key is never
//! told, nor part of one, and neither is `$secret`.

use std::fmt::{self, Write};

use jaq_json::{Error, Val};
use serde::de::IgnoredAny;

use crate::key_texts::mask_keys;

/// The most characters of a value that are told.
const MAX_VALUE: usize = 80;
/// The most characters of all that is told.
const MAX_WORDS: usize = 500;
/// The bytes of an error that are looked at: its beginning, and its end, where it says what was tried with the value.
const HEAD: usize = 8 << 10;
const TAIL: usize = 80;

/// The words of an error. With a `$secret`, no value is told.
pub(super) fn words(error: Error, secret: Option<&str>) -> String {
    let mut seen = Ends::default();
    let _ = write!(seen, "{error}");
    let words = match seen.cut {
        true => format!("{} … {}", whole_words(&seen.head), from_whole_word(&seen.tail)),
        // The text of `error("…")` without quotation marks.
        false => match error.into_val() {
            Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
            other => other.to_string(),
        },
    };
    let words = match secret.filter(|secret| !secret.is_empty()) {
        None => shortened(&mask_keys(&words), |value| cut(value, MAX_VALUE)),
        Some(secret) => shortened(&mask_keys(&words.replace(secret, "***")), |_| "…".to_owned()).replace(secret, "***"),
    };
    cut(&words, MAX_WORDS)
}

/// The text with other words for the values of JSON in it.
fn shortened(text: &str, tell: impl Fn(&str) -> String) -> String {
    let (mut told, mut done, mut at) = (String::new(), 0, 0);
    while let Some(start) = text[at..].find(['{', '[', '"']).map(|found| at + found) {
        let begins = text[..start].chars().next_back().is_none_or(char::is_whitespace);
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<IgnoredAny>();
        if begins && matches!(values.next(), Some(Ok(_))) {
            let end = start + values.byte_offset();
            told.push_str(&text[done..start]);
            told.push_str(&tell(&text[start..end]));
            (done, at) = (end, end);
        } else {
            at = start + 1;
        }
    }
    told + &text[done..]
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Some of the text, up to the end of a word: part of a key could not be told from another word.
fn whole_words(text: &str) -> &str {
    let start = text.char_indices().nth(MAX_VALUE * 2).map_or(text, |(end, _)| &text[..end]);
    start.trim_end_matches(|c: char| !c.is_whitespace() && c != '"' && c != ',')
}

fn from_whole_word(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
}

/// The beginning and the end of what is written.
#[derive(Default)]
struct Ends {
    head: String,
    tail: String,
    /// Whether something between them was left out.
    cut: bool,
}

impl Write for Ends {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !self.cut && self.head.len() + text.len() <= HEAD {
            self.head.push_str(text);
            return Ok(());
        }
        self.cut = true;
        let room = HEAD.saturating_sub(self.head.len());
        let room = (0..=room.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        self.head.push_str(&text[..room]);
        self.tail.push_str(&text[room..]);
        let surplus = self.tail.len().saturating_sub(TAIL);
        let surplus = (surplus..=self.tail.len()).find(|at| self.tail.is_char_boundary(*at)).unwrap_or(0);
        self.tail.drain(..surplus);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef01234567";

    fn index(value: &str, key: &str) -> Error {
        Error::index(jaq_json::read::parse_single(value.as_bytes()).unwrap(), Val::from(key.to_owned()))
    }

    #[test]
    fn a_value_is_shortened_and_what_was_tried_with_it_stays() {
        assert_eq!(words(index("[1]", "b"), None), "cannot index [1] with \"b\"");
        let long = format!("[{}0]", "1,".repeat(100));
        let expected = format!("cannot index [{}1… with \"b\"", "1,".repeat(39));
        assert_eq!(words(index(&long, "b"), None), expected);
        let huge = format!("[{}0]", "\"an item\",".repeat(50_000));
        let told = words(index(&huge, "b"), None);
        assert!(told.starts_with("cannot index [\"an item\"") && told.ends_with("with \"b\""), "{told}");
        assert!(told.len() < 300, "{told}");
        assert_eq!(words(Error::str("order \"S1\" has no email"), None), "order \"S1\" has no email");
        assert_eq!(words(Error::str("ä".repeat(1000)), None), format!("{}…", "ä".repeat(500)));
        assert_eq!(words(Error::new(Val::Null), None), "null");
    }

    #[test]
    fn no_key_and_no_secret_is_told_nor_part_of_one() {
        for before in 0..120 {
            let value = format!("[\"{} {KEY}\"]", "x".repeat(before));
            let told = words(index(&value, "b"), None);
            assert!(!told.contains(&KEY[..8]), "{told}");
        }
        for items in [800, 801, 802, 803, 804, 805] {
            let value = format!("[{}1]", format!("\"{KEY}\",").repeat(items));
            let told = words(index(&value, "b"), None);
            assert!(!told.contains(&KEY[..8]) && !told.contains(&KEY[32..]), "{told}");
        }
        let told = words(Error::str("\"a\\\"b sesame\" and sesame are not a number"), Some("sesame"));
        assert_eq!(told, "… and *** are not a number");
    }
}
