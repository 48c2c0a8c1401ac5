//! Schemes whose signature is within the body.
//!
//! Nobody has signed such a body as a whole, and the documentation must say so: of Mailgun, nothing but the time and a random text
//! is signed; of Adyen, eight values of each item.

use std::borrow::Cow;

use base64::Engine;
use http::{HeaderMap, header};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Claim, Piece, Place, Refused,
    text::{self, declared, is},
    value::{BASE64, LONGEST_HEADER, hexadecimal, instant},
};

const ITEMS: Place = Place::Body("notificationItems");
const HMAC: Place = Place::Body("NotificationRequestItem.additionalData.hmacSignature");
const TIMESTAMP: &str = "timestamp";
const TOKEN: &str = "token";
const SIGNATURE: &str = "signature";

/// The values of Mailgun's signature.
#[derive(Deserialize)]
struct OfMailgun<'b> {
    #[serde(borrow)]
    timestamp: &'b RawValue,
    #[serde(borrow)]
    token: Cow<'b, str>,
    #[serde(borrow)]
    signature: Cow<'b, str>,
}

#[derive(Deserialize)]
struct Event<'b> {
    #[serde(borrow)]
    signature: OfMailgun<'b>,
}

/// documentation.mailgun.com, "Securing Webhooks": hexadecimal HMAC of the timestamp and a random token, which is never used
/// twice. Events are JSON with a member `signature`; inbound mail is a form with these fields.
pub(super) fn mailgun<'r>(headers: &'r HeaderMap, body: &'r [u8]) -> Result<Claim<'r>, Refused> {
    let boundary = boundary(headers);
    let (time, token, signature) = if boundary.is_some() || is(headers, "application/x-www-form-urlencoded") {
        let field = |name: &'static str, place| match boundary {
            Some(boundary) => only(in_multipart(body, boundary, name).into_iter().map(<[u8]>::to_vec), place),
            None => {
                let fields = text::fields(body).into_iter().filter(|(field, _)| field == name.as_bytes());
                only(fields.map(|(_, value)| value), place)
            }
        };
        (
            field(TIMESTAMP, Place::Body(TIMESTAMP))?,
            field(TOKEN, Place::Body(TOKEN))?,
            field(SIGNATURE, Place::Body(SIGNATURE))?,
        )
    } else {
        let event: Event<'_> = serde_json::from_slice(body).map_err(|_| Refused::Malformed(Place::Body(SIGNATURE)))?;
        let OfMailgun { timestamp, token, signature } = event.signature;
        (bare(timestamp).to_owned(), token.into_owned(), signature.into_owned())
    };
    let malformed = |place| Refused::Malformed(Place::Body(place));
    let signatures = vec![hexadecimal(&signature).ok_or_else(|| malformed("signature.signature"))?];
    let at = instant(&time).ok_or_else(|| malformed("signature.timestamp"))?;
    if token.is_empty() || token.len() > LONGEST_HEADER {
        return Err(malformed("signature.token"));
    }
    let piece = |text: &str| Piece { bytes: text.as_bytes().to_vec().into(), is_content: false };
    let signed = vec![piece(&time), piece(&token)];
    Ok(Claim { signatures, time: Some(at), signed, id: Some(token.into_bytes().into()) })
}

/// The one value of a field.
fn only(mut values: impl Iterator<Item = Vec<u8>>, place: Place) -> Result<String, Refused> {
    let Some(value) = values.next() else { return Err(Refused::Missing(place)) };
    let text = String::from_utf8(value).ok().filter(|text| text.len() <= LONGEST_HEADER);
    text.filter(|_| values.next().is_none()).ok_or(Refused::Malformed(place))
}

