//! Texts in the form of a key: what a person has put in the wrong place, and what must not be told on.
//!
//! [`mask_keys`] is applied at the doors by which sentences, logins and paths leave: the caller's answer, the interface log and
//! the process log. It is not applied to the values of a payload: there the same form is that of a commit or a checksum, and a
//! call that lacked one could not be made again.

use std::{
    borrow::Cow,
    io::{self, Write},
};

/// What every key of the gateway's own begins with, so that it is taken for nothing else.
pub const PREFIX: &str = "gw_";
const MASKED: &str = "***";
/// An API key of Odoo's is so many hexadecimal digits (14-19), and so is a session id (14, 15).
const ODOO: usize = 40;
/// Of a key of the gateway's, so many digits behind its prefix are enough: part of a key is not to be told either.
const OWN: usize = 8;

/// A key of Odoo's, by its form.
pub fn is_odoo_key(text: &str) -> bool {
    text.len() == ODOO && is_hexadecimal(text)
}

/// A key of Odoo's or of the gateway's, by its form.
pub fn is_key(text: &str) -> bool {
    is_odoo_key(text) || text.strip_prefix(PREFIX).is_some_and(|rest| rest.len() >= OWN && is_hexadecimal(rest))
}

/// The text with `***` in the place of every word that has the form of a key.
pub fn mask_keys(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut told = 0;
    let mut at = 0;
    while let Some(word) = next_word(text, at) {
        at = word.end;
        let (start, end) = match &text[word.clone()] {
            _ if word.len() >= ODOO && is_odoo_key(&text[word.end - ODOO..word.end]) => (word.end - ODOO, word.end),
            letters if letters.ends_with("gw") && text[word.end..].starts_with('_') => {
                let rest = next_word(text, word.end).filter(|rest| rest.start == word.end + 1);
                let Some(rest) = rest.filter(|rest| is_key(&text[word.end - 2..rest.end])) else { continue };
                at = rest.end;
                (word.end - 2, rest.end)
            }
            _ => continue,
        };
        if !is_no_letter(&text[..word.start], &text[word.start..start]) {
            continue;
        }
        masked.push_str(&text[told..start]);
        masked.push_str(MASKED);
        told = end;
    }
    if told == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[told..]);
    Cow::Owned(masked)
}

/// Writes on whatever is written to it, with keys masked. A text is to come in one piece, as each message of the process log does.
#[derive(Debug)]
pub struct Masked<W>(pub W);

impl<W: Write> Write for Masked<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.write_all(mask_keys(&String::from_utf8_lossy(text)).as_bytes())?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The next run of letters and digits from here on.
fn next_word(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    let start = from + bytes.get(from..)?.iter().position(u8::is_ascii_alphanumeric)?;
    let length = bytes[start..].iter().position(|byte| !byte.is_ascii_alphanumeric());
    Some(start..length.map_or(bytes.len(), |length| start + length))
}

/// What stands directly before a key belongs to it, but for the end of an escape: `\n`, `%3D`, or a terminal's colour.
fn is_no_letter(before: &str, prefix: &str) -> bool {
    match before.bytes().next_back() {
        _ if prefix.is_empty() => true,
        Some(b'\\') => prefix.len() == 1,
        Some(b'%') => prefix.len() == 2,
        Some(b'[' | b';') => prefix.ends_with('m'),
        _ => false,
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn what_has_the_form_of_a_key_is_masked_wherever_it_stands_as_a_word() {
        let upper = KEY.to_uppercase();
        for (text, expected) in [
            (KEY.to_owned(), "***"),
            (format!("login `{upper}`, key={KEY}."), "login `***`, key=***."),
            (format!("é{KEY}é"), "é***é"),
            (format!("sha_{KEY}_x"), "sha_***_x"),
            (format!(r"a\n{KEY}"), r"a\n***"),
            (format!("key%3D{KEY}"), "key%3D***"),
            (format!("\u{1b}[2mkey\u{1b}[0m{KEY}\u{1b}[0m"), "\u{1b}[2mkey\u{1b}[0m***\u{1b}[0m"),
            (format!("gw_{KEY}{}", &KEY[..24]), "***"),
            ("(gw_0123abcd)".to_owned(), "(***)"),
            (r"\ngw_0123abcd".to_owned(), r"\n***"),
            (format!("{KEY} {KEY}"), "*** ***"),
        ] {
            assert_eq!(mask_keys(&text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_on_is_masked() {
        let mut written = Vec::new();
        writeln!(Masked(&mut written), "key={KEY}").unwrap();
        // `writeln!` itself writes in pieces.
        Masked(&mut written).write_all(format!("{KEY}\n").as_bytes()).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "key=***\n***\n");
    }

    #[test]
    fn what_only_holds_such_a_text_is_left_alone() {
        let longer = format!("{KEY}8");
        let checksum = KEY.repeat(2)[..64].to_owned();
        let words = format!("x{KEY}");
        for text in [&*longer, &*checksum, &*words, &KEY[1..], "gw_payments", "gw_0123", "agw_0123abcd", "gw_", "", "é"]
        {
            assert_eq!(mask_keys(text), text);
            assert!(!is_key(text));
        }
        assert!(is_key(KEY) && is_key("gw_0123abcd") && is_odoo_key(KEY));
    }
}
