//! `[[client]]`: callers that the gateway knows by a key of its own, and the Odoo account that each acts with.
//!
//! Neither secret stands in the file: of the gateway's key only a hash, of the Odoo account only where its secret is.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::Error as _};

/// One entry, checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub struct Client {
    pub name: String,
    /// The SHA-256 of the key that the caller shows.
    pub key_sha256: [u8; 32],
    pub odoo_login: String,
    pub secret: Source,
    /// The secret is a password, not an API key.
    pub is_password: bool,
}

/// Where the secret of an Odoo account is.
#[derive(Debug, Clone)]
pub enum Source {
    Environment(String),
    File(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(deserialize_with = "sha256")]
    key_sha256: [u8; 32],
    odoo_login: String,
    odoo_key_env: Option<String>,
    odoo_key_file: Option<PathBuf>,
    odoo_password_env: Option<String>,
    odoo_password_file: Option<PathBuf>,
}

impl TryFrom<Written> for Client {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { name, key_sha256, odoo_login, .. } = written;
        if name.is_empty() || odoo_login.is_empty() {
            return Err("`name` and `odoo_login` must not be empty".to_owned());
        }
        let sources = [
            (written.odoo_key_env.map(Source::Environment), false),
            (written.odoo_key_file.map(Source::File), false),
            (written.odoo_password_env.map(Source::Environment), true),
            (written.odoo_password_file.map(Source::File), true),
        ];
        let is_variable = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            is_plain && !text.is_empty() && !text.starts_with(|first: char| first.is_ascii_digit()) && text.len() < 40
        };
        for (source, _) in &sources {
            match source {
                // Perhaps the key itself stands here, so it is not repeated.
                Some(Source::Environment(name)) if !is_variable(name) => {
                    return Err(
                        "`odoo_key_env` and `odoo_password_env` want the name of a variable, not the secret".to_owned()
                    );
                }
                Some(Source::File(path)) if path.as_os_str().is_empty() => {
                    return Err("`odoo_key_file` and `odoo_password_file` want the path of a file".to_owned());
                }
                _ => {}
            }
        }
        let mut given = sources.into_iter().filter_map(|(source, is_password)| Some((source?, is_password)));
        match (given.next(), given.next()) {
            (Some((secret, is_password)), None) => Ok(Self { name, key_sha256, odoo_login, secret, is_password }),
            _ => Err(format!(
                "client `{name}` needs exactly one of `odoo_key_env`, `odoo_key_file`, `odoo_password_env`, `odoo_password_file`"
            )),
        }
    }
}

impl Client {
    /// Takes the path of a secret as relative to this folder.
    pub(super) fn relative_to(&mut self, folder: &Path) {
        if let Source::File(path) = &mut self.secret {
            *path = folder.join(&*path);
        }
    }
}

/// What only all entries together can say.
pub(super) fn check(clients: &[Client]) -> Result<(), String> {
    let mut names = HashSet::new();
    let mut keys = HashSet::new();
    for client in clients {
        if !names.insert(&client.name) {
            return Err(format!("two [[client]] entries are named `{}`", client.name));
        }
        if !keys.insert(client.key_sha256) {
            return Err(format!("client `{}` has the key of another [[client]]", client.name));
        }
    }
    Ok(())
}

fn sha256<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(D::Error::custom("a SHA-256 has 64 hexadecimal digits; `odoo-gateway client new` prints one"));
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(D::Error::custom)?;
        *byte = u8::from_str_radix(pair, 16).map_err(D::Error::custom)?;
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "key_sha256 = \"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\"\n";

    fn parse(lines: &str) -> Result<Client, String> {
        toml::from_str(&format!("name = \"shop\"\n{HASH}odoo_login = \"bot\"\n{lines}")).map_err(|e| e.to_string())
    }

    #[test]
    fn an_account_has_one_secret() {
        let client = parse("odoo_password_file = \"secret\"").unwrap();
        assert!(client.is_password && matches!(client.secret, Source::File(path) if path == Path::new("secret")));
        for none_or_two in ["", "odoo_key_env = \"A\"\nodoo_key_file = \"b\""] {
            assert!(parse(none_or_two).unwrap_err().contains("client `shop` needs exactly one of"), "{none_or_two}");
        }
    }

    #[test]
    fn what_is_no_hash_or_no_key_of_an_entry_is_refused() {
        let short = toml::from_str::<Client>("name = \"a\"\nkey_sha256 = \"2c26\"\nodoo_login = \"b\"").unwrap_err();
        assert!(short.to_string().contains("64 hexadecimal digits"), "{short}");
        let key = "0123456789abcdef0123456789abcdef01234567";
        let leaked = parse(&format!("odoo_key_env = \"{key}\"")).unwrap_err();
        assert!(leaked.contains("want the name of a variable"), "{leaked}");
        assert!(parse("odoo_pasword_env = \"A\"").unwrap_err().contains("unknown field `odoo_pasword_env`"));
    }

    #[test]
    fn two_entries_share_neither_name_nor_key() {
        let client = parse("odoo_key_env = \"A\"").unwrap();
        let renamed = Client { name: "other".to_owned(), ..client.clone() };
        assert!(check(&[client.clone(), client.clone()]).unwrap_err().contains("are named `shop`"));
        assert!(check(&[client, renamed]).unwrap_err().contains("`other` has the key of another"));
    }
}
