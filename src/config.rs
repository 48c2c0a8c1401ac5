//! `gateway.toml`: reading it, adding the defaults, and checking it.
//!
//! `config/defaults.toml` is the only source of defaults. A key that the user's file lacks is taken from there. An unknown key, or a value of the wrong kind, is refused with file, line and the known keys, since a setting
//! that is silently ignored is worse than none.

mod client;
mod console;
mod delivery;
mod docs;
mod faults;
mod files;
mod front;
mod hook;
mod log;
mod max_in_flight;
mod path;
mod policy;
mod problem;
mod reading;
mod signature;
mod source;
mod telemetry;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroU16,
    path::{Path, PathBuf},
    time::Duration,
};

use bytesize::ByteSize;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::Deserialize;

pub use self::{
    client::Client,
    console::{Console, LEAST_TOKEN, Role, Token as ConsoleToken, User as ConsoleUser},
    delivery::{Cluster, Delivery, Idempotency, Marker, Mode, Ordering, WhenDown},
    docs::Docs,
    files::{Files, UrlPattern},
    front::{DATABASE_MANAGER, Limits, Pass, Proxy, Server, Tls},
    hook::{Accept, BodyForm, Fetch, Hook, SameContent},
    log::{Kept, Log, OnFailure, days},
    max_in_flight::MaxInFlight,
    policy::{OwnCredentials, Rules},
    problem::Problem,
    signature::{Algorithm, Encoding, Form, Padding, Part, Parts, Proof, Scheme, SecretEncoding, Signature, Token},
    source::Source,
    telemetry::Telemetry,
};
use self::{faults::Faults, reading::Mistaken};
use crate::policy::Name;

const DEFAULTS: &str = include_str!("config/defaults.toml");

const LONGEST_WAIT: Duration = Duration::from_secs(86_400);
const LONGEST_MEMORY: Duration = Duration::from_secs(30 * 86_400);

/// The whole configuration, complete and checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub tls: Tls,
    pub admin: Admin,
    pub console: Console,
    pub docs: Docs,
    pub upstream: Upstream,
    /// How long the result of a lookup in a model is remembered.
    #[serde(deserialize_with = "ages")]
    pub lookup_cache: BTreeMap<String, Duration>,
    pub log: Log,
    pub delivery: Delivery,
    pub cluster: Cluster,
    pub compat: Compat,
    pub telemetry: Telemetry,
    pub files: Files,
    pub proxy: Proxy,
    pub limits: Limits,
    pub policy: OwnCredentials,
    #[serde(default, rename = "client")]
    pub clients: Vec<Client>,
    #[serde(default, rename = "hook")]
    pub hooks: Vec<Hook>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    pub listen: SocketAddr,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Scheme, host and port (and a path prefix, if any) without a trailing slash.
    #[serde(deserialize_with = "origin")]
    pub url: reqwest::Url,
    /// The URL at which users and other systems reach Odoo, usually through the gateway.
    #[serde(default, deserialize_with = "some_origin")]
    pub public_url: Option<reqwest::Url>,
    /// Where websockets and long polls go, if not to `url`.
    #[serde(default, deserialize_with = "some_origin")]
    pub websocket_url: Option<reqwest::Url>,
    /// Certificates, in PEM, that Odoo's certificate is checked against instead of the system's.
    pub ca: Option<PathBuf>,
    pub database: String,
    pub protocol: ProtocolChoice,
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    #[serde(with = "duration")]
    pub timeout: Duration,
    #[serde(with = "duration")]
    pub read_timeout: Duration,
    pub max_answer: ByteSize,
    pub max_in_flight: MaxInFlight,
    /// Whether concurrent calls are batched, and how many at most.
    pub batch: bool,
    pub batch_max: NonZeroU16,
    /// How long a call waits for the batch before it.
    #[serde(with = "duration")]
    pub batch_wait: Duration,
    pub queue: usize,
    #[serde(with = "duration")]
    pub queue_timeout: Duration,
    pub retries: u8,
    /// Repetitions per call, 0 to 1.
    pub retry_budget: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProtocolChoice {
    Auto,
    Session,
    JsonRpc,
    XmlRpc,
    #[serde(rename = "json-2")]
    Json2,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compat {
    pub strict: bool,
    pub company_filter: CompanyFilter,
    pub company_filter_skip: Vec<String>,
    pub lookup_keys: LookupKeys,
    /// The fields whose texts are compared in whatever case, by lookups and search keys.
    pub ignore_case: Vec<Name>,
    pub dialect: Dialect,
}

/// The version of the addon whose forms callers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Dialect {
    /// 18.0.2 and later, and 15.0.2 and later.
    #[serde(rename = "current")]
    Current,
    /// 18.0.1 and 15.0.1: a related record is named by a text. The current forms are taken, too.
    #[serde(rename = "18.0.1")]
    V18_0_1,
}

