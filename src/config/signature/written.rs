//! The keys of `[client.signature]` as they stand in the file, and what is made of them.

use std::{path::PathBuf, time::Duration};

use http::HeaderName;
use jiff::fmt::serde::unsigned_duration::friendly::compact::optional as duration;
use serde::{Deserialize, Deserializer};

use super::{
    Algorithm, Encoding, Form, Padding, Parts, Proof, Scheme, SecretEncoding, Signature, Source, Token, presets, signed,
};

/// The tolerance that Standard Webhooks and Stripe recommend.
pub(super) const TOLERANCE: Duration = Duration::from_secs(300);
/// That of a sender whose attempts of eight hours may have the time of the first (documentation.mailgun.com, "Securing
/// Webhooks"); its random text keeps a delivery from being taken twice.
const MAILGUN_TOLERANCE: Duration = LONGEST_TOLERANCE;
const LONGEST_TOLERANCE: Duration = Duration::from_secs(86_400);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    scheme: String,
    secret_env: Option<String>,
    secret_file: Option<PathBuf>,
    old_secret_env: Option<String>,
    old_secret_file: Option<PathBuf>,
    public_key_file: Option<PathBuf>,
    old_public_key_file: Option<PathBuf>,
    #[serde(default, with = "duration")]
    tolerance: Option<Duration>,
    public_url: Option<String>,
    #[serde(default, deserialize_with = "headers")]
    header: Vec<HeaderName>,
    prefix: Option<String>,
    separator: Option<String>,
    equals: Option<String>,
    fields: Option<Fields>,
    encoding: Option<Encoding>,
    algorithm: Option<Algorithm>,
    secret_encoding: Option<SecretEncoding>,
    padding: Option<Padding>,
    #[serde(default, deserialize_with = "header")]
    timestamp_header: Option<HeaderName>,
    signed: Option<String>,
    query: Option<String>,
    path: Option<bool>,
    basic: Option<bool>,
}

/// The names of values within a header.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    signature: String,
    timestamp: Option<String>,
}

impl TryFrom<Written> for Signature {
    type Error = String;

    fn try_from(mut written: Written) -> Result<Self, String> {
        let name = written.scheme.clone();
        let scheme = match &*name {
            "hmac" | "public-key" | "token" => written.scheme()?,
            _ => {
                written.allow(&[], &format!("the scheme \"{name}\" knows its own parts"))?;
                match &*name {
                    "standard-webhooks" => Scheme::StandardWebhooks,
                    "mailgun" => Scheme::Mailgun,
                    "adyen" => Scheme::Adyen,
                    other => {
                        let mut keys: Written =
                            toml::from_str(presets::keys(other)?).map_err(|error| error.to_string())?;
                        keys.scheme()?
                    }
                }
            }
        };
        let has_public_key = matches!(&scheme, Scheme::Parts(Parts { proof: Proof::PublicKey { .. }, .. }));
        let usual = if matches!(scheme, Scheme::Mailgun) { MAILGUN_TOLERANCE } else { TOLERANCE };
        let tolerance = written.tolerance.unwrap_or(usual);
        if tolerance.is_zero() || tolerance > LONGEST_TOLERANCE {
            return Err("`tolerance` must be longer than nothing and not longer than a day".to_owned());
        }
        let secrets = if has_public_key { written.public_keys() } else { written.secrets() }?;
        Ok(Self { name, scheme, secrets, tolerance, public_url: public_url(written.public_url)? })
    }
}

impl Written {
    /// One of the general schemes.
    pub(super) fn scheme(&mut self) -> Result<Scheme, String> {
        match &*self.scheme {
            "token" => {
                self.allow(&["header", "prefix", "query", "path", "basic"], "a token has no signature")?;
                self.token().map(Scheme::Token)
            }
            "public-key" => {
                let kept = "`secret_encoding` belongs to \"hmac\", `query`, `path` and `basic` to \"token\"";
                self.allow(&[&PARTS[..], &["padding"]].concat(), kept)?;
                let (algorithm, padding) = (self.algorithm.unwrap_or_default(), self.padding.unwrap_or_default());
                self.parts(Proof::PublicKey { algorithm, padding }).map(Scheme::Parts)
            }
            _ => {
                let kept = "`padding` belongs to \"public-key\", `query`, `path` and `basic` to \"token\"";
                self.allow(&[&PARTS[..], &["secret_encoding"]].concat(), kept)?;
                let (algorithm, secret) =
                    (self.algorithm.unwrap_or_default(), self.secret_encoding.unwrap_or_default());
                self.parts(Proof::Hmac { algorithm, secret }).map(Scheme::Parts)
            }
        }
    }

    fn parts(&mut self, proof: Proof) -> Result<Parts, String> {
        if self.header.is_empty() {
            return Err(format!("the scheme \"{}\" needs `header`, the one with the signature", self.scheme));
        }
        let form = self.form()?;
        let is_timed = matches!(&form, Form::Fields { timestamp: Some(_), .. });
        if is_timed && self.timestamp_header.is_some() {
            return Err("the time is in one place: give `timestamp_header` or `fields.timestamp`".to_owned());
        }
        let has_time = is_timed || self.timestamp_header.is_some();
        Ok(Parts {
            proof,
            headers: std::mem::take(&mut self.header),
            form,
            encoding: self.encoding.unwrap_or_default(),
            signed: signed::read(self.signed.as_deref(), has_time)?,
            timestamp_header: self.timestamp_header.take(),
        })
    }

