//! The content of files in a payload: base64 text, under the name that Odoo has for it; see `plan/attachment.rs`.
//!
//! Odoo skips the characters that are not allowed in base64 (14-19), and would store another file than was sent. So what
//! goes to Odoo is base64, or the call is refused.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Url;
use serde_json::{Value, json};

use crate::plan::{
    Error,
    attachment::{DATAS, DB_DATAS, RAW},
    schema_view::ModelView,
    wording::wrong,
};

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) enum Content {
    /// In base64.
    Given(String),
    /// To be fetched from this URL, before anything is written.
    At(Url),
}

/// A file that is to be fetched, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) struct Remote {
    pub(in crate::plan) url: Url,
    pub(in crate::plan) path: String,
}

impl Content {
    /// As it goes to Odoo. One that has not been fetched is only shown.
    pub(in crate::plan) fn to_value(&self) -> Value {
        match self {
            Self::Given(base64) => json!(base64),
            Self::At(url) => json!(format!("<content of {url}>")),
        }
    }
}

/// The URL in a value of a binary field: `{"url": "https://…"}`; `None` where the value is no object.
///
/// # Errors
/// The object holds something else, or no URL.
pub(super) fn remote(value: &Value, path: &str) -> Result<Option<Url>, Error> {
    let Value::Object(object) = value else { return Ok(None) };
    if let Some(other) = object.keys().find(|key| *key != "url") {
        let problem = "is not known: a file is given as {\"url\": \"https://…\"}".to_owned();
        return Err(Error::WrongKind { path: format!("{path}.{other}"), problem });
    }
    let path = format!("{path}.url");
    match object.get("url") {
        Some(value) => url(value, &path).map(Some),
        None => Err(Error::WrongKind { path, problem: "is missing".to_owned() }),
    }
}

/// An `http` or `https` URL.
///
/// # Errors
/// The value is none.
pub(super) fn url(value: &Value, path: &str) -> Result<Url, Error> {
    const DUE: &str = "a URL such as \"https://cdn.shop.example/a.png\"";
    let Value::String(text) = value else { return Err(wrong(path, DUE, value)) };
    let url = Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| Error::WrongKind { path: path.to_owned(), problem: format!("must be {DUE}") })
}

/// Converts a value of a binary field to what goes to Odoo: base64 without line ends, which Odoo 20 refuses. `raw` and
/// `db_datas` beside a `datas` are no base64, and go as they are.
///
/// # Errors
/// The value is no base64 and no `data:` URI.
pub(super) fn sent(view: ModelView<'_>, name: &str, value: &Value, path: &str) -> Result<Value, Error> {
    if matches!(name, RAW | DB_DATAS) && view.kind(DATAS).is_some() {
        return Ok(value.clone());
    }
    match value {
        Value::Null | Value::Bool(false) => Ok(Value::Bool(false)),
        Value::String(text) => Ok(json!(as_base64(text, path)?)),
        other => Err(wrong(path, "base64, a `data:` URI, {\"url\": …} or false", other)),
    }
}

/// A file's content as it goes to Odoo, from base64 or from a `data:` URI.
///
/// # Errors
/// It is neither.
pub(super) fn as_base64(text: &str, path: &str) -> Result<String, Error> {
    let refused = |problem: &str| Error::WrongKind { path: path.to_owned(), problem: problem.to_owned() };
    match data_uri(text) {
        None if is_base64(text) => Ok(without_line_ends(text)),
        None => Err(refused("is not base64 (RFC 4648, section 4, with padding)")),
        Some(None) => Err(refused("is not a `data:` URI (RFC 2397): the content has no comma before it")),
        Some(Some(DataUri { content, is_base64: false })) => Ok(BASE64_STANDARD.encode(decoded(content))),
        Some(Some(DataUri { content, is_base64: true })) => {
            let content = decoded(content);
            let base64 = std::str::from_utf8(&content).ok().filter(|text| is_base64(text));
            base64.map(without_line_ends).ok_or_else(|| refused("is a `data:` URI whose content is not base64"))
        }
    }
}

/// A `data:` URI (RFC 2397), taken apart.
struct DataUri<'t> {
    /// What stands behind the comma, still percent-encoded.
    content: &'t str,
    is_base64: bool,
}

/// Takes a `data:` URI apart: `None` where the text is none, `Some(None)` where it has no content.
fn data_uri(text: &str) -> Option<Option<DataUri<'_>>> {
    let rest = text.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:")).map(|_| &text[5..])?;
    let taken_apart = rest.split_once(',').map(|(head, content)| {
        let is_base64 = head.rsplit(';').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
        DataUri { content, is_base64: is_base64 && head.contains(';') }
    });
    Some(taken_apart)
}

fn decoded(content: &str) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode_str(content).into()
}

pub(super) fn given_twice(path: &str) -> Error {
    let problem = "has the file's content twice: in this Odoo, `datas` and `raw` are the same".to_owned();
    Error::WrongKind { path: path.to_owned(), problem }
}

/// Whether a text is base64 with padding (RFC 4648, section 4). Line ends within it are accepted, since mail programs
/// insert them.
pub(super) fn is_base64(text: &str) -> bool {
    let mut digits = 0_usize;
    let mut padding = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'\n' | b'\r' => {}
            b'=' => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            _ => return false,
        }
    }
    padding <= 2 && (digits + padding).is_multiple_of(4) && (digits > 0 || padding == 0)
}

/// Removes the line ends that mail programs insert, which Odoo 20 refuses.
pub(super) fn without_line_ends(base64: &str) -> String {
    base64.chars().filter(|digit| !matches!(digit, '\r' | '\n')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_uri_gives_its_content_as_base64() {
        for (uri, content) in [
            ("data:image/png;base64,iVBORw0KGgo=", "iVBORw0KGgo="),
            ("DATA:;BASE64,QQ%3D%3D", "QQ=="),
            ("data:text/plain;charset=utf-8;base64,QU\r\nE=", "QUE="),
            ("data:,Hello%2C%20World", "SGVsbG8sIFdvcmxk"),
            ("data:text/plain,%FF", "/w=="),
            ("data:base64,A", "QQ=="),
            ("data:,", ""),
        ] {
            assert_eq!(as_base64(uri, "payload.datas").unwrap(), content, "{uri}");
        }
        for (bad, part) in [
            ("data:image/png;base64,!!!", "`payload.datas` is a `data:` URI whose content is not base64"),
            ("data:image/png;base64", "no comma"),
            ("https://shop.example/a.png", "`payload.datas` is not base64"),
        ] {
            let refusal = as_base64(bad, "payload.datas").unwrap_err().to_string();
            assert!(refusal.contains(part), "{bad}: {refusal}");
        }
    }

    #[test]
    fn base64_is_told_from_what_is_none() {
        for good in ["", "SGVsbG8=", "SGVsbG8gV29ybGQ=", "AAAA", "QQ==", "AAAA\r\nAAAA\n"] {
            assert!(is_base64(good), "{good:?}");
        }
        for bad in ["!!!", "QQ=", "QQ", "Q===", "=", "====", "QQ==QQ==", "AA-_", "AAA A", "data:text/plain;base64,QQ=="]
        {
            assert!(!is_base64(bad), "{bad:?}");
        }
    }
}
