//! The text of a body, by its byte order mark, its charset, or as UTF-8.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use super::{
    bounds::{Budget, Why},
    kind::ContentType,
};

/// The text of a body, by the charset of its content type.
pub(super) fn decoded<'b>(
    body: &'b [u8],
    content_type: &ContentType,
    budget: &mut Budget<'_>,
) -> Result<Cow<'b, str>, Why> {
    decoded_by(body, content_type.parameter("charset").as_deref(), budget)
}

/// The text of a body in this charset; a byte order mark says more, and what has neither is UTF-8. What cannot be decoded is not
/// guessed.
pub(super) fn decoded_by<'b>(
    body: &'b [u8],
    charset: Option<&str>,
    budget: &mut Budget<'_>,
) -> Result<Cow<'b, str>, Why> {
    let (encoding, mark) = match (Encoding::for_bom(body), charset) {
        (Some(marked), _) => marked,
        (None, Some(charset)) => {
            let unknown = || Why::unreadable(format!("its charset `{}` is not known", shortened(charset)));
            (Encoding::for_label(charset.as_bytes()).ok_or_else(unknown)?, 0)
        }
        (None, None) => (UTF_8, 0),
    };
    let body = body.get(mark..).unwrap_or_default();
    if encoding == UTF_8 {
        let no_text = |_| {
            Why::unreadable(
                "its text is not UTF-8, and its content type names no other charset, as in `text/csv; charset=windows-1252`",
            )
        };
        return std::str::from_utf8(body).map(Cow::Borrowed).map_err(no_text);
    }
    // One byte of an old charset becomes three of UTF-8 at most.
    budget.take(body.len().saturating_mul(3))?;
    match encoding.decode_without_bom_handling(body) {
        (text, false) => Ok(text),
        (_, true) => Err(Why::unreadable(format!("its text is not {}, as it says", encoding.name()))),
    }
}

pub(super) fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}
