//! Of which form a body is: as its hook says, or as its content type does.

use http::HeaderValue;

use super::BodyForm;

/// The form of one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Form,
    Multipart,
    Xml,
    /// CSV and its like.
    Delimited,
    /// A JSON value on each line.
    Lines,
    Text,
}

/// A content type, or none.
#[derive(Debug, Clone, Default)]
pub(in crate::hook) struct ContentType {
    written: String,
    essence: String,
}

impl ContentType {
    pub(in crate::hook) fn of(header: Option<&HeaderValue>) -> Self {
        let written = header.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let essence = written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Self { written, essence }
    }

    /// Type and subtype in small letters, without parameters; empty where there is none.
    pub(super) fn essence(&self) -> &str {
        &self.essence
    }

    pub(super) fn as_str(&self) -> &str {
        &self.written
    }

    /// A parameter, such as `charset`, without its quotation marks.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        self.written.split(';').skip(1).find_map(|parameter| {
            let (own, value) = parameter.split_once('=')?;
            own.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
        })
    }
}

impl Kind {
    pub(super) fn of(form: BodyForm, content_type: &ContentType, body: &[u8]) -> Self {
        match form {
            BodyForm::Auto => Self::of_content_type(content_type.essence(), body),
            BodyForm::Json => Self::Json,
            BodyForm::Form => Self::Form,
            BodyForm::Multipart => Self::Multipart,
            BodyForm::Xml => Self::Xml,
            BodyForm::Csv => Self::Delimited,
            BodyForm::Ndjson => Self::Lines,
            BodyForm::Text => Self::Text,
        }
    }

    fn of_content_type(essence: &str, body: &[u8]) -> Self {
        match essence {
            // curl calls all that it sends so. Brackets are encoded in a form.
            "application/x-www-form-urlencoded" if begins_as_json(body) => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            "multipart/form-data" => Self::Multipart,
            "application/xml" | "text/xml" => Self::Xml,
            "text/csv" | "application/csv" | "text/tab-separated-values" => Self::Delimited,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/json-lines"
            | "application/json-seq" => Self::Lines,
            xml if xml.ends_with("+xml") => Self::Xml,
            edi if edi.starts_with("application/edi") => Self::Text,
            // AWS sends JSON so (SNS), and Meta a plain word.
            text if text.starts_with("text/") && !begins_as_json(body) => Self::Text,
            _ => Self::Json,
        }
    }
}

fn begins_as_json(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}
