//! `[[client]]`: callers that the gateway identifies by a key of its own, and the Odoo account that each acts with.
//!
//! Neither secret is in the file: it has only a hash of the gateway's key, and the place of the Odoo account's secret.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    delivery::{Callback, Idempotency, Mode, Ordering, WhenDown},
    faults::Faults,
    policy::{Rules, with_rules},
    signature::Signature,
    source::Source,
};
use crate::policy::Name;

/// The default limit, so that a search key that matches too much does not change a thousand records.
const WRITTEN_AT_ONCE: u64 = 1;

/// One entry, checked.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Written")]
pub struct Client {
    pub name: String,
    /// The SHA-256 of the caller's key, where it uses one.
    pub key_sha256: Option<[u8; 32]>,
    /// How its requests are signed, where they are signed.
    pub signature: Option<Signature>,
    pub odoo_login: String,
    pub secret: Source,
    /// The secret is a password, not an API key.
    pub is_password: bool,
    pub is_revoked: bool,
    /// The end of its validity.
    pub expires: Option<Timestamp>,
    pub rules: Rules,
    pub idempotency: Idempotency,
    /// Whether its calls are answered when they have ended, or as soon as they are stored.
    pub delivery: Mode,
    pub when_down: WhenDown,
    pub ordering: Ordering,
    /// Where it is told how its queued calls ended.
    pub callback: Option<Callback>,
    /// The methods that may be called again where it is not known whether they were called.
    pub safe_methods: Vec<Name>,
}

with_rules! {
    #[derive(Clone, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        name: String,
        #[serde(default, deserialize_with = "sha256")]
        key_sha256: Option<[u8; 32]>,
        signature: Option<Signature>,
        odoo_login: String,
        odoo_key_env: Option<String>,
        odoo_key_file: Option<PathBuf>,
        odoo_password_env: Option<String>,
        odoo_password_file: Option<PathBuf>,
        #[serde(default)]
        revoked: bool,
        #[serde(default, deserialize_with = "expiry")]
        expires: Option<Timestamp>,
        #[serde(default)]
        idempotency: Idempotency,
        #[serde(default)]
        delivery: Mode,
        #[serde(default)]
        when_down: WhenDown,
        #[serde(default)]
        ordering: Ordering,
        callback_url: Option<String>,
        callback_secret_env: Option<String>,
        callback_secret_file: Option<PathBuf>,
        #[serde(default)]
        safe_methods: Vec<Name>,
    }
}

impl TryFrom<Written> for Client {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let rules = written.rules(format!("the client `{}`", written.name), Some(WRITTEN_AT_ONCE))?;
        let Written { name, key_sha256, signature, odoo_login, revoked, expires, .. } = written.clone();
        if name.is_empty() || odoo_login.is_empty() {
            return Err("`name` and `odoo_login` must not be empty".to_owned());
        }
        if key_sha256.is_none() && signature.is_none() {
            return Err(format!(
                "client `{name}` needs a `key_sha256`, which `odoo-gateway client new` prints, or a [client.signature]"
            ));
        }
        let key = Source::one_of(written.odoo_key_env, written.odoo_key_file, "odoo_key")?;
        let password = Source::one_of(written.odoo_password_env, written.odoo_password_file, "odoo_password")?;
        let (secret, is_password) = match (key, password) {
            (Some(key), None) => (key, false),
            (None, Some(password)) => (password, true),
            _ => {
                return Err(format!(
                    "client `{name}` needs exactly one of `odoo_key_env`, `odoo_key_file`, `odoo_password_env`, `odoo_password_file`"
                ));
            }
        };
        let told = Source::one_of(written.callback_secret_env, written.callback_secret_file, "callback_secret")?;
        let callback =
            Callback::of(written.callback_url.as_deref(), told).map_err(|why| format!("client `{name}`: {why}"))?;
        let Written { idempotency, delivery, when_down, ordering, safe_methods, .. } = written;
        Ok(Self {
            name,
            key_sha256,
            signature,
            odoo_login,
            secret,
            is_password,
            is_revoked: revoked,
            expires,
            rules,
            idempotency,
            delivery,
            when_down,
            ordering,
            callback,
            safe_methods,
        })
    }
}