/// The records that a lookup may find in a model that has a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompanyFilter {
    /// The company's own records, otherwise those of no company.
    Prefer,
    /// The company's own records only.
    Exact,
    /// All records.
    Off,
}

/// The keys of a lookup that count, where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookupKeys {
    /// All must match.
    All,
    /// The first, as in the addon; the others are ignored with a warning.
    First,
}

/// Why a configuration cannot be used, in words for the person who wrote it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// All mistakes that were found, in the order of the file: `FILE:LINE:COLUMN: what is wrong`, one a line.
    #[error("{}", listed(path, problems, *has_more))]
    Invalid { path: PathBuf, problems: Vec<Problem>, has_more: bool },
}

fn listed(path: &Path, problems: &[Problem], has_more: bool) -> String {
    let mut lines: Vec<String> = problems.iter().map(|problem| format!("{}:{problem}", path.display())).collect();
    if has_more {
        lines.push(format!("{}: there may be more mistakes", path.display()));
    }
    lines.join("\n")
}

impl Config {
    /// Reads the file and adds the defaults. Relative paths in it are resolved against the file's folder.
    ///
    /// # Errors
    /// The file cannot be read, or a key or value is refused.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        let mut config = Self::parse(&text, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.log.directory = folder.join(&config.log.directory);
        config.delivery.directory = match config.delivery.directory.as_os_str().is_empty() {
            true => config.log.directory.with_file_name("delivery"),
            false => folder.join(&config.delivery.directory),
        };
        for file in config.tls.files().into_iter().chain([&mut config.upstream.ca]).flatten() {
            *file = folder.join(&file);
        }
        config.clients.iter_mut().for_each(|client| client.relative_to(folder));
        config.hooks.iter_mut().for_each(|hook| hook.relative_to(folder));
        config.console.relative_to(folder);
        if let Some(file) = &mut config.telemetry.otlp_headers_file {
            *file = folder.join(&file);
        }
        Ok(config)
    }

    /// The sections that differ in another configuration and that only a restart can change.
    pub fn kept_until_restart(&self, other: &Self) -> Option<String> {
        let (old, new) = (&self.server, &other.server);
        let sections = [
            ("[server] listen and drain", (old.listen, old.drain) != (new.listen, new.drain)),
            ("[admin]", self.admin != other.admin),
            ("[log]", self.log != other.log),
            ("[delivery]", self.delivery != other.delivery),
            ("[cluster]", !self.cluster.is_same(&other.cluster)),
            ("[telemetry]", self.telemetry != other.telemetry),
        ];
        let changed: Vec<&str> = sections.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
        (!changed.is_empty()).then(|| changed.join(", "))
    }

    /// The files that this configuration names.
    pub fn files(&self) -> Vec<PathBuf> {
        let tls = [&self.tls.certificate, &self.tls.key, &self.tls.client_ca, &self.upstream.ca];
        let secrets = self.clients.iter().flat_map(Client::files);
        let of_hooks = self.hooks.iter().flat_map(Hook::files);
        tls.into_iter().flatten().chain(secrets).cloned().chain(of_hooks).collect()
    }

    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        reading::read(text, DEFAULTS).map_err(|Mistaken { problems, has_more }| Error::Invalid {
            path: path.to_owned(),
            problems,
            has_more,
        })
    }

    /// Checks what the types cannot express.
    fn check(&self, faults: &mut Faults) {
        self.upstream.check(faults);
        let waits = [
            ("header_timeout", self.limits.header_timeout),
            ("body_timeout", self.limits.body_timeout),
            ("call_timeout", self.limits.call_timeout),
        ];
        waits.into_iter().for_each(|(key, wait)| a_wait(faults, "limits", key, wait));
        for (model, age) in &self.lookup_cache {
            if age.is_zero() || *age > LONGEST_MEMORY {
                faults.key("lookup_cache", model, "must be longer than nothing and not longer than 30 days");
            }
        }
        self.limits.check(faults);
        self.files.check(LONGEST_WAIT, faults);
        self.tls.check(faults);
        if self.proxy.pass == Pass::All && self.upstream.public_url.is_none() {
            let why = "Odoo puts it into links and redirects and checks websockets against it";
            faults.key(
                "proxy",
                "pass",
                format!("= \"all\" needs [upstream] public_url, the address people use: {why}"),
            );
        }
        if self.server.drain > LONGEST_WAIT {
            faults.key("server", "drain", "must not be longer than a day");
        }
        self.log.check(faults);
        self.delivery.check(faults);
        self.console.check(LONGEST_WAIT, faults);
        self.telemetry.check(faults);
        client::check(&self.clients, faults);
        hook::check(&self.hooks, &self.clients, faults);
    }
}

