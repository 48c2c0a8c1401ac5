//! `check`: API keys of clients that expire in Odoo within two weeks.

use jiff::{SignedDuration, Timestamp};

use super::finding::Finding;
use crate::{
    monitor::AHEAD,
    odoo::{Caller, KeyExpiry},
};

/// A warning where the client's API key expires in Odoo soon; nothing where Odoo does not tell (before 18, or a password).
pub(super) async fn of_key(area: &'static str, name: &str, caller: &Caller) -> Option<Finding> {
    let KeyExpiry::At(end) = caller.key_expiry(name).await.ok()? else { return None };
    let left = end.duration_since(Timestamp::now());
    let when = match left.is_negative() {
        true => format!("has expired on {end}"),
        false => format!("expires in {} days, on {end}", left.as_hours() / SignedDuration::from_hours(24).as_hours()),
    };
    (left <= AHEAD).then(|| {
        let message = format!("the API key of `{name}` in Odoo {when}");
        Finding::warning(area, message, "make a new one there (Preferences, Account Security) and put it in its place")
    })
}
