//! What is signed: the parts of a request, byte for byte as they came.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, header};
use percent_encoding::percent_decode;
use sha2::{Digest, Sha256};

use super::{Piece, Place, Refused, value::one};
use crate::{
    config::{Part, Parts},
    hook::RequestLine,
};

const FORM: &str = "application/x-www-form-urlencoded";
/// The member of the query that has the hash of a body that is no form (twilio.com/docs/usage/webhooks/webhooks-security).
const BODY_HASH: &str = "bodySHA256";
/// What HubSpot decodes in a URI before it signs it (developers.hubspot.com, "Validate requests", version 3).
const HUBSPOT: [(&str, char); 12] = [
    ("3A", ':'),
    ("2F", '/'),
    ("3F", '?'),
    ("40", '@'),
    ("21", '!'),
    ("24", '$'),
    ("27", '\''),
    ("28", '('),
    ("29", ')'),
    ("2A", '*'),
    ("2C", ','),
    ("3B", ';'),
];

/// A request whose signature is looked at.
#[derive(Clone, Copy)]
pub(super) struct Request<'r> {
    /// What the sender calls, before the path.
    pub(super) origin: &'r str,
    pub(super) line: &'r RequestLine,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: &'r [u8],
}

/// The signed text. `time` is the time of the signature as it stands in the request.
pub(super) fn of<'r>(
    parts: &'r Parts,
    time: Option<&'r str>,
    request: &Request<'r>,
) -> Result<Vec<Piece<'r>>, Refused> {
    let covers_body = parts.signed.iter().any(|part| matches!(part, Part::Body | Part::Form | Part::Crc32));
    if !covers_body && !request.body.is_empty() {
        return Err(Refused::Uncovered);
    }
    parts.signed.iter().map(|part| piece(parts, part, time, request)).collect()
}

fn piece<'r>(
    parts: &Parts,
    part: &'r Part,
    time: Option<&'r str>,
    request: &Request<'r>,
) -> Result<Piece<'r>, Refused> {
    let line = request.line;
    let url = || format!("{}{}", request.origin, line.target);
    let bytes: Cow<'r, [u8]> = match part {
        Part::Text(text) => text.as_bytes().into(),
        Part::Timestamp => time.unwrap_or_default().as_bytes().into(),
        Part::Body => request.body.into(),
        Part::Form => form(parts, request)?.into(),
        Part::Crc32 => crc32fast::hash(request.body).to_string().into_bytes().into(),
        Part::Method => line.method.as_str().as_bytes().into(),
        Part::Url => url().into_bytes().into(),
        Part::DecodedUrl => decoded(&url()).into_bytes().into(),
        Part::Path => line.path().as_bytes().into(),
        Part::Query => line.raw_query().as_bytes().into(),
        Part::Header(name) => one(request.headers, name)?.as_bytes().into(),
    };
    Ok(Piece { bytes, is_content: !matches!(part, Part::Text(_) | Part::Timestamp) })
}

/// The fields of a form, sorted, each value once, nothing between names and values.
fn form(parts: &Parts, request: &Request<'_>) -> Result<Vec<u8>, Refused> {
    if request.body.is_empty() {
        return Ok(Vec::new());
    }
    if !is(request.headers, FORM) {
        return of_no_form(parts, request).map(|()| Vec::new());
    }
    let mut fields = fields(request.body);
    fields.sort_unstable();
    fields.dedup();
    Ok(fields.into_iter().flat_map(|(name, value)| [name, value]).flatten().collect())
}

/// A body that is no form is signed by its hash in the query, which the URL has.
fn of_no_form(parts: &Parts, request: &Request<'_>) -> Result<(), Refused> {
    let signs_query = parts.signed.iter().any(|part| matches!(part, Part::Url | Part::DecodedUrl | Part::Query));
    let query = request.line.query();
    let hash = query.get(BODY_HASH).filter(|_| signs_query);
    let hash = hash.ok_or(Refused::Malformed(Place::Header(header::CONTENT_TYPE)))?.as_str();
    let hash = hash.and_then(|hash| const_hex::decode(hash).ok());
    let is_right = hash.is_some_and(|hash| hash == Sha256::digest(request.body).as_slice());
    if is_right { Ok(()) } else { Err(Refused::Wrong) }
}

/// The names and values of a form, decoded.
pub(super) fn fields(body: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let decoded = |text: &[u8]| {
        let blanks: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&blanks).collect::<Vec<u8>>()
    };
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let pair = |pair: &[u8]| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        (decoded(halves.next().unwrap_or_default()), decoded(halves.next().unwrap_or_default()))
    };
    pairs.map(pair).collect()
}

/// Whether a body is declared as of this type.
pub(super) fn is(headers: &HeaderMap, kind: &str) -> bool {
    let declared = declared(headers, &header::CONTENT_TYPE);
    declared.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(kind)
}

pub(super) fn declared<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn decoded(url: &str) -> String {
    let mut text = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, behind)) = rest.split_once('%') {
        text.push_str(before);
        let known = HUBSPOT.iter().find(|(code, _)| behind.get(..2).is_some_and(|it| it.eq_ignore_ascii_case(code)));
        match known {
            Some((_, character)) => text.push(*character),
            None => text.push('%'),
        }
        rest = if known.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    text.push_str(rest);
    text
}
