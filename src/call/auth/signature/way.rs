//! How each scheme signs: where the signature and its time are, and what is signed.
//!
//! Nothing is proven here; what a request claims is taken out of it, or is not of its form.

use base64::Engine;
use http::{HeaderMap, HeaderName};

use super::{
    Claim, Piece, Refused, in_body,
    text::{self, Request},
    value::{BASE64, decoded, instant, one},
};
use crate::config::{Form, Part, Parts, Scheme, Token};

/// More signatures than these are not looked at.
pub(super) const MOST_SIGNATURES: usize = 16;

/// How a scheme signs.
pub(super) enum Way {
    StandardWebhooks,
    Mailgun,
    Adyen,
    Parts(Parts),
    Token(Token),
}

impl Way {
    pub(super) fn of(scheme: &Scheme) -> Self {
        match scheme {
            Scheme::StandardWebhooks => Self::StandardWebhooks,
            Scheme::Mailgun => Self::Mailgun,
            Scheme::Adyen => Self::Adyen,
            Scheme::Parts(parts) => Self::Parts(parts.clone()),
            Scheme::Token(token) => Self::Token(token.clone()),
        }
    }

    /// Whether the signature is one of the URL, too.
    pub(super) fn signs_url(&self) -> bool {
        match self {
            Self::Parts(parts) => parts.signed.iter().any(|part| matches!(part, Part::Url | Part::DecodedUrl)),
            _ => false,
        }
    }

    /// What a request claims. Each claim must be right.
    pub(super) fn claims<'r>(&'r self, request: &Request<'r>) -> Result<Vec<Claim<'r>>, Refused> {
        match self {
            Self::StandardWebhooks => Ok(vec![standard_webhooks(request.headers, request.body)?]),
            Self::Mailgun => Ok(vec![in_body::mailgun(request.headers, request.body)?]),
            Self::Adyen => in_body::adyen(request.body),
            Self::Parts(parts) => Ok(vec![of_parts(parts, request)?]),
            Self::Token(_) => Ok(Vec::new()),
        }
    }
}

/// Standard Webhooks 1.0.0, "Signature scheme": `v1,` and base64, several behind blanks, over `ID.TIMESTAMP.BODY`. Svix, where
/// it comes from, has its own names for the headers.
fn standard_webhooks<'h>(headers: &'h HeaderMap, body: &'h [u8]) -> Result<Claim<'h>, Refused> {
    let has = |name: &str| headers.contains_key(name);
    let prefix = if !has("webhook-signature") && has("svix-signature") { "svix" } else { "webhook" };
    let name = |what: &str| HeaderName::try_from(format!("{prefix}-{what}")).map_err(|_| Refused::Wrong);
    let (id, timestamp, signature) = (name("id")?, name("timestamp")?, name("signature")?);
    let (id, time, signatures) = (one(headers, &id)?, one(headers, &timestamp)?, one(headers, &signature)?);
    let at = instant(time).ok_or_else(|| Refused::bad_header(&timestamp))?;
    let signatures = signatures.split_ascii_whitespace().filter_map(|text| text.strip_prefix("v1,"));
    let signatures = some(signatures.filter_map(|text| BASE64.decode(text).ok()), &signature)?;
    let piece = |bytes: &'h [u8], is_content| Piece { bytes: bytes.into(), is_content };
    let signed = vec![
        piece(id.as_bytes(), true),
        piece(b".", false),
        piece(time.as_bytes(), false),
        piece(b".", false),
        piece(body, true),
    ];
    Ok(Claim { signatures, time: Some(at), signed, id: Some(id.as_bytes().into()) })
}

fn of_parts<'r>(parts: &'r Parts, request: &Request<'r>) -> Result<Claim<'r>, Refused> {
    let headers = request.headers;
    let mut signatures = Vec::new();
    let mut time: Option<(&str, &HeaderName)> = None;
    let mut is_there = false;
    for name in parts.headers.iter().filter(|name| headers.contains_key(*name)) {
        is_there = true;
        let value = one(headers, name)?;
        let found = some(in_header(parts, value).filter_map(|text| decoded(parts.encoding, text)), name)?;
        signatures.extend(found);
        if let Form::Fields { timestamp: Some(field), .. } = &parts.form {
            let mut times = named(&parts.form, value, field);
            let (Some(found), None) = (times.next(), times.next()) else { return Err(Refused::bad_header(name)) };
            time = Some((found, name));
        }
    }
    if !is_there {
        return Err(parts.headers.first().map_or(Refused::Wrong, Refused::no_header));
    }
    if let Some(name) = &parts.timestamp_header {
        time = Some((one(headers, name)?, name));
    }
    let at = time.map(|(text, name)| instant(text).ok_or_else(|| Refused::bad_header(name))).transpose()?;
    signatures.truncate(MOST_SIGNATURES);
    let signed = text::of(parts, time.map(|(text, _)| text), request)?;
    Ok(Claim { signatures, time: at, signed, id: None })
}

/// The signatures within a header, encoded.
fn in_header<'h>(parts: &'h Parts, value: &'h str) -> Box<dyn Iterator<Item = &'h str> + 'h> {
    match &parts.form {
        Form::Plain { prefix, separator: None } => Box::new(value.strip_prefix(&**prefix).into_iter()),
        Form::Plain { prefix, separator: Some(separator) } => {
            Box::new(value.split(&**separator).filter_map(|text| text.trim().strip_prefix(&**prefix)))
        }
        Form::Fields { signature, prefix, .. } => {
            Box::new(named(&parts.form, value, signature).filter_map(|text| text.strip_prefix(&**prefix)))
        }
    }
}

/// The values of this name within a header. Names that nobody asks for are to be ignored (docs.stripe.com/webhooks).
fn named<'h>(form: &'h Form, value: &'h str, wanted: &'h str) -> Box<dyn Iterator<Item = &'h str> + 'h> {
    let Form::Fields { separator, equals, .. } = form else { return Box::new(std::iter::empty()) };
    let pairs = value.split(&**separator).filter_map(|pair| pair.trim().split_once(&**equals));
    let values = pairs.filter(move |(name, _)| name.trim() == wanted).map(|(_, value)| value.trim().trim_matches('"'));
    Box::new(values)
}

fn some(found: impl Iterator<Item = Vec<u8>>, name: &HeaderName) -> Result<Vec<Vec<u8>>, Refused> {
    let found: Vec<_> = found.take(MOST_SIGNATURES).collect();
    if found.is_empty() { Err(Refused::bad_header(name)) } else { Ok(found) }
}
