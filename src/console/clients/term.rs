//! For how long a client is served.

use jiff::Timestamp;

use crate::config::Client;

/// A key that expires within so many days is shown as a warning.
const WARNED: i64 = 14;
const DAY: i64 = 86_400;

/// Whether a client is served, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    Active,
    /// Served for so many days more; what has begun counts.
    Until(Timestamp, i64),
    Expired(Timestamp),
    Revoked,
    /// A secret of it is missing.
    NoSecret,
    /// `[policy] own_credentials` is false.
    NotServed,
}

impl Term {
    pub(super) fn of(client: &Client, now: Timestamp) -> Self {
        match client.expires {
            _ if client.is_revoked => Self::Revoked,
            None => Self::Active,
            Some(expires) if expires <= now => Self::Expired(expires),
            Some(expires) => {
                let seconds = expires.duration_since(now).as_secs();
                Self::Until(expires, (seconds + DAY - 1) / DAY)
            }
        }
    }

    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Active => "ok",
            Self::Until(_, days) if *days > WARNED => "ok",
            Self::Until(..) => "doubt",
            Self::Expired(_) | Self::Revoked | Self::NoSecret => "bad",
            Self::NotServed => "quiet",
        }
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Active => "active".to_owned(),
            Self::Until(_, days) if *days > WARNED => "active".to_owned(),
            Self::Until(_, 1) => "! expires within a day".to_owned(),
            Self::Until(_, days) => format!("! expires in {days} days"),
            Self::Expired(_) => "✕ expired".to_owned(),
            Self::Revoked => "✕ revoked".to_owned(),
            Self::NoSecret => "✕ secret missing".to_owned(),
            Self::NotServed => "not served".to_owned(),
        }
    }

    pub(super) fn expires(&self) -> Option<&Timestamp> {
        match self {
            Self::Until(expires, _) | Self::Expired(expires) => Some(expires),
            Self::Active | Self::Revoked | Self::NoSecret | Self::NotServed => None,
        }
    }

    /// How many days are left.
    pub(super) fn days(&self) -> Option<u64> {
        match self {
            Self::Until(_, days) => u64::try_from(*days).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(lines: &str) -> Client {
        let hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
        let text =
            format!("name = \"a\"\nkey_sha256 = \"{hash}\"\nodoo_login = \"bot\"\nodoo_key_env = \"KEY\"\n{lines}");
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn a_key_is_a_warning_for_a_fortnight_before_it_expires() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        for (expires, class, words) in [
            ("2027-11-30", "ok", "active"),
            ("2026-12-14T12:00:01Z", "ok", "active"),
            ("2026-12-14T12:00:00Z", "doubt", "! expires in 14 days"),
            ("2026-11-30T18:00:00Z", "doubt", "! expires within a day"),
            ("2026-11-30T12:00:00Z", "bad", "✕ expired"),
        ] {
            let term = Term::of(&client(&format!("expires = \"{expires}\"")), now);
            assert_eq!((term.class(), &*term.words()), (class, words), "{expires}");
        }
        assert_eq!(Term::of(&client("revoked = true\nexpires = \"2027-01-01\""), now), Term::Revoked);
        assert_eq!(Term::of(&client(""), now), Term::Active);
    }
}
