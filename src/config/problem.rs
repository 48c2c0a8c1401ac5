//! A mistake in the configuration: where it is, what is wrong, and what to do.
//!
//! A line of the file may hold a secret that belongs elsewhere. Of a line with a key whose name ends in `key`, `secret`, `token` or
//! `password`, only what stands before the value is shown.

use std::{fmt, ops::Range};

/// A mistake.
#[derive(Debug, Clone)]
pub struct Problem {
    /// None where nothing in the file is at fault but what lacks.
    pub place: Option<Place>,
    pub message: String,
    /// What to do, a sentence each.
    pub help: Vec<String>,
}

/// Where a mistake is.
#[derive(Debug, Clone)]
pub struct Place {
    /// From one.
    pub line: usize,
    /// In characters, from one.
    pub column: usize,
    /// The line, where it can be shown.
    pub source: Option<String>,
    /// What of the line is meant, in bytes.
    pub marked: Range<usize>,
}

impl Problem {
    /// Line and column; the beginning of the file where there is no better place.
    pub fn position(&self) -> (usize, usize) {
        self.place.as_ref().map_or((1, 1), |place| (place.line, place.column))
    }
}

/// `LINE:COLUMN: what is wrong; what to do`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.position();
        write!(f, "{line}:{column}: {}", self.message)?;
        self.help.iter().try_for_each(|help| write!(f, "; {help}"))
    }
}

impl Place {
    /// The place of a span of the text. What stands in the `hidden` spans is not shown.
    pub(super) fn of(text: &str, span: &Range<usize>, hidden: &[Range<usize>]) -> Self {
        let start = (0..=span.start.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        let before = text.get(..start).unwrap_or_default();
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = text.get(begin..).unwrap_or_default();
        let whole = rest.lines().next().unwrap_or_default();
        let source = (!hidden.iter().any(|span| span.start < begin && begin < span.end)).then(|| shown(whole));
        let shown = source.as_ref().map_or(0, String::len);
        let first = (start - begin).min(shown);
        let last = span.end.saturating_sub(begin).clamp(first, shown);
        Self {
            line: before.matches('\n').count() + 1,
            column: text.get(begin..start).map_or(0, |before| before.chars().count()) + 1,
            source,
            marked: first..last,
        }
    }
}

/// Whether a key of this name, or a variable or file of it, may have a secret as its value.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let key = key.strip_suffix("_env").or_else(|| key.strip_suffix("_file")).unwrap_or(&key);
    ["key", "secret", "token", "password", "passwd", "pwd", "credential"].iter().any(|end| key.ends_with(end))
}

/// A line without what may be secret in it.
fn shown(line: &str) -> String {
    let mut line = line;
    let mut mark = "";
    for (at, _) in line.match_indices('=') {
        let before = line.get(..at).unwrap_or_default().trim_end().trim_end_matches(['"', '\'']);
        let begins = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').map_or(0, |at| at + 1);
        if is_secret(before.get(begins..).unwrap_or_default()) {
            (line, mark) = (line.get(..=at).unwrap_or_default(), " ***");
            break;
        }
    }
    match line.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://***@{rest}{mark}"),
        None => format!("{line}{mark}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_line_is_shown() {
        for (line, due) in [
            ("odoo_key = \"c0ffee\"", "odoo_key = ***"),
            ("  'api-token'='c0ffee' # why", "  'api-token'= ***"),
            ("signature = { scheme = \"hmac\", secret = \"c0ffee\" }", "signature = { scheme = \"hmac\", secret = ***"),
            ("odoo_password_env = \"c0ffee\"", "odoo_password_env = ***"),
            ("url = \"postgres://me:c0ffee@db/x\"", "url = \"postgres://***@db/x\""),
            ("url = \"host=db password=c0ffee\"", "url = \"host=db password= ***"),
            ("key_sha256 = \"2c26\"", "key_sha256 = \"2c26\""),
            ("timeout = 3", "timeout = 3"),
        ] {
            assert_eq!(shown(line), due);
        }
        let text = "a = 1\nsecret = \"\"\"\nc0ffee\n\"\"\"\n";
        let hidden = 15..29;
        assert_eq!(Place::of(text, &(19..20), std::slice::from_ref(&hidden)).source, None);
    }

    #[test]
    fn a_place_is_counted_in_characters_and_marked_in_bytes() {
        let text = "[a]\né = \"ü\" # x\n";
        let place = Place::of(text, &(9..13), &[]);
        assert_eq!((place.line, place.column, place.marked), (2, 5, 5..9));
        assert_eq!(Place::of("", &(5..9), &[]).line, 1);
    }
}
