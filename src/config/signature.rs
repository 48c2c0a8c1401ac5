//! `[client.signature]`: how a client that sends no key signs its requests.

use std::{path::PathBuf, time::Duration};

use http::HeaderName;
use jiff::fmt::serde::unsigned_duration::friendly::compact::optional as duration;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::source::Source;

/// The tolerance that Standard Webhooks and Stripe recommend.
const TOLERANCE: Duration = Duration::from_secs(300);
const LONGEST_TOLERANCE: Duration = Duration::from_secs(86_400);
const TIMESTAMP: &str = "{timestamp}";
const BODY: &str = "{body}";

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub struct Signature {
    pub scheme: Scheme,
    /// The secret, and the previous one while it is being replaced.
    pub secrets: Vec<Source>,
    /// How far the time of a signature may be from now, and how long a signature without a time is remembered.
    pub tolerance: Duration,
}

/// The scheme of signing.
#[derive(Debug, Clone)]
pub enum Scheme {
    StandardWebhooks,
    Shopify,
    Github,
    Stripe,
    Hmac(Hmac),
}

/// A scheme that is put together from its parts.
#[derive(Debug, Clone)]
pub struct Hmac {
    pub header: HeaderName,
    pub algorithm: Algorithm,
    pub encoding: Encoding,
    /// The text before the signature in its header.
    pub prefix: String,
    /// The header with the time of the signature, in seconds since 1970.
    pub timestamp_header: Option<HeaderName>,
    /// The signed text: texts around the timestamp and the body.
    pub signed: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(String),
    Timestamp,
    Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// For senders that support nothing better.
    Sha1,
    #[default]
    Sha256,
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    #[default]
    Hex,
    Base64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Named {
    StandardWebhooks,
    Shopify,
    Github,
    Stripe,
    Hmac,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    scheme: Named,
    secret_env: Option<String>,
    secret_file: Option<PathBuf>,
    old_secret_env: Option<String>,
    old_secret_file: Option<PathBuf>,
    #[serde(default, with = "duration")]
    tolerance: Option<Duration>,
    #[serde(default, deserialize_with = "header")]
    header: Option<HeaderName>,
    algorithm: Option<Algorithm>,
    encoding: Option<Encoding>,
    prefix: Option<String>,
    #[serde(default, deserialize_with = "header")]
    timestamp_header: Option<HeaderName>,
    signed: Option<String>,
}

impl TryFrom<Written> for Signature {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let secret = Source::one_of(written.secret_env, written.secret_file, "secret")?;
        let secret = secret.ok_or("a signature needs `secret_env` or `secret_file`")?;
        let old = Source::one_of(written.old_secret_env, written.old_secret_file, "old_secret")?;
        let tolerance = written.tolerance.unwrap_or(TOLERANCE);
        if tolerance.is_zero() || tolerance > LONGEST_TOLERANCE {
            return Err("`tolerance` must be longer than nothing and not longer than a day".to_owned());
        }
        let scheme = match written.scheme {
            Named::Hmac => Scheme::Hmac(Hmac {
                header: written.header.ok_or("the scheme \"hmac\" needs `header`, the one with the signature")?,
                algorithm: written.algorithm.unwrap_or_default(),
                encoding: written.encoding.unwrap_or_default(),
                prefix: written.prefix.unwrap_or_default(),
                signed: signed(written.signed.as_deref(), written.timestamp_header.is_some())?,
                timestamp_header: written.timestamp_header,
            }),
            _ if written.header.is_some()
                || written.algorithm.is_some()
                || written.encoding.is_some()
                || written.prefix.is_some()
                || written.timestamp_header.is_some()
                || written.signed.is_some() =>
            {
                return Err(
                    "`header`, `algorithm`, `encoding`, `prefix`, `timestamp_header` and `signed` belong to the \
                            scheme \"hmac\"; the others know their own"
                        .to_owned(),
                );
            }
            Named::StandardWebhooks => Scheme::StandardWebhooks,
            Named::Shopify => Scheme::Shopify,
            Named::Github => Scheme::Github,
            Named::Stripe => Scheme::Stripe,
        };
        Ok(Self { scheme, secrets: [Some(secret), old].into_iter().flatten().collect(), tolerance })
    }
}

