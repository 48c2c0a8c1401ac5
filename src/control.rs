//! How the command line reaches the running gateway: the address of its admin listener, and a token that proves the
//! operator.
//!
//! Both are in a file in the log's folder that only the gateway's own user can read, so the right to read the log includes
//! the right to have its calls replayed. Every start makes a new token. The file is no part of the log, so this module
//! accesses it and not `log/format/fs.rs`.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The file in the log's folder; it exists while a gateway runs.
pub const FILE: &str = "control.json";
const TOKEN_BYTES: usize = 32;

/// The process that holds a lock of a file, where this system tells it (Linux: proc_locks(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder(Option<u32>);

impl Holder {
    /// The process with the lock of this file.
    pub fn of(file: &Path) -> Self {
        let told = || {
            let inode = fs::metadata(file).ok()?.ino().to_string();
            let locks = fs::read_to_string("/proc/locks").ok()?;
            locks.lines().find_map(|line| {
                // 1: FLOCK  ADVISORY  WRITE 4711 08:01:131099 0 EOF
                let mut words = line.split_whitespace().skip(1).filter(|word| *word != "->");
                let (kind, holder, place) = (words.next()?, words.nth(2)?, words.next()?);
                let is_it = kind == "FLOCK" && place.rsplit(':').next() == Some(&*inode);
                holder.parse().ok().filter(|holder| is_it && *holder > 0)
            })
        };
        Self(told())
    }
}

/// Behind the words that somebody holds it.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |process| write!(f, " (process {process})"))
    }
}

/// The access to a running gateway.
#[derive(Debug)]
pub struct Control {
    /// The admin listener, without a trailing slash.
    pub url: String,
    pub token: SecretString,
}

#[derive(Serialize, Deserialize)]
struct Written {
    url: String,
    token: String,
}

/// The file that the running gateway left for the operator.
#[derive(Debug)]
pub struct Posted {
    path: PathBuf,
    digest: [u8; 32],
}

impl Control {
    /// The gateway that writes the log in this folder.
    ///
    /// # Errors
    /// The file is missing or cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let Written { url, token } = serde_json::from_slice(&fs::read(folder.join(FILE))?)?;
        Ok(Self { url, token: token.into() })
    }
}

impl Control {
    /// Removes the file of a gateway that was killed. The caller holds the log's lock.
    pub fn remove_stale(folder: &Path) {
        let _ = fs::remove_file(folder.join(FILE));
    }
}

impl Posted {
    /// Makes a token, and writes the file.
    ///
    /// # Errors
    /// The system gives no random numbers, or the file cannot be written.
    pub fn new(folder: &Path, url: String) -> io::Result<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
        random.fill(&mut bytes).map_err(|_| io::Error::other("this system gives no random numbers"))?;
        let token = const_hex::encode(bytes);
        let path = folder.join(FILE);
        // An older file may be open somewhere, or be readable for others.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let digest = Sha256::digest(&token).into();
        file.write_all(&serde_json::to_vec(&Written { url, token })?)?;
        Ok(Self { path, digest })
    }

    /// Removes the file before another gateway takes the log over. A file with another token is that gateway's and stays.
    pub fn remove(&self) {
        let written = fs::read(&self.path).ok().and_then(|bytes| serde_json::from_slice::<Written>(&bytes).ok());
        if written.is_some_and(|written| Sha256::digest(written.token)[..] == self.digest) {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Whether this is the token. Hashes are compared, so that the time reveals nothing.
    pub fn is_token(&self, token: &str) -> bool {
        Sha256::digest(token)[..] == self.digest
    }

    /// Whether these headers show the token.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer "));
        shown.is_some_and(|token| self.is_token(token))
    }
}

/// The header that shows the token.
pub fn bearer(token: &SecretString) -> String {
    format!("Bearer {}", token.expose_secret())
}
