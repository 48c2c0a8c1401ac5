//! `[console]`: who may look at the console of the admin listener, and who may act there.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::Deserialize;

use super::{client::sha256, faults::Faults};

/// The least length of a token in a file, in bytes: a shorter one could be guessed.
pub const LEAST_TOKEN: usize = 20;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Console {
    pub enabled: bool,
    /// A browser on this machine needs no token.
    pub loopback: bool,
    /// The names, besides addresses and `localhost`, by which browsers reach the admin listener.
    pub hosts: Vec<String>,
    /// How long a person stays signed in without a request.
    #[serde(with = "duration")]
    pub idle: Duration,
    #[serde(default, rename = "user")]
    pub users: Vec<User>,
}

/// A `[[console.user]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct User {
    pub name: String,
    pub role: Role,
    pub token: Token,
}

/// What a person may do in the console. The roles are ordered: the later one may do what the earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Look at everything that is recorded.
    Read,
    /// Run calls again, settle them, work on the queue.
    Operator,
}

/// What a token is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Sha256([u8; 32]),
    /// A file with the token itself.
    File(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default = "read_only")]
    role: Role,
    #[serde(default, deserialize_with = "some_sha256")]
    token_sha256: Option<[u8; 32]>,
    token_file: Option<PathBuf>,
}

fn read_only() -> Role {
    Role::Read
}

fn some_sha256<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
    sha256(deserializer)
}

impl TryFrom<Written> for User {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { name, role, token_sha256, token_file } = written;
        if name.is_empty() || name.contains(char::is_control) {
            return Err("a [[console.user]] needs a `name` of plain text".to_owned());
        }
        let token = match (token_sha256, token_file) {
            (Some(digest), None) => Token::Sha256(digest),
            (None, Some(file)) if !file.as_os_str().is_empty() => Token::File(file),
            _ => {
                let why =
                    "exactly one of `token_sha256`, which `odoo-gateway console token NAME` prints, and `token_file`";
                return Err(format!("[[console.user]] `{name}` needs {why}"));
            }
        };
        Ok(Self { name, role, token })
    }
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operator => "operator",
        }
    }
}

impl Console {
    pub(super) fn relative_to(&mut self, folder: &Path) {
        for user in &mut self.users {
            if let Token::File(file) = &mut user.token {
                *file = folder.join(&*file);
            }
        }
    }

    pub(super) fn check(&self, longest: Duration, faults: &mut Faults) {
        if self.idle.is_zero() || self.idle > longest {
            faults.key("console", "idle", "must be longer than nothing and not longer than a day");
        }
        let mut names = HashSet::new();
        for (place, user) in self.users.iter().enumerate() {
            if !names.insert(&user.name) {
                let message = format!("two [[console.user]] entries are named `{}`", user.name);
                faults.entry(&["console", "user"], place, "name", message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(lines: &str) -> Result<User, String> {
        toml::from_str(&format!("name = \"anna\"\n{lines}")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_user_has_one_token_and_may_look_where_nothing_is_said() {
        let anna = user("token_file = \"anna.token\"").unwrap();
        assert_eq!((anna.role, anna.token), (Role::Read, Token::File("anna.token".into())));
        assert!(Role::Read < Role::Operator);
        let hash = "token_sha256 = \"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\"\n";
        assert_eq!(user(&format!("{hash}role = \"operator\"")).unwrap().role, Role::Operator);
        for none_or_two in ["", &format!("{hash}token_file = \"x\"")] {
            assert!(user(none_or_two).unwrap_err().contains("exactly one of `token_sha256`"), "{none_or_two}");
        }
        assert!(user("token_file = \"x\"\nrole = \"admin\"").unwrap_err().contains("unknown variant `admin`"));
    }
}
