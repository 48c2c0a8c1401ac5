//! `[delivery]` and `[cluster]`: the store of keys and queued calls; and what a client or hook says of its own calls.

use std::{
    fmt,
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use reqwest::Url;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{duration, faults::Faults, log::span, source::Source};

/// The longest that something is kept.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// `[delivery]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The folder of the store; beside the log where none is given.
    #[serde(default)]
    pub directory: PathBuf,
    /// How long a key and its outcome are known, and how long a parked call waits for a person.
    #[serde(deserialize_with = "span")]
    pub keep: Duration,
    /// How long a queued call is tried.
    #[serde(deserialize_with = "span")]
    pub max_age: Duration,
    /// After this time, a gateway that no longer answers has lost the calls that it was making.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// The longest that Odoo works on one request: until then, a record that is not found may still appear.
    #[serde(with = "duration")]
    pub longest_request: Duration,
    pub marker: Marker,
    /// How many queued calls are delivered at the same time.
    pub workers: NonZeroU32,
    /// How many queued calls are begun in a second.
    pub rate: NonZeroU32,
    /// How many calls may be queued in all.
    pub queue: NonZeroU64,
    pub queue_per_client: NonZeroU64,
    /// The networks besides public ones in which a `callback_url` may be.
    pub allow_private: Vec<IpNet>,
}

/// What a new record of a call with a key is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Marker {
    /// The values that were written.
    None,
    /// An external id of its own, `__gateway__.call_<id>`.
    ExternalId,
}

/// `[cluster]`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The PostgreSQL that several gateways share; it may hold a password.
    #[serde(default, deserialize_with = "secret")]
    pub url: Option<SecretString>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.url.is_some() { "Cluster(***)" } else { "Cluster(none)" })
    }
}

impl Cluster {
    /// Whether both name the same database.
    pub fn is_same(&self, other: &Self) -> bool {
        use secrecy::ExposeSecret;
        let text = |cluster: &Self| cluster.url.as_ref().map(|url| url.expose_secret().to_owned());
        text(self) == text(other)
    }
}

impl Delivery {
    /// Checks what the types cannot express.
    pub(super) fn check(&self, faults: &mut Faults) {
        for (key, span) in [("keep", self.keep), ("max_age", self.max_age)] {
            if span.is_zero() || span > LONGEST {
                faults.key("delivery", key, "must be longer than nothing and not longer than 366 days");
            }
        }
        if self.lease < Duration::from_secs(3) || self.lease > Duration::from_secs(3600) {
            faults.key("delivery", "lease", "must be between 3 s and 1 h");
        }
        if self.longest_request.is_zero() || self.longest_request > Duration::from_secs(86_400) {
            faults.key("delivery", "longest_request", "must be longer than nothing and not longer than a day");
        }
    }
}

/// Whether a call is answered when it has ended in Odoo, or as soon as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    #[default]
    Sync,
    Async,
}

/// What becomes of a call while Odoo is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenDown {
    /// Its caller is told, and may send it again.
    #[default]
    Fail,
    /// It is queued.
    Queue,
}

/// Whether later calls of an ordering key wait for one that is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ordering {
    #[default]
    Strict,
    None,
}

/// `[client.idempotency]`: where a client's idempotency keys are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Idempotency {
    /// A header beside `Idempotency-Key` and `webhook-id`.
    #[serde(deserialize_with = "header")]
    pub header: Option<http::HeaderName>,
    /// The path of keys and indexes in the body, such as `vals.payload.ref`.
    pub path: Option<String>,
    /// A call without a key has the hash of what it asks for as its key.
    pub derived: bool,
    /// A call that writes without a key is refused.
    pub required: bool,
}

/// Where a client is told how its queued calls ended.
#[derive(Debug, Clone)]
pub struct Callback {
    pub url: Url,
    /// The secret that the telling is signed with, as Standard Webhooks has it.
    pub secret: Source,
}

impl Callback {
    /// The two keys of a `[[client]]`.
    ///
    /// # Errors
    /// One is given without the other, or the URL is none that may be called.
    pub(super) fn of(url: Option<&str>, secret: Option<Source>) -> Result<Option<Self>, String> {
        let is_fit = |url: &Url| matches!(url.scheme(), "http" | "https") && url.username().is_empty();
        match (url, secret) {
            (None, None) => Ok(None),
            (Some(url), Some(secret)) => match Url::parse(url).ok().filter(is_fit) {
                Some(url) => Ok(Some(Self { url, secret })),
                None => Err("`callback_url` must be an http or https URL without a user".to_owned()),
            },
            _ => Err("`callback_url` needs `callback_secret_env` or `callback_secret_file`, and the other way round"
                .to_owned()),
        }
    }
}

fn header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<http::HeaderName>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|_| D::Error::custom(format!("`{text}` is no name of a header")))
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    String::deserialize(deserializer).map(|text| Some(text.into()))
}
