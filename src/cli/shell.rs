//! Texts as a shell takes them, for commands that are printed to be copied.

/// A text as a shell takes it for one word.
pub(super) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_' | '@' | '+');
    let is_word = !text.is_empty() && text.chars().all(is_plain);
    if is_word { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(word("a/b-c.toml"), "a/b-c.toml");
        assert_eq!(word("it's $5"), r"'it'\''s $5'");
        assert_eq!(word(""), "''");
    }
}
