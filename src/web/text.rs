//! Texts that may come from anyone, made harmless for the eye: on pages and on a terminal alike.
//!
//! What moves the cursor of a terminal, turns the direction of writing, or is no visible sign is written out, so that a text cannot
//! pass for another one. HTML is escaped by templates.

use std::{borrow::Cow, fmt::Write};

/// A text on one line, without control characters and without what turns the direction of writing (UAX #9).
pub fn plain(text: &str) -> Cow<'_, str> {
    let is_harmless = |sign: char| {
        !sign.is_control()
            && !matches!(sign, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().fold(String::new(), |mut shown, sign| {
        if is_harmless(sign) {
            shown.push(sign);
        } else {
            let _ = write!(shown, "{}", sign.escape_default());
        }
        shown
    });
    Cow::Owned(escaped)
}

/// The same for a text of several lines.
pub fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
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
