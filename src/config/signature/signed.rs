//! `signed`: the text that a sender signs, as its parts.

use http::HeaderName;

/// A part of the signed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// As it stands in the request, not as a number.
    Timestamp,
    Body,
    /// Names and values of a form, sorted, nothing between them.
    Form,
    /// The CRC-32 of the body, in decimal digits.
    Crc32,
    Method,
    /// Scheme, host, path and query.
    Url,
    /// The same, with the percent-encodings decoded that HubSpot decodes.
    DecodedUrl,
    Path,
    /// Without its question mark.
    Query,
    Header(HeaderName),
}

const KNOWN: &str =
    "{body}, {form}, {crc32}, {timestamp}, {method}, {url}, {url:decoded}, {path}, {query} and {header:NAME}";

/// Reads the parts of the signed text.
///
/// # Errors
/// A part is not known, or the text leaves out what must be signed: a time that is not signed could be changed by anyone who
/// sends an old request again, and so could a body.
pub(super) fn read(text: Option<&str>, has_time: bool) -> Result<Vec<Part>, String> {
    let text = text.unwrap_or(if has_time { "{timestamp}.{body}" } else { "{body}" });
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, after) =
            behind.split_once('}').ok_or_else(|| format!("`signed` has a {{ without }}: \"{text}\""))?;
        let part = part(name).ok_or_else(|| format!("`signed` has {{{name}}}, but knows {KNOWN} only"))?;
        parts.extend([Part::Text(before.to_owned()), part]);
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    parts.retain(|part| *part != Part::Text(String::new()));
    let times = parts.iter().filter(|part| **part == Part::Timestamp).count();
    match (has_time, times) {
        (true, 1) | (false, 0) => {}
        (true, _) => {
            return Err(format!(
                "`signed` must have {{timestamp}} once, since `timestamp_header` or `fields.timestamp` is given: \"{text}\""
            ));
        }
        (false, _) => {
            return Err("`signed` has {timestamp}, so say where the time is: `timestamp_header` or `fields.timestamp`"
                .to_owned());
        }
    }
    let covers = |part: &Part| {
        matches!(part, Part::Body | Part::Form | Part::Crc32 | Part::Url | Part::DecodedUrl | Part::Query)
    };
    if !parts.iter().any(covers) {
        return Err(format!(
            "`signed` must have {{body}}, {{form}} or {{crc32}}; {{url}} or {{query}} will do for requests without a body: \"{text}\""
        ));
    }
    Ok(parts)
}

fn part(name: &str) -> Option<Part> {
    Some(match name {
        "body" => Part::Body,
        "form" => Part::Form,
        "crc32" => Part::Crc32,
        "timestamp" => Part::Timestamp,
        "method" => Part::Method,
        "url" => Part::Url,
        "url:decoded" => Part::DecodedUrl,
        "path" => Part::Path,
        "query" => Part::Query,
        other => Part::Header(other.strip_prefix("header:")?.parse().ok()?),
    })
}
