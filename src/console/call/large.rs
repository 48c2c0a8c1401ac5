//! A large text on a page: cut, and folded where it has many lines.

use serde_json::Value;

use super::super::words;

/// A longer text is cut, until a person asks for the whole page.
const MOST: usize = 64 << 10;
/// A text with more lines is folded.
const LINES: usize = 40;

/// How much of large values is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Beginning,
    All,
}

/// A text in a box. `id` is of its page alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Large {
    pub(super) id: String,
    pub(super) text: String,
    /// How many lines it has, where that is too many for an open box.
    pub(super) folded: Option<usize>,
    pub(super) is_cut: bool,
}

impl Large {
    pub(super) fn new(id: impl Into<String>, text: String, shown: Shown) -> Self {
        let end = match shown {
            Shown::Beginning if text.len() > MOST => Some(text.floor_char_boundary(MOST)),
            _ => None,
        };
        let text = end.map_or_else(|| text.clone(), |end| text[..end].to_owned());
        let lines = text.lines().count();
        Self { id: id.into(), folded: (lines > LINES).then_some(lines), text, is_cut: end.is_some() }
    }

    /// JSON for a person; none of nothing.
    pub(super) fn json(id: impl Into<String>, value: &Value, shown: Shown) -> Option<Self> {
        (!value.is_null()).then(|| Self::new(id, words::json(value), shown))
    }

    /// A text for a person; none of an empty one.
    pub(super) fn text(id: impl Into<String>, text: &str, shown: Shown) -> Option<Self> {
        (!text.is_empty()).then(|| Self::new(id, words::plain_lines(text), shown))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_text_is_folded_and_a_very_long_one_cut_until_all_is_asked_for() {
        let short = Large::json("a", &json!({"a": 1}), Shown::Beginning).unwrap();
        assert_eq!((short.text.as_str(), short.folded, short.is_cut), ("{\n  \"a\": 1\n}", None, false));
        let rows: Vec<String> = (0..9000).map(|number| format!("row ä {number}")).collect();
        let long = Large::json("a", &json!(rows), Shown::Beginning).unwrap();
        assert!(long.is_cut && long.folded.is_some() && long.text.len() <= MOST);
        let all = Large::json("a", &json!(rows), Shown::All).unwrap();
        assert!(!all.is_cut && all.text.ends_with("8999\"\n]"));
        assert_eq!((Large::json("a", &Value::Null, Shown::All), Large::text("a", "", Shown::All)), (None, None));
    }
}
