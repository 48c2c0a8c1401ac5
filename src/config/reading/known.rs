//! The keys that are known, by section, and which of them a misspelt one resembles.

use serde::de::{Deserialize, value::MapDeserializer};

use super::value::{Kind, Mistake};
use crate::config::{
    Admin, Client, Cluster, Compat, Console, ConsoleUser, Delivery, Docs, Fetch, Files, Hook, Idempotency, Limits, Log,
    OwnCredentials, Proxy, Server, Signature, Telemetry, Tls, Upstream,
};

/// How alike two names are at least, of 0 to 1, so that one is taken for the other.
const ALIKE: f64 = 0.6;

/// The known name that is nearest to a misspelt one, if one is near.
pub(in crate::config) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let best = by_likeness(name, known).into_iter().next()?;
    (likeness(name, best) >= ALIKE).then_some(best)
}

/// The known names, the most alike first.
pub(super) fn by_likeness<'k>(name: &str, known: &[&'k str]) -> Vec<&'k str> {
    let mut known = known.to_vec();
    known.sort_by(|one, other| likeness(name, other).total_cmp(&likeness(name, one)));
    known
}

fn likeness(one: &str, other: &str) -> f64 {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    strsim::normalized_damerau_levenshtein(&plain(one), &plain(other))
}

/// The sections that know a key of this name.
pub(super) fn sections_with(key: &str) -> Vec<&'static str> {
    sections().into_iter().filter(|(_, keys)| keys.contains(&key)).map(|(section, _)| section).collect()
}

fn sections() -> [(&'static str, &'static [&'static str]); 21] {
    [
        ("[server]", keys_of::<Server>()),
        ("[tls]", keys_of::<Tls>()),
        ("[admin]", keys_of::<Admin>()),
        ("[console]", keys_of::<Console>()),
        ("[[console.user]]", keys_of::<ConsoleUser>()),
        ("[docs]", keys_of::<Docs>()),
        ("[upstream]", keys_of::<Upstream>()),
        ("[log]", keys_of::<Log>()),
        ("[delivery]", keys_of::<Delivery>()),
        ("[cluster]", keys_of::<Cluster>()),
        ("[compat]", keys_of::<Compat>()),
        ("[files]", keys_of::<Files>()),
        ("[proxy]", keys_of::<Proxy>()),
        ("[limits]", keys_of::<Limits>()),
        ("[policy]", keys_of::<OwnCredentials>()),
        ("[telemetry]", keys_of::<Telemetry>()),
        ("[[client]]", keys_of::<Client>()),
        ("[client.signature]", keys_of::<Signature>()),
        ("[client.idempotency]", keys_of::<Idempotency>()),
        ("[[hook]]", keys_of::<Hook>()),
        ("[hook.fetch]", keys_of::<Fetch>()),
    ]
}

/// What a type says that it knows, when it meets a key that no type has.
fn keys_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let strange = MapDeserializer::<_, Mistake>::new([("", 0)].into_iter());
    match T::deserialize(strange).map(drop) {
        Err(Mistake { kind: Kind::UnknownKey { known, .. }, .. }) => known,
        _ => &[],
    }
}
