//! What callers may do: the keys that a `[[client]]` and `[policy]` share, and `[policy]` itself.
//!
//! By default a client may do less than a caller with an Odoo credential, since its entry states what it needs.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use crate::{
    literal,
    policy::{Domain, Most, Name, Pattern, Policy},
    route::Route,
};

/// What one caller may do, and how much of it.
#[derive(Debug, Clone)]
pub struct Rules {
    pub policy: Policy,
    pub requests_per_second: Option<NonZeroU32>,
    pub in_flight: Option<NonZeroUsize>,
    /// The networks that it may call from; any, if empty.
    pub addresses: Vec<IpNet>,
}

/// `[policy]`: for callers with an Odoo credential of their own.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "WrittenPolicy")]
pub struct OwnCredentials {
    /// Whether they are served at all.
    pub are_taken: bool,
    pub rules: Rules,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Models {
    #[serde(default = "every_model")]
    allow: Vec<Pattern>,
    #[serde(default)]
    deny: Vec<Pattern>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MaxRecords {
    read: Option<NonZeroU64>,
    write: Option<NonZeroU64>,
}

/// Adds the keys that say what a caller may do to the struct of a section. serde's `flatten` would lose the lines of
/// errors and the names of the known keys.
macro_rules! with_rules {
    ($(#[$meta:meta])* $visible:vis struct $section:ident { $($own:tt)* }) => {
        $(#[$meta])*
        $visible struct $section {
            $($own)*
            #[serde(default = "crate::config::policy::routes_of_clients")]
            routes: Vec<crate::route::Route>,
            #[serde(default)]
            models: crate::config::policy::Models,
            #[serde(default)]
            never_read: Vec<crate::policy::Name>,
            #[serde(default)]
            never_write: Vec<crate::policy::Name>,
            #[serde(default)]
            methods: Vec<crate::policy::Name>,
            #[serde(default)]
            domains: std::collections::BTreeMap<String, crate::policy::Domain>,
            #[serde(default)]
            name_search: std::collections::BTreeMap<String, Vec<String>>,
            #[serde(default)]
            context_flags: Vec<String>,
            #[serde(default)]
            max_records: crate::config::policy::MaxRecords,
            requests_per_second: Option<std::num::NonZeroU32>,
            in_flight: Option<std::num::NonZeroUsize>,
            #[serde(default)]
            files_by_url: bool,
            #[serde(default)]
            addresses: Vec<ipnet::IpNet>,
        }

        impl $section {
            /// `holder` names the caller in sentences; `write` is the default number of records that a write may
            /// change.
            fn rules(&self, holder: String, write: Option<u64>) -> Result<crate::config::policy::Rules, String> {
                let Self {
                    routes, models, never_read, never_write, methods, domains, name_search, context_flags, max_records,
                    requests_per_second, in_flight, files_by_url, addresses, ..
                } = self.clone();
                crate::config::policy::Keys {
                    routes, models, never_read, never_write, methods, domains, name_search, context_flags, max_records,
                    requests_per_second, in_flight, files_by_url, addresses,
                }
                .rules(holder, write)
            }
        }
    };
}
pub(super) use with_rules;

/// The shared keys as they are in the file.
pub(super) struct Keys {
    pub(super) routes: Vec<Route>,
    pub(super) models: Models,
    pub(super) never_read: Vec<Name>,
    pub(super) never_write: Vec<Name>,
    pub(super) methods: Vec<Name>,
    pub(super) domains: BTreeMap<String, Domain>,
    pub(super) name_search: BTreeMap<String, Vec<String>>,
    pub(super) context_flags: Vec<String>,
    pub(super) max_records: MaxRecords,
    pub(super) requests_per_second: Option<NonZeroU32>,
    pub(super) in_flight: Option<NonZeroUsize>,
    pub(super) files_by_url: bool,
    pub(super) addresses: Vec<IpNet>,
}

impl Keys {
    pub(super) fn rules(self, holder: String, write: Option<u64>) -> Result<Rules, String> {
        let Self { models, max_records, domains, name_search, .. } = self;
        whole_names("domains", domains.keys())?;
        whole_names("name_search", name_search.keys())?;
        name_search.iter().try_for_each(|(model, fields)| searched(model, fields))?;
        let policy = Policy {
            holder,
            routes: self.routes,
            allow: models.allow,
            deny: models.deny,
            never_read: self.never_read,
            never_write: self.never_write,
            methods: self.methods,
            domains,
            name_search,
            context_flags: self.context_flags,
            most: Most {
                read: max_records.read.map(NonZeroU64::get),
                write: max_records.write.map(NonZeroU64::get).or(write),
            },
            files_by_url: self.files_by_url,
        };
        Ok(Rules {
            policy,
            requests_per_second: self.requests_per_second,
            in_flight: self.in_flight,
            addresses: self.addresses,
        })
    }
}

/// Checks keys that must be names of models.
fn whole_names<'m>(key: &str, mut models: impl Iterator<Item = &'m String>) -> Result<(), String> {
    match models.find(|model| model.contains('*') || Pattern::read(model).is_none()) {
        None => Ok(()),
        Some(model) => Err(format!("`{key}` has `{model}`, which is no model's name; patterns are not taken there")),
    }
}

/// Checks the fields that a search by name reads: fields or paths, and never the name itself, which says nothing.
fn searched(model: &str, fields: &[String]) -> Result<(), String> {
    let is_name = |name: &str| {
        let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        !name.is_empty() && is_plain && name != "display_name"
    };
    let is_no_path = |path: &&String| !path.split('.').all(is_name);
    match (fields.is_empty(), fields.iter().find(is_no_path)) {
        (true, _) => {
            Err(format!("`name_search` has no fields for `{model}`; list those that Odoo's search by name reads"))
        }
        (_, Some(path)) => {
            Err(format!("`name_search` has `{path}` for `{model}`, which is no stored field or path of fields"))
        }
        (false, None) => Ok(()),
    }
}

with_rules! {
    #[derive(Debug, Clone, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct WrittenPolicy {
        own_credentials: bool,
    }
}

impl TryFrom<WrittenPolicy> for OwnCredentials {
    type Error = String;

    fn try_from(written: WrittenPolicy) -> Result<Self, String> {
        let rules = written.rules("a caller with an Odoo credential of its own".to_owned(), None)?;
        Ok(Self { are_taken: written.own_credentials, rules })
    }
}

impl Default for Models {
    fn default() -> Self {
        Self { allow: every_model(), deny: Vec::new() }
    }
}

fn every_model() -> Vec<Pattern> {
    Pattern::read("*").into_iter().collect()
}

/// `defaults.toml` names the routes of `[policy]`, so this is the default of clients.
pub(super) fn routes_of_clients() -> Vec<Route> {
    Route::OF_CLIENTS.to_vec()
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text)
            .ok_or_else(|| D::Error::custom(format!("`{text}` is no pattern of a model's name, such as \"sale.*\"")))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| {
            let due = "a model and behind the last dot a field or method, such as \"res.partner.vat\" or \"*.wage\"";
            D::Error::custom(format!("`{text}` is not {due}"))
        })
    }
}

impl<'de> Deserialize<'de> for Domain {
    /// Reads a list, or Odoo's Python literal in a text.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Value::deserialize(deserializer)? {
            Value::String(text) => {
                literal::parse(&text).map_err(|error| D::Error::custom(format!("`{text}` is no domain: {error}")))?
            }
            other => other,
        };
        Self::read(&value).map_err(|error| D::Error::custom(format!("the domain {value} {error}")))
    }
}
