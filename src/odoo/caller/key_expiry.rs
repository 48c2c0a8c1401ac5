//! When the API key of a caller expires in Odoo.
//!
//! Odoo 18 and later let keys expire, after 90 days where the user is no administrator; earlier ones do not. A user may read the keys
//! of its own (`res.users.apikeys`: rule `api_key_user`, 18 and 19), but not which of them is this one: the key's index is no
//! field. So where a user has several, the one with the gateway's name for it counts, else the one that ends first.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::{Value, json};

use super::Caller;
use crate::odoo::{
    credential::Credential,
    model::{
        error::Error,
        rpc::{Page, Rpc},
    },
};

const MODEL: &str = "res.users.apikeys";
/// The first Odoo whose keys expire.
const SINCE: u16 = 18;
/// More keys than a user has.
const MOST: u64 = 100;

/// What Odoo tells of the end of a caller's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyExpiry {
    /// It ends then.
    At(Timestamp),
    /// It does not end, or this Odoo's keys do not.
    Never,
    /// The caller has no key, or the user must not read its keys.
    NotTold,
}

impl Caller {
    /// When the key of this caller expires, by one RPC to an Odoo that tells. It is the gateway's own question, which no policy is
    /// asked about and nobody but the operator sees the answer of. `name` is what the key is called in Odoo, if it is called so.
    ///
    /// # Errors
    /// Odoo does not answer.
    pub async fn key_expiry(&self, name: &str) -> Result<KeyExpiry, Error> {
        if !matches!(self.credential(), Credential::LoginKey { .. } | Credential::Key(_)) {
            return Ok(KeyExpiry::NotTold);
        }
        if self.version().await? < SINCE {
            return Ok(KeyExpiry::Never);
        }
        let domain = json!([["user_id", "=", self.identity().uid]]);
        let fields = json!(["name", "expiration_date"]);
        let rpc = Rpc::search_read(MODEL, domain, fields, Page::first(MOST));
        match self.read(&rpc).await {
            Ok(keys) => Ok(expiry_of(&keys, name, Timestamp::now())),
            // A rule of this Odoo, or a model that is otherwise.
            Err(Error::Fault(_)) => Ok(KeyExpiry::NotTold),
            Err(error) => Err(error),
        }
    }
}

/// Of keys that have ended, none is this one: it is in use.
fn expiry_of(keys: &Value, name: &str, now: Timestamp) -> KeyExpiry {
    let key = |key: &Value| (key["name"] == name, end(&key["expiration_date"]));
    let keys: Vec<(bool, Option<Timestamp>)> = keys.as_array().into_iter().flatten().map(key).collect();
    let in_use = |(_, end): &(bool, Option<Timestamp>)| end.is_none_or(|end| end > now);
    let in_use: Vec<_> = keys.into_iter().filter(in_use).collect();
    let has_name = in_use.iter().any(|(is_named, _)| *is_named);
    let mut ends = in_use.iter().filter(|(is_named, _)| *is_named || !has_name).map(|(_, end)| *end).peekable();
    if ends.peek().is_none() {
        return KeyExpiry::NotTold;
    }
    ends.flatten().min().map_or(KeyExpiry::Never, KeyExpiry::At)
}

/// A time as Odoo writes it, in UTC; none for `false`.
fn end(value: &Value) -> Option<Timestamp> {
    let time: DateTime = value.as_str()?.parse().ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_keys_the_one_with_the_name_counts_else_the_first_to_end() {
        let now: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
        let key = |name: &str, end: Value| json!({"id": 1, "name": name, "expiration_date": end});
        let at = |time: &str| KeyExpiry::At(time.parse().unwrap());
        let late = key("shop", json!("2027-02-01 10:00:00"));
        let soon = key("other", json!("2026-12-05 10:00:00"));
        let past = key("shop", json!("2026-11-01 10:00:00"));
        let lasting = key("other", json!(false));
        let expiry = |keys: &[&Value], name| expiry_of(&json!(keys), name, now);
        assert_eq!(expiry(&[&late, &soon, &past], "shop"), at("2027-02-01T10:00:00Z"));
        assert_eq!(expiry(&[&late, &soon, &past], "erp"), at("2026-12-05T10:00:00Z"));
        assert_eq!(expiry(&[&lasting, &late], "other"), KeyExpiry::Never);
        assert_eq!(expiry(&[&past], "shop"), KeyExpiry::NotTold);
        assert_eq!(expiry_of(&json!([]), "shop", now), KeyExpiry::NotTold);
    }
}