impl Source {
    /// The one of the two keys that is given, if any. `key` is the common part of their names.
    ///
    /// # Errors
    /// Both are given.
    pub(super) fn one_of(variable: Option<String>, file: Option<PathBuf>, key: &str) -> Result<Option<Self>, String> {
        let is_variable = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            is_plain && !text.is_empty() && !text.starts_with(|first: char| first.is_ascii_digit()) && text.len() < 40
        };
        match (variable, file) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(format!("give exactly one of `{key}_env` and `{key}_file`")),
            // The value may be the secret itself, so it is not repeated.
            (Some(name), None) if !is_variable(&name) => {
                Err(format!("`{key}_env` wants the name of a variable, not the secret"))
            }
            (Some(name), None) => Ok(Some(Self::Environment(name))),
            (None, Some(path)) if path.as_os_str().is_empty() => Err(format!("`{key}_file` wants the path of a file")),
            (None, Some(path)) => Ok(Some(Self::File(path))),
        }
    }
}

impl Client {
    /// The places of its secrets: that of the Odoo account, and those of its signatures.
    fn sources(&mut self) -> impl Iterator<Item = &mut Source> {
        let told = self.callback.iter_mut().map(|callback| &mut callback.secret);
        self.signature.iter_mut().flat_map(|signature| &mut signature.secrets).chain([&mut self.secret]).chain(told)
    }

    /// Resolves the paths of secrets against this folder.
    pub(super) fn relative_to(&mut self, folder: &Path) {
        for source in self.sources() {
            if let Source::File(path) = source {
                *path = folder.join(&*path);
            }
        }
    }

    /// The files that its secrets are in.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let told = self.callback.iter().map(|callback| &callback.secret);
        let secrets = self.signature.iter().flat_map(|signature| &signature.secrets).chain([&self.secret]).chain(told);
        secrets.filter_map(|source| match source {
            Source::File(path) => Some(path),
            Source::Environment(_) => None,
        })
    }
}

/// Checks what concerns all entries together.
pub(super) fn check(clients: &[Client], faults: &mut Faults) {
    let mut names = HashSet::new();
    let mut keys = HashSet::new();
    for (place, client) in clients.iter().enumerate() {
        if !names.insert(&client.name) {
            let message = format!("two [[client]] entries are named `{}`", client.name);
            faults.entry(&["client"], place, "name", message);
        }
        if client.key_sha256.is_some_and(|key| !keys.insert(key)) {
            let message = format!("client `{}` has the key of another [[client]]", client.name);
            faults.entry(&["client"], place, "key_sha256", message);
        }
    }
}

/// A date means its end, in UTC.
fn expiry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let day = || text.parse::<Date>().ok()?.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok().map(|end| end.timestamp());
    let due = "a day such as \"2027-12-31\", or a time such as \"2027-12-31T12:00:00Z\"";
    let expires = text.parse().ok().or_else(day).ok_or_else(|| D::Error::custom(format!("`{text}` is not {due}")))?;
    Ok(Some(expires))
}

