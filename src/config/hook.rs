//! `[[hook]]`: paths for senders with a payload of their own, and the route that it is converted for.

use std::{collections::HashSet, path::PathBuf};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    client::Client,
    delivery::{Mode, Ordering, WhenDown},
};
use crate::route::Route;

const PREFIX: &str = "/hooks/";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// The path behind `/hooks/`.
    #[serde(rename = "path", deserialize_with = "name")]
    pub name: String,
    /// The `[[client]]` that the sender is.
    pub client: String,
    pub route: Route,
    pub model: String,
    /// A file with a jq filter. A relative path is resolved against the configuration's folder.
    pub template: PathBuf,
    /// Whether its sender is answered when the call has ended, or as soon as it is stored; as its client, where nothing is said.
    pub delivery: Option<Mode>,
    pub when_down: Option<WhenDown>,
    pub ordering: Option<Ordering>,
    /// A jq expression over what the template gives: deliveries with the same value go one after another. Without one, model and
    /// search key.
    pub ordering_key: Option<String>,
}

impl Hook {
    pub fn path(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }
}

/// Checks what concerns several sections together.
pub(super) fn check(hooks: &[Hook], clients: &[Client]) -> Result<(), String> {
    let mut names = HashSet::new();
    for hook in hooks {
        let path = hook.path();
        if !names.insert(&hook.name) {
            return Err(format!("two [[hook]] entries have the path `{path}`"));
        }
        let Some(client) = clients.iter().find(|client| client.name == hook.client) else {
            return Err(format!("[[hook]] `{path}`: there is no [[client]] named `{}`", hook.client));
        };
        if hook.model.is_empty() {
            return Err(format!("[[hook]] `{path}`: `model` must not be empty"));
        }
        if !client.rules.policy.routes.contains(&hook.route) {
            let (client, route) = (&client.name, hook.route.name());
            return Err(format!(
                "[[hook]] `{path}`: the client `{client}` may not call `{route}`: it is not in its `routes`"
            ));
        }
    }
    Ok(())
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match path.strip_prefix(PREFIX) {
        Some(name) if !name.is_empty() && name.chars().all(is_plain) => Ok(name.to_owned()),
        _ => Err(D::Error::custom(format!(
            "`{path}` must be {PREFIX} and a name of letters, digits, dashes and underscores"
        ))),
    }
}
