//! What an error means and what to do about it, from the table of errors.

use crate::errors::{Code, Retry};

/// An error for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Explained {
    /// Parts of sentences; those with `true` are code.
    pub(super) cause: Vec<(bool, String)>,
    pub(super) remedy: Vec<(bool, String)>,
    /// Whether sending it again is safe.
    pub(super) again: &'static str,
}

/// What the table says of a code; none of one that this version does not have.
pub(super) fn explained(code: &str) -> Option<Explained> {
    // Of a text that two rows have, the later one is a call's.
    let code = Code::ALL.iter().rev().find(|known| known.as_str() == code)?;
    let row = code.row();
    let again = match row.retries {
        [Retry::Safe] => "Nothing was written. The same call may succeed later.",
        [Retry::No] => "Nothing was written. The same call would be refused again.",
        [Retry::Unsafe] => "Something may have been written. Look in Odoo before the call is made again.",
        _ => "",
    };
    Some(Explained { cause: parts(row.cause), remedy: parts(row.remedy), again })
}

/// The text between backticks is code.
fn parts(text: &str) -> Vec<(bool, String)> {
    let parts = text.split('`').enumerate().map(|(place, part)| (place % 2 == 1, part.to_owned()));
    parts.filter(|(_, part)| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_explains_its_codes_and_no_others() {
        let explained = explained("key_required").unwrap();
        assert!(explained.remedy.contains(&(true, "Idempotency-Key".to_owned())), "{explained:?}");
        assert!(explained.again.contains("refused again"));
        assert_eq!(super::explained("teleported"), None);
        assert_eq!(parts("a `b` c"), [(false, "a ".to_owned()), (true, "b".to_owned()), (false, " c".to_owned())]);
    }
}
