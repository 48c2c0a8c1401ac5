//! Texts of callers and of Odoo as pages show them: harmless for the eye, and cut.
//!
//! Templates escape what HTML would read. What turns the direction of writing, or is no visible sign, is written out (`web::text`), so that
//! a text cannot pass for another one.

use serde_json::Value;

pub(super) use crate::web::text::{plain, plain_lines};

/// At most so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// JSON for a person. It escapes control characters by itself, and not what turns the direction of writing.
pub(super) fn json(value: &Value) -> String {
    plain_lines(&crate::web::show::json(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_turns_the_direction_of_writing() {
        assert_eq!(plain("ab\u{202e}cd\r\n\u{200f}"), "ab\\u{202e}cd\\r\\n\\u{200f}");
        assert_eq!(plain_lines("a\n\u{2066}b"), "a\n\\u{2066}b");
        assert_eq!((cut("abc", 3).as_str(), cut("äöü", 2).as_str()), ("abc", "äö…"));
        assert_eq!(json(&serde_json::json!(["\u{202e}"])), "[\n  \"\\u{202e}\"\n]");
    }
}