pub(super) fn sha256<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[u8; 32]>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(D::Error::custom("a SHA-256 has 64 hexadecimal digits; `odoo-gateway client new` prints one"));
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(D::Error::custom)?;
        *byte = u8::from_str_radix(pair, 16).map_err(D::Error::custom)?;
    }
    Ok(Some(digest))
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
        for none_or_two in
            ["", "odoo_key_env = \"A\"\nodoo_key_file = \"b\"", "odoo_key_env = \"A\"\nodoo_password_env = \"B\""]
        {
            assert!(parse(none_or_two).unwrap_err().contains("exactly one of"), "{none_or_two}");
        }
    }

    #[test]
    fn what_is_no_hash_or_no_key_of_an_entry_is_refused() {
        let short = toml::from_str::<Client>("name = \"a\"\nkey_sha256 = \"2c26\"\nodoo_login = \"b\"").unwrap_err();
        assert!(short.to_string().contains("64 hexadecimal digits"), "{short}");
        let key = "0123456789abcdef0123456789abcdef01234567";
        let leaked = parse(&format!("odoo_key_env = \"{key}\"")).unwrap_err();
        assert!(leaked.contains("wants the name of a variable") && !leaked.contains(key), "{leaked}");
        assert!(parse("odoo_pasword_env = \"A\"").unwrap_err().contains("unknown field `odoo_pasword_env`"));
    }

    #[test]
    fn what_a_client_may_is_narrow_where_nothing_is_said_and_its_mistakes_have_a_line() {
        let policy = parse("odoo_key_env = \"A\"").unwrap().rules.policy;
        assert_eq!(
            (policy.most.write, policy.most.read, policy.methods.len(), policy.routes.len()),
            (Some(1), None, 0, 5)
        );
        assert!(!policy.files_by_url);
        for (line, why) in [
            ("routes = [\"drop_data\"]", "`drop_data` is no route; there are create_data, "),
            ("models = { alow = [] }", "unknown field `alow`, expected `allow` or `deny`"),
            ("never_read = [\"vat\"]", "is not a model and behind the last dot a field"),
            ("domains = { \"sale.order\" = [\"|\", [\"a\", \"=\", 1]] }", "ends within an operator"),
            ("domains = { \"sale.order\" = \"[('a', '=', b)]\" }", "is no domain"),
            ("max_records = { write = 0 }", "nonzero"),
            ("expires = \"soon\"", "is not a day such as"),
            ("addresses = [\"10.0.0.0/33\"]", "invalid"),
        ] {
            let refusal = parse(&format!("odoo_key_env = \"A\"\n{line}")).unwrap_err();
            assert!(refusal.contains(why) && refusal.contains("line 5"), "{line}: {refusal}");
        }
        for (key, why) in [
            ("domains = { \"sale.*\" = [] }", "`domains` has `sale.*`, which is no model's name"),
            ("name_search = { \"*\" = [\"name\"] }", "`name_search` has `*`, which is no model's name"),
            ("name_search = { \"res.partner\" = [] }", "`name_search` has no fields for `res.partner`"),
            ("name_search = { \"res.partner\" = [\"v*\"] }", "`name_search` has `v*` for `res.partner`"),
            ("name_search = { \"res.partner\" = [\"a..b\"] }", "`name_search` has `a..b` for `res.partner`"),
            ("name_search = { \"res.partner\" = [\"parent_id.display_name\"] }", "which is no stored field"),
        ] {
            let refusal = parse(&format!("odoo_key_env = \"A\"\n{key}")).unwrap_err();
            assert!(refusal.contains(why), "{key}: {refusal}");
        }
        let key = "name_search = { \"sale.order\" = [\"name\", \"partner_id.name\"] }";
        let policy = parse(&format!("odoo_key_env = \"A\"\n{key}")).unwrap().rules.policy;
        assert_eq!(policy.name_search("sale.order"), Some(&["name".to_owned(), "partner_id.name".to_owned()][..]));
    }

    #[test]
    fn a_day_ends_at_its_end() {
        let expires =
            |text: &str| parse(&format!("odoo_key_env = \"A\"\nexpires = \"{text}\"")).unwrap().expires.unwrap();
        assert_eq!(expires("2027-12-31"), expires("2028-01-01T00:00:00Z"));
        assert_eq!(expires("2027-12-31T12:00:00+01:00"), expires("2027-12-31T11:00:00Z"));
    }

    #[test]
    fn two_entries_share_neither_name_nor_key() {
        let client = parse("odoo_key_env = \"A\"").unwrap();
        let renamed = Client { name: "other".to_owned(), ..client.clone() };
        let faults = |clients: &[Client]| {
            let mut faults = Faults::default();
            check(clients, &mut faults);
            faults.messages()
        };
        assert!(faults(&[client.clone(), client.clone()]).contains("are named `shop`"));
        assert!(faults(&[client, renamed]).contains("`other` has the key of another"));
    }
}
