//! `[client.signature]`: how a client that sends no key proves that its requests are its own.
//!
//! What is here is checked: a scheme that would prove nothing cannot be said. `written` reads the keys, `signed` the text that is
//! signed, `presets` has the schemes that senders are known for.

mod presets;
mod signed;
#[cfg(test)]
mod tests;
mod written;

use std::time::Duration;

use http::HeaderName;
use serde::Deserialize;

pub use self::signed::Part;
use self::written::Written;
use super::source::Source;

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub struct Signature {
    /// The scheme as the file names it.
    pub name: String,
    pub scheme: Scheme,
    /// The secret, and the previous one while it is being replaced; or the files of public keys.
    pub secrets: Vec<Source>,
    /// How far the time of a signature may be from now, and how long a signature without a time is remembered.
    pub tolerance: Duration,
    /// What the sender calls the gateway, before the path: for signatures over the URL.
    pub public_url: Option<String>,
}

/// The scheme of signing.
#[derive(Debug, Clone)]
pub enum Scheme {
    StandardWebhooks,
    /// The signature is in the body, over a time and a random text there.
    Mailgun,
    /// Each item of the body has a signature of its own.
    Adyen,
    Parts(Parts),
    /// A secret that is sent along as it is. It proves who sends, not what.
    Token(Token),
}

/// A scheme that is put together from its parts.
#[derive(Debug, Clone)]
pub struct Parts {
    pub proof: Proof,
    /// The headers with signatures; one must be there.
    pub headers: Vec<HeaderName>,
    pub form: Form,
    pub encoding: Encoding,
    /// The header with the time of the signature.
    pub timestamp_header: Option<HeaderName>,
    /// The signed text.
    pub signed: Vec<Part>,
}

/// What proves that a signed text is the sender's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    Hmac { algorithm: Algorithm, secret: SecretEncoding },
    PublicKey { algorithm: Algorithm, padding: Padding },
}

/// What a header with a signature looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A signature behind `prefix`; several between separators, where there is one.
    Plain { prefix: String, separator: Option<String> },
    /// Names and values: `t=…,v1=…`. A name may stand several times.
    Fields { separator: String, equals: String, signature: String, timestamp: Option<String>, prefix: String },
}

/// Where a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Header {
        name: HeaderName,
        prefix: String,
    },
    /// A member of the query.
    Query(String),
    /// The last segment of the path of a hook.
    Path,
    /// User and password of HTTP's Basic authentication, as in `https://USER:PASSWORD@…`.
    Basic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// For senders that support nothing better.
    Sha1,
    #[default]
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    #[default]
    Hex,
    Base64,
    Base64Url,
}

/// What the text of a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretEncoding {
    #[default]
    Text,
    Hex,
    Base64,
}

/// How an RSA signature is padded (RFC 8017, section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    #[default]
    Pkcs1,
    Pss,
}

impl Parts {
    /// Whether signatures have a time.
    pub fn has_time(&self) -> bool {
        self.timestamp_header.is_some() || matches!(&self.form, Form::Fields { timestamp: Some(_), .. })
    }
}

impl Signature {
    /// Whether the secret is a segment of the path.
    pub fn is_in_path(&self) -> bool {
        matches!(self.scheme, Scheme::Token(Token::Path))
    }
}
