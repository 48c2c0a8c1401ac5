//! The callers that the gateway knows by a key of its own or by their signature, the Odoo credential that each acts with, and
//! what each may do.
//!
//! A key is known by its hash alone, so the configuration gives none away; and it is looked up by that hash, so that the
//! time it takes says nothing about how much of a guess was right, or whether there is one like it.

use std::{collections::HashMap, env, fs, net::IpAddr, path::PathBuf, sync::Arc};

use http::HeaderMap;
use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{
    Error,
    callback::Callback,
    signature::{NoKey, NotSigned, Signed, Verifier},
};
use crate::{
    config::{self, Source},
    hook::{Hidden, RequestLine},
    limits::{RateLimit, Share, Used},
    odoo::Credential,
    policy::{Name, Policy},
};

/// The clients, in the order of the configuration.
#[derive(Debug)]
pub struct Clients {
    all: Vec<Client>,
    /// Their places, by the SHA-256 of their keys.
    by_key: HashMap<[u8; 32], usize>,
    /// Their places, by their names: a call looks its client up several times, and there may be thousands.
    by_name: HashMap<Arc<str>, usize>,
}

#[derive(Debug)]
pub struct Client {
    pub name: Arc<str>,
    /// None where its secret is missing.
    credential: Option<Credential>,
    /// The secrets that are not where the configuration says they are. Until they are, the client is not served.
    missing: Vec<Missing>,
    pub policy: Arc<Policy>,
    pub(in crate::call) verifier: Option<Verifier>,
    /// Where it is told how its queued calls ended.
    pub callback: Option<Callback>,
    is_revoked: bool,
    expires: Option<Timestamp>,
    addresses: Vec<IpNet>,
    limit: RateLimit,
    pub(in crate::call) idempotency: config::Idempotency,
    pub(in crate::call) delivery: config::Mode,
    pub(in crate::call) when_down: config::WhenDown,
    pub(in crate::call) ordering: config::Ordering,
    /// The methods that may be called again where it is not known whether they were called.
    pub(in crate::call) safe_methods: Vec<Name>,
}

/// A secret that is not where the configuration says it is. That client alone is not served; a reload that finds it mends this.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    #[error("the environment variable `{variable}` is not set ({whose})")]
    NotSet { variable: String, whose: String },
    #[error("cannot read `{}` ({whose}): {source}", path.display())]
    Unreadable { path: PathBuf, whose: String, source: std::io::Error },
    #[error("{whose} is empty")]
    Empty { whose: String },
}

impl Missing {
    /// Whether it is missing for every process of this machine: another one may have other variables and rights.
    pub fn is_certain(&self) -> bool {
        match self {
            Self::NotSet { .. } => false,
            Self::Unreadable { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            Self::Empty { .. } => true,
        }
    }
}

/// Why a client's secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("[[client]] `{client}`: the {} of its signatures {source}", source.whose())]
    NoKey { client: String, source: NoKey },
    #[error("[[client]] `{client}`: the secret of its callback {source}")]
    NoCallbackKey { client: String, source: NoKey },
}

impl Clients {
    /// Reads the secrets from where the configuration says they are. A client whose secret is not there is not served.
    ///
    /// # Errors
    /// A secret is there, and is none of its kind.
    pub fn load(entries: &[config::Client]) -> Result<Self, Unusable> {
        let by_key = entries.iter().enumerate().filter_map(|(place, entry)| Some((entry.key_sha256?, place)));
        let all = entries.iter().map(Client::load).collect::<Result<Vec<_>, _>>()?;
        let by_name = all.iter().enumerate().map(|(place, client)| (client.name.clone(), place));
        Ok(Self { by_key: by_key.collect(), by_name: by_name.collect(), all })
    }

    /// The client with this key.
    pub fn by_key(&self, key: &str) -> Option<&Client> {
        self.by_key.get(&digest(key)).and_then(|place| self.all.get(*place))
    }

    pub fn by_name(&self, name: &str) -> Option<&Client> {
        self.by_name.get(name).and_then(|place| self.all.get(*place))
    }

    /// The secrets that are missing, each with the client that is not served because of it.
    pub fn missing(&self) -> impl Iterator<Item = (&str, &Missing)> {
        self.all.iter().flat_map(|client| client.missing.iter().map(|lack| (&*client.name, lack)))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.all.iter()
    }
}

