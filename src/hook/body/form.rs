//! A form as browsers send it, `application/x-www-form-urlencoded`: an object of texts. `a[b]` stays a name as it is.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use super::{
    add,
    bounds::{Budget, Why},
    kind::ContentType,
};

/// Reads the pairs of a form. As in the URL Standard, a pair that is badly encoded is taken as it stands.
pub(super) fn read(
    body: &[u8],
    content_type: &ContentType,
    budget: &mut Budget<'_>,
) -> Result<Map<String, Value>, Why> {
    let charset = content_type.parameter("charset").and_then(|label| Encoding::for_label(label.as_bytes()));
    let encoding = charset.unwrap_or(UTF_8);
    let mut members = Map::new();
    for pair in body.trim_ascii().split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = memchr::memchr(b'=', pair);
        let (name, value) = at.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        budget.value(pair.len())?;
        add(&mut members, &decoded(name, encoding), Value::from(decoded(value, encoding)));
    }
    Ok(members)
}

fn decoded(part: &[u8], encoding: &'static Encoding) -> String {
    let spaced: Cow<'_, [u8]> = match memchr::memchr(b'+', part) {
        None => part.into(),
        Some(_) => part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect::<Vec<_>>().into(),
    };
    let bytes: Cow<'_, [u8]> = percent_decode(&spaced).into();
    encoding.decode_without_bom_handling(&bytes).0.into_owned()
}
