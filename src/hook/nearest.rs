//! The hook that a misspelt path is meant for. The operator alone is told: a hook's path may be all that a stranger lacks.

use super::{Hooks, PREFIX};

/// Longer paths are not compared.
const LONGEST: usize = 200;

impl Hooks {
    /// Whether there is any.
    pub fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a path is one of those that hooks have.
    pub fn owns(path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    /// The path of the hook, as it stands in the configuration, that a path without a hook is closest to: up to one letter in
    /// three differs. What stands behind the name may be a token, and is not looked at.
    pub fn nearest(&self, path: &str) -> Option<String> {
        let behind = path.strip_prefix(PREFIX)?.trim_end_matches('/');
        let before_token = behind.rsplit_once('/').map(|(name, _)| name);
        let names: Vec<String> = [Some(behind), before_token].into_iter().flatten().map(str::to_lowercase).collect();
        if behind.len() > LONGEST {
            return None;
        }
        let distance = |name: &str| names.iter().map(|given| strsim::osa_distance(given, name)).min();
        let near = |name: &str| distance(name).filter(|distance| *distance <= (name.chars().count() / 3).max(1));
        let hooks = self.0.iter().filter_map(|(name, hook)| Some((near(&name.to_lowercase())?, name, hook)));
        hooks.min_by_key(|(distance, name, _)| (*distance, *name)).map(|(_, _, hook)| hook.entry.path.written())
    }
}