impl Client {
    fn load(entry: &config::Client) -> Result<Self, Unusable> {
        let client = || entry.name.clone();
        let mut missing = Vec::new();
        let mut secret = |source: &Source, whose: &dyn Fn() -> String| match read(source, whose) {
            Ok(secret) => Some(secret),
            Err(lack) => {
                missing.push(lack);
                None
            }
        };
        let login = entry.odoo_login.clone();
        let credential = secret(&entry.secret, &|| format!("the secret of `{login}`")).map(|secret| {
            if entry.is_password {
                Credential::Password { login: login.clone(), password: secret }
            } else {
                // A key has no blanks; a password may.
                Credential::LoginKey { login: login.clone(), key: secret.expose_secret().trim().into() }
            }
        });
        let verifier = entry.signature.as_ref().map(|signature| {
            let secrets =
                signature.secrets.iter().map(|source| secret(source, &|| "the secret of its signatures".to_owned()));
            let secrets: Option<Vec<_>> = secrets.collect::<Vec<_>>().into_iter().collect();
            Verifier::new(signature, secrets.as_deref()).map_err(|source| Unusable::NoKey { client: client(), source })
        });
        let callback = entry.callback.as_ref().and_then(|callback| {
            let secret = secret(&callback.secret, &|| "the secret of its callback".to_owned())?;
            Some(
                Callback::new(&callback.url, &secret)
                    .map_err(|source| Unusable::NoCallbackKey { client: client(), source }),
            )
        });
        Ok(Self {
            name: entry.name.as_str().into(),
            credential,
            policy: Arc::new(entry.rules.policy.clone()),
            verifier: verifier.transpose()?,
            callback: callback.transpose()?,
            missing,
            is_revoked: entry.is_revoked,
            expires: entry.expires,
            addresses: entry.rules.addresses.clone(),
            limit: RateLimit::new(&entry.rules),
            idempotency: entry.idempotency.clone(),
            delivery: entry.delivery,
            when_down: entry.when_down,
            ordering: entry.ordering,
            safe_methods: entry.safe_methods.clone(),
        })
    }

    /// What of its requests is a signature or a secret.
    pub(in crate::call) fn hidden(&self) -> Hidden<'_> {
        self.verifier.as_ref().map(Verifier::hidden).unwrap_or_default()
    }

    /// The first of the secrets of its signatures; none where it has a key of its own, or signs with a private key.
    pub fn first_secret(&self) -> Option<&SecretString> {
        self.verifier.as_ref().and_then(Verifier::secret)
    }

    /// Signs a request as it would; none where it does not sign.
    ///
    /// # Errors
    /// Only the sender can sign, or the request lacks what is signed.
    pub fn sign(
        &self,
        line: &RequestLine,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Option<Result<Signed, NotSigned>> {
        self.verifier.as_ref().map(|verifier| verifier.sign(line, headers, body, now))
    }

    /// What it proves itself with to Odoo.
    ///
    /// # Errors
    /// Its secret is missing.
    pub fn credential(&self) -> Result<&Credential, Error> {
        self.credential.as_ref().ok_or_else(|| Error::ClientNotReady(self.name.clone()))
    }

    /// Whether all its secrets are there.
    ///
    /// # Errors
    /// One is missing.
    pub fn check_ready(&self) -> Result<(), Error> {
        if self.missing.is_empty() { Ok(()) } else { Err(Error::ClientNotReady(self.name.clone())) }
    }

    /// Whether it is served at all by now.
    ///
    /// # Errors
    /// It has been revoked, or its time is over.
    pub fn check_term(&self) -> Result<(), Error> {
        if self.is_revoked {
            return Err(Error::ClientRevoked(self.name.clone()));
        }
        match self.expires.filter(|expires| Timestamp::now() >= *expires) {
            Some(expired) => Err(Error::ClientExpired { client: self.name.clone(), expired }),
            None => Ok(()),
        }
    }

    /// What of its limits is used now.
    pub fn used(&self) -> Used {
        self.limit.used()
    }

    /// Whether it may call now, and from there. The client has proven who it is.
    pub(in crate::call) fn admit(&self, address: IpAddr) -> Result<Share, Error> {
        self.check_term()?;
        self.check_ready()?;
        is_within(address, &self.addresses)?;
        Ok(self.limit.admit()?)
    }
}

/// Whether a call from there is served.
pub(in crate::call) fn is_within(address: IpAddr, addresses: &[IpNet]) -> Result<(), Error> {
    let address = address.to_canonical();
    let is_named = addresses.is_empty() || addresses.iter().any(|range| range.contains(&address));
    if is_named { Ok(()) } else { Err(Error::AddressNotAllowed(address)) }
}

/// What stands in the configuration for a key.
pub fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn read(source: &Source, whose: &dyn Fn() -> String) -> Result<SecretString, Missing> {
    let secret = match source {
        Source::Environment(variable) => {
            env::var(variable).map_err(|_| Missing::NotSet { variable: variable.clone(), whose: whose() })?
        }
        Source::File(path) => fs::read_to_string(path).map_err(|source| Missing::Unreadable {
            path: path.clone(),
            whose: whose(),
            source,
        })?,
    };
    match secret.trim_end_matches(['\r', '\n']) {
        blank if blank.trim().is_empty() => Err(Missing::Empty { whose: whose() }),
        secret => Ok(secret.into()),
    }
}

/// The secrets of these clients that are missing, with the client's name: what the configuration says is looked at now, by any
/// process that may read the secrets.
pub fn missing(entries: &[config::Client]) -> Vec<(String, Missing)> {
    let of_entry = |entry: &config::Client| {
        let signed = entry.signature.iter().flat_map(|signature| &signature.secrets);
        let told = entry.callback.iter().map(|callback| (&callback.secret, "the secret of its callback".to_owned()));
        let own = [(&entry.secret, format!("the secret of `{}`", entry.odoo_login))];
        let signed = signed.map(|source| (source, "the secret of its signatures".to_owned()));
        let all = own.into_iter().chain(signed).chain(told);
        all.filter_map(|(source, whose)| read(source, &|| whose.clone()).err())
            .map(|lack| (entry.name.clone(), lack))
            .collect::<Vec<_>>()
    };
    entries.iter().flat_map(of_entry).collect()
}
