//! The callers that the gateway knows by a key of its own, and the Odoo credential that each acts with.
//!
//! A key is known by its hash alone, so the configuration gives none away; and it is looked up by that hash, so that the
//! time it takes says nothing about how much of a guess was right.

use std::{collections::HashMap, env, fs, path::PathBuf, sync::Arc};

use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::{
    config::{self, Source},
    odoo::Credential,
};

/// What every key of the gateway's own begins with, so that it is taken for nothing else.
pub const PREFIX: &str = "gw_";

/// The clients, in the order of the configuration.
#[derive(Debug)]
pub struct Clients {
    all: Vec<Client>,
    /// Their places, by the SHA-256 of their keys.
    by_key: HashMap<[u8; 32], usize>,
}

#[derive(Debug, Clone)]
pub struct Client {
    pub name: Arc<str>,
    pub credential: Credential,
}

/// Why a client's Odoo secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("[[client]] `{client}`: the environment variable `{variable}` is not set")]
    NotSet { client: String, variable: String },
    #[error("[[client]] `{client}`: cannot read `{}`: {source}", path.display())]
    Unreadable { client: String, path: PathBuf, source: std::io::Error },
    #[error("[[client]] `{client}`: the secret of `{login}` is empty")]
    Empty { client: String, login: String },
}

impl Clients {
    /// Reads the secrets from where the configuration says they are.
    pub fn load(entries: &[config::Client]) -> Result<Self, Error> {
        let client = |entry: &config::Client| {
            let secret = read(entry)?;
            let login = entry.odoo_login.clone();
            let credential = if entry.is_password {
                Credential::Password { login, password: secret }
            } else {
                Credential::LoginKey { login, key: secret }
            };
            Ok(Client { name: entry.name.as_str().into(), credential })
        };
        let by_key = entries.iter().enumerate().map(|(place, entry)| (entry.key_sha256, place)).collect();
        Ok(Self { all: entries.iter().map(client).collect::<Result<_, _>>()?, by_key })
    }

    /// The client with this key.
    pub fn by_key(&self, key: &str) -> Option<&Client> {
        self.by_key.get(&digest(key)).and_then(|place| self.all.get(*place))
    }

    pub fn by_name(&self, name: &str) -> Option<&Client> {
        self.all.iter().find(|client| *client.name == *name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.all.iter()
    }
}

/// What stands in the configuration for a key.
pub fn digest(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn read(entry: &config::Client) -> Result<SecretString, Error> {
    let client = || entry.name.clone();
    let secret = match &entry.secret {
        Source::Environment(variable) => {
            env::var(variable).map_err(|_| Error::NotSet { client: client(), variable: variable.clone() })?
        }
        Source::File(path) => fs::read_to_string(path).map_err(|source| Error::Unreadable {
            client: client(),
            path: path.clone(),
            source,
        })?,
    };
    // A key has no blanks; a password may.
    let secret = if entry.is_password { secret.trim_end_matches(['\r', '\n']) } else { secret.trim() };
    match secret {
        "" => Err(Error::Empty { client: client(), login: entry.odoo_login.clone() }),
        secret => Ok(secret.into()),
    }
}