    fn form(&mut self) -> Result<Form, String> {
        let prefix = self.prefix.take().unwrap_or_default();
        let (separator, equals) = (self.separator.take(), self.equals.take());
        if [&separator, &equals].into_iter().flatten().any(String::is_empty) {
            return Err("`separator` and `equals` must not be empty".to_owned());
        }
        match self.fields.take() {
            Some(Fields { signature, timestamp }) => {
                if signature.is_empty() || timestamp.as_ref().is_some_and(|name| name.is_empty() || *name == signature)
                {
                    return Err("`fields` has two different names, neither of them empty: { timestamp = \"t\", \
                                signature = \"v1\" }"
                        .to_owned());
                }
                let (separator, equals) =
                    (separator.unwrap_or_else(|| ",".to_owned()), equals.unwrap_or_else(|| "=".to_owned()));
                Ok(Form::Fields { separator, equals, signature, timestamp, prefix })
            }
            None if equals.is_some() => {
                Err("`equals` stands between names and values: say which names there are in `fields`".to_owned())
            }
            None => Ok(Form::Plain { prefix, separator }),
        }
    }

    fn token(&mut self) -> Result<Token, String> {
        let needs = "the scheme \"token\" needs one of `header`, `query`, `path = true` and `basic = true`";
        let prefix = self.prefix.take();
        if prefix.is_some() && self.header.is_empty() {
            return Err("`prefix` stands before a token in a header: give `header`".to_owned());
        }
        let (in_path, is_basic) = (self.path == Some(true), self.basic == Some(true));
        match (&mut self.header[..], self.query.take(), in_path, is_basic) {
            ([name], None, false, false) => {
                Ok(Token::Header { name: name.clone(), prefix: prefix.unwrap_or_default() })
            }
            ([], Some(name), false, false) if !name.is_empty() => Ok(Token::Query(name)),
            ([], None, true, false) => Ok(Token::Path),
            ([], None, false, true) => Ok(Token::Basic),
            _ => Err(needs.to_owned()),
        }
    }

    fn secrets(&mut self) -> Result<Vec<Source>, String> {
        if self.public_key_file.is_some() || self.old_public_key_file.is_some() {
            return Err(format!("the scheme \"{}\" has a secret, not a `public_key_file`", self.scheme));
        }
        let secret = Source::one_of(self.secret_env.take(), self.secret_file.take(), "secret")?;
        let secret = secret.ok_or("a signature needs `secret_env` or `secret_file`")?;
        let old = Source::one_of(self.old_secret_env.take(), self.old_secret_file.take(), "old_secret")?;
        Ok([Some(secret), old].into_iter().flatten().collect())
    }

    fn public_keys(&mut self) -> Result<Vec<Source>, String> {
        let secrets = [&self.secret_env, &self.old_secret_env].into_iter().any(Option::is_some);
        if secrets || self.secret_file.is_some() || self.old_secret_file.is_some() {
            return Err(format!("the scheme \"{}\" has a `public_key_file`, no secret", self.scheme));
        }
        let key = Source::one_of(None, self.public_key_file.take(), "public_key")?;
        let key = key.ok_or_else(|| format!("the scheme \"{}\" needs `public_key_file`", self.scheme))?;
        let old = Source::one_of(None, self.old_public_key_file.take(), "old_public_key")?;
        Ok([Some(key), old].into_iter().flatten().collect())
    }

    /// Refuses the keys of other schemes.
    fn allow(&self, allowed: &[&str], why: &str) -> Result<(), String> {
        let given = [
            ("header", !self.header.is_empty()),
            ("prefix", self.prefix.is_some()),
            ("separator", self.separator.is_some()),
            ("equals", self.equals.is_some()),
            ("fields", self.fields.is_some()),
            ("encoding", self.encoding.is_some()),
            ("algorithm", self.algorithm.is_some()),
            ("timestamp_header", self.timestamp_header.is_some()),
            ("signed", self.signed.is_some()),
            ("secret_encoding", self.secret_encoding.is_some()),
            ("padding", self.padding.is_some()),
            ("query", self.query.is_some()),
            ("path", self.path.is_some()),
            ("basic", self.basic.is_some()),
        ];
        match given.iter().find(|(name, is_given)| *is_given && !allowed.contains(name)) {
            Some((name, _)) => Err(format!("`{name}` is no key of the scheme \"{}\": {why}", self.scheme)),
            None => Ok(()),
        }
    }
}

/// The keys of schemes that are put together from parts.
const PARTS: [&str; 9] =
    ["header", "prefix", "separator", "equals", "fields", "encoding", "algorithm", "timestamp_header", "signed"];

/// Scheme, host and, where a proxy takes it away, the beginning of the path.
fn public_url(text: Option<String>) -> Result<Option<String>, String> {
    let Some(text) = text else { return Ok(None) };
    let is_url = reqwest::Url::parse(&text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none()
    });
    match is_url {
        true => Ok(Some(text.trim_end_matches('/').to_owned())),
        false => Err(format!(
            "`public_url` must be what the sender calls, without the path of the hook: \"https://hooks.example.com\", not \"{text}\""
        )),
    }
}

fn header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeaderName>, D::Error> {
    name(&String::deserialize(deserializer)?).map(Some)
}

/// One, or a list.
fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HeaderName>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "`header` is a name, or a list of names")]
    enum Names {
        One(String),
        Several(Vec<String>),
    }
    match Names::deserialize(deserializer)? {
        Names::One(text) => Ok(vec![name(&text)?]),
        Names::Several(texts) => texts.iter().map(|text| name(text)).collect(),
    }
}

fn name<E: serde::de::Error>(text: &str) -> Result<HeaderName, E> {
    text.parse().map_err(|_| E::custom(format!("`{text}` is no name of a header")))
}
