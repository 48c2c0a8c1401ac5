//! `hmac` and `digest`, for senders that want proof of a secret in an answer, or sign what is within the body.
//!
//! What must stay true: no error has the key in it.

use aws_lc_rs::{digest, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};
use jaq_core::ValR;
use jaq_json::{Error, Val};
use jaq_std::ValT;

use super::numbers::text_of;

/// The HMAC of a text.
pub(super) fn hmac(algorithm: &Val, key: &Val, text: &Val, encoding: &Val) -> ValR<Val> {
    let algorithm = match text_of(algorithm) {
        Some("sha1") => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Some("sha256") => hmac::HMAC_SHA256,
        Some("sha512") => hmac::HMAC_SHA512,
        _ => return Err(unknown_algorithm(algorithm)),
    };
    let Some(key) = key.as_bytes() else { return Err(Error::str("the key of `hmac` is not a text")) };
    encoded(hmac::sign(&hmac::Key::new(algorithm, key), bytes(text)?).as_ref(), encoding)
}

/// The digest of a text.
pub(super) fn digest(algorithm: &Val, text: &Val, encoding: &Val) -> ValR<Val> {
    let algorithm = match text_of(algorithm) {
        Some("sha1") => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Some("sha256") => &digest::SHA256,
        Some("sha512") => &digest::SHA512,
        _ => return Err(unknown_algorithm(algorithm)),
    };
    encoded(digest::digest(algorithm, bytes(text)?).as_ref(), encoding)
}

/// What is not said stays what is common.
pub(super) fn hex() -> Val {
    Val::from("hex".to_owned())
}

fn bytes(text: &Val) -> Result<&[u8], Error> {
    text.as_bytes().ok_or_else(|| Error::typ(text.clone(), "string"))
}

fn encoded(bytes: &[u8], encoding: &Val) -> ValR<Val> {
    match text_of(encoding) {
        Some("hex") => Ok(Val::from(const_hex::encode(bytes))),
        Some("base64") => Ok(Val::from(STANDARD.encode(bytes))),
        _ => Err(Error::str(format_args!("there is no encoding {encoding}; there are \"hex\" and \"base64\""))),
    }
}

fn unknown_algorithm(algorithm: &Val) -> Error {
    Error::str(format_args!("there is no algorithm {algorithm}; there are \"sha1\", \"sha256\" and \"sha512\""))
}