fn boundary(headers: &HeaderMap) -> Option<&str> {
    let parameters = declared(headers, &header::CONTENT_TYPE).split(';').skip(1);
    let is_multipart = is(headers, "multipart/form-data");
    let named = parameters.filter_map(|parameter| parameter.trim().split_once('='));
    let mut boundaries = named.filter(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    boundaries.next().map(|(_, boundary)| boundary.trim_matches('"')).filter(|text| is_multipart && !text.is_empty())
}

/// The values of a field (RFC 7578, section 4.2). Files may have anything in them, so that only the heads of parts are read.
fn in_multipart<'b>(body: &'b [u8], boundary: &str, name: &str) -> Vec<&'b [u8]> {
    let delimiter = format!("\r\n--{boundary}");
    let first = &delimiter.as_bytes()[2..];
    let Some(mut rest) = body.strip_prefix(first) else { return Vec::new() };
    let wanted = format!("name=\"{name}\"");
    let mut values = Vec::new();
    let finder = memmem::Finder::new(&delimiter);
    while let Some(end) = finder.find(rest) {
        let part = &rest[..end];
        if let Some(blank) = memmem::find(part, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&part[..blank]);
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            let disposition = lines.find(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"));
            let mut parameters = disposition.into_iter().flat_map(|(_, value)| value.split(';'));
            if parameters.any(|parameter| parameter.trim() == wanted) {
                values.push(&part[blank + 4..]);
            }
        }
        rest = &rest[end + delimiter.len()..];
    }
    values
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification<'b> {
    #[serde(borrow)]
    notification_items: Vec<Item<'b>>,
}

#[derive(Deserialize)]
struct Item<'b> {
    #[serde(borrow, rename = "NotificationRequestItem")]
    request: RequestItem<'b>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestItem<'b> {
    #[serde(borrow, default)]
    psp_reference: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    original_reference: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    merchant_account_code: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    merchant_reference: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    amount: Amount<'b>,
    #[serde(borrow, default)]
    event_code: Option<Cow<'b, str>>,
    /// `"true"`, or `true`.
    #[serde(borrow, default)]
    success: Option<&'b RawValue>,
    #[serde(borrow, default)]
    additional_data: AdditionalData<'b>,
}

#[derive(Default, Deserialize)]
struct Amount<'b> {
    #[serde(borrow, default)]
    value: Option<&'b RawValue>,
    #[serde(borrow, default)]
    currency: Option<Cow<'b, str>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdditionalData<'b> {
    #[serde(borrow, default)]
    hmac_signature: Option<Cow<'b, str>>,
}

/// docs.adyen.com, "Verify HMAC signatures", standard webhooks: base64 HMAC over eight values of each item, joined by colons.
/// Adyen's own libraries (adyen-node-api-library, src/utils/hmacValidator.ts) join them as they are, without escapes.
pub(super) fn adyen(body: &[u8]) -> Result<Vec<Claim<'_>>, Refused> {
    let notification: Notification<'_> = serde_json::from_slice(body).map_err(|_| Refused::Malformed(ITEMS))?;
    if notification.notification_items.is_empty() {
        return Err(Refused::Missing(ITEMS));
    }
    notification.notification_items.into_iter().map(|item| of_item(item.request)).collect()
}

fn of_item(item: RequestItem<'_>) -> Result<Claim<'_>, Refused> {
    let signature = item.additional_data.hmac_signature.ok_or(Refused::Missing(HMAC))?;
    let signature = BASE64.decode(&*signature).ok().filter(|bytes| !bytes.is_empty());
    let raw = |value: Option<&RawValue>| value.map(|value| bare(value).to_owned().into());
    let values: [Option<Cow<'_, str>>; 8] = [
        item.psp_reference,
        item.original_reference,
        item.merchant_account_code,
        item.merchant_reference,
        raw(item.amount.value),
        item.amount.currency,
        item.event_code,
        raw(item.success),
    ];
    let joined = values.map(Option::unwrap_or_default).join(":");
    let signed = vec![Piece { bytes: joined.into_bytes().into(), is_content: true }];
    Ok(Claim { signatures: vec![signature.ok_or(Refused::Malformed(HMAC))?], time: None, signed, id: None })
}

/// A number, or a text without its quotation marks.
fn bare(value: &RawValue) -> &str {
    let text = value.get();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if text == "null" { "" } else { text }
}