impl Upstream {
    fn check(&self, faults: &mut Faults) {
        if self.database.is_empty() {
            faults.key("upstream", "database", "must not be empty");
        }
        let waits = [
            ("connect_timeout", self.connect_timeout),
            ("timeout", self.timeout),
            ("read_timeout", self.read_timeout),
            ("queue_timeout", self.queue_timeout),
            ("batch_wait", self.batch_wait),
        ];
        waits.into_iter().for_each(|(key, wait)| a_wait(faults, "upstream", key, wait));
        if self.connect_timeout >= self.timeout && !self.timeout.is_zero() {
            faults.keys("upstream", &["connect_timeout", "timeout"], "must be shorter than timeout");
        }
        if self.max_answer.as_u64() == 0 {
            faults.key("upstream", "max_answer", "must be larger than nothing");
        }
        for (key, url) in [("public_url", &self.public_url), ("websocket_url", &self.websocket_url)] {
            if url.as_ref().is_some_and(|url| url.path() != "/") {
                faults.key("upstream", key, "must have no path: Odoo's own paths begin at the root");
            }
        }
        if !(0.0..=1.0).contains(&self.retry_budget) {
            faults.key("upstream", "retry_budget", "must be between 0 and 1");
        }
    }
}

fn a_wait(faults: &mut Faults, section: &str, key: &str, wait: Duration) {
    if wait.is_zero() {
        faults.key(section, key, "must be longer than nothing");
    }
    if wait > LONGEST_WAIT {
        faults.key(section, key, "must not be longer than a day");
    }
}

/// A duration for each name.
fn ages<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Duration>, D::Error> {
    #[derive(Deserialize)]
    struct Age(#[serde(with = "duration")] Duration);
    let ages = BTreeMap::<String, Age>::deserialize(deserializer)?;
    Ok(ages.into_iter().map(|(name, Age(age))| (name, age)).collect())
}

fn some_origin<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<reqwest::Url>, D::Error> {
    origin(deserializer).map(Some)
}

fn origin<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<reqwest::Url, D::Error> {
    use serde::de::Error;
    let text = String::deserialize(deserializer)?;
    let url = reqwest::Url::parse(&text).map_err(|error| D::Error::custom(format!("`{text}` is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(D::Error::custom(format!("`{text}` is no http or https URL")));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(D::Error::custom("give scheme, host and port only: no user, password, query or fragment"));
    }
    Ok(url)
}