/// Reads the parts of the signed text. A time that is not signed could be changed by anyone who sends an old request
/// again.
fn signed(text: Option<&str>, has_time: bool) -> Result<Vec<Part>, String> {
    let text = text.unwrap_or(if has_time { "{timestamp}.{body}" } else { BODY });
    let count = |part| text.matches(part).count();
    if count(BODY) != 1 || count(TIMESTAMP) != usize::from(has_time) {
        return Err(format!(
            "`signed` has {BODY} once, and {TIMESTAMP} once where there is a `timestamp_header`, else not: \"{text}\""
        ));
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (part, length) = match &rest[at..] {
            found if found.starts_with(BODY) => (Part::Body, BODY.len()),
            found if found.starts_with(TIMESTAMP) => (Part::Timestamp, TIMESTAMP.len()),
            _ => return Err(format!("`signed` knows {TIMESTAMP} and {BODY} only: \"{text}\"")),
        };
        parts.extend([Part::Text(rest[..at].to_owned()), part]);
        rest = &rest[at + length..];
    }
    parts.push(Part::Text(rest.to_owned()));
    parts.retain(|part| *part != Part::Text(String::new()));
    Ok(parts)
}

fn header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeaderName>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let name = text.parse().map_err(|_| D::Error::custom(format!("`{text}` is no name of a header")))?;
    Ok(Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Signature, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_scheme_knows_its_own_parts_and_hmac_is_told_them() {
        let stripe = read("scheme = \"stripe\"\nsecret_env = \"A\"\nold_secret_file = \"b\"").unwrap();
        assert!(matches!(stripe.scheme, Scheme::Stripe));
        assert_eq!((stripe.secrets.len(), stripe.tolerance), (2, TOLERANCE));
        let slack = "scheme = \"hmac\"\nsecret_env = \"A\"\nheader = \"X-Slack-Signature\"\nprefix = \"v0=\"\n\
                     timestamp_header = \"X-Slack-Request-Timestamp\"\nsigned = \"v0:{timestamp}:{body}\"";
        let text = |text: &str| Part::Text(text.to_owned());
        let parts = [text("v0:"), Part::Timestamp, text(":"), Part::Body];
        let slack = read(slack).unwrap().scheme;
        assert!(matches!(slack, Scheme::Hmac(hmac) if hmac.signed == parts && hmac.algorithm == Algorithm::Sha256));
    }

    #[test]
    fn what_would_prove_nothing_is_refused() {
        for (text, why) in [
            ("scheme = \"github\"", "needs `secret_env` or `secret_file`"),
            ("scheme = \"github\"\nsecret_env = \"A\"\nsecret_file = \"b\"", "one of `secret_env` and `secret_file`"),
            ("scheme = \"github\"\nsecret_env = \"A\"\nheader = \"X\"", "belong to the scheme \"hmac\""),
            ("scheme = \"hmac\"\nsecret_env = \"A\"", "needs `header`"),
            (
                "scheme = \"hmac\"\nsecret_env = \"A\"\nheader = \"X\"\ntimestamp_header = \"T\"\nsigned = \"{body}\"",
                "{timestamp} once",
            ),
            ("scheme = \"hmac\"\nsecret_env = \"A\"\nheader = \"X\"\nsigned = \"{body}{id}\"", "only"),
            ("scheme = \"md5\"\nsecret_env = \"A\"", "unknown variant `md5`"),
            ("scheme = \"stripe\"\nsecret_env = \"A\"\ntolerance = \"0s\"", "longer than nothing"),
        ] {
            let refusal = read(text).unwrap_err();
            assert!(refusal.contains(why), "{text}: {refusal}");
        }
    }
}
