//! Values within headers and bodies: one header, times, and bytes in text.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

use super::Refused;
use crate::config::Encoding;

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, ANY_PADDING);
pub(super) const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, ANY_PADDING);
pub(super) const LONGEST_HEADER: usize = 4 << 10;
/// A time with as many digits is in milliseconds: the seconds of the year 33658 have no fewer.
const MILLISECONDS: usize = 13;

/// A header's value; that of one that stands twice is anybody's guess.
pub(super) fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, Refused> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| Refused::no_header(name))?;
    let text = value.to_str().ok().map(str::trim).filter(|text| !text.is_empty() && text.len() <= LONGEST_HEADER);
    text.filter(|_| values.next().is_none()).ok_or_else(|| Refused::bad_header(name))
}

/// A time, in seconds since 1970: as seconds, as milliseconds, or in ISO 8601.
pub(super) fn instant(text: &str) -> Option<i64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<Timestamp>().ok().map(Timestamp::as_second);
    }
    let number: i64 = text.parse().ok()?;
    Some(if text.len() == MILLISECONDS { number / 1000 } else { number })
}

pub(super) fn decoded(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    let bytes = match encoding {
        Encoding::Hex => hexadecimal(text),
        Encoding::Base64 => BASE64.decode(text).ok(),
        Encoding::Base64Url => BASE64_URL.decode(text).ok(),
    };
    bytes.filter(|bytes| !bytes.is_empty())
}

pub(super) fn encoded(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Hex => const_hex::encode(bytes),
        Encoding::Base64 => BASE64.encode(bytes),
        Encoding::Base64Url => BASE64_URL.encode(bytes),
    }
}

pub(super) fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    // The library takes `0x` before the digits, too, which no sender means.
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_plain.then(|| const_hex::decode(text).ok()).flatten()
}
