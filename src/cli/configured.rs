//! Which configuration file a command uses.
//!
//! All commands look at the same places in the same order, and one that finds no file names all of them.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use clap::Args;

use super::shell;
use crate::config::Config;

const VARIABLE: &str = "ODOO_GATEWAY_CONFIG";

/// Where the file is looked for, when nobody names it.
const PLACES: [&str; 2] = ["gateway.toml", "/etc/odoo-gateway/gateway.toml"];

#[derive(Debug, Clone, Default, Args)]
pub(super) struct Configured {
    /// The configuration file; otherwise ./gateway.toml, otherwise /etc/odoo-gateway/gateway.toml
    #[arg(long = "config", value_name = "FILE", env = VARIABLE)]
    named: Option<PathBuf>,
}

impl Configured {
    /// The file that is meant: the one that is named, or the first that exists.
    ///
    /// # Errors
    /// There is none. The message says where it was looked for.
    pub(super) fn path(&self) -> anyhow::Result<PathBuf> {
        self.path_within(Path::new("."), &PLACES)
    }

    /// The configuration.
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub(super) fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.path()?)?)
    }

    /// The file that is to be made: the one that is named, or `gateway.toml` in this folder.
    pub(super) fn target(&self) -> PathBuf {
        self.named.clone().unwrap_or_else(|| PathBuf::from(PLACES[0]))
    }

    /// ` --config FILE`, which a command that is shown to a person needs as well; empty where the file is found without it.
    pub(super) fn as_option(&self) -> String {
        match &self.named {
            Some(named) if std::env::var_os(VARIABLE).is_none_or(|variable| variable != named.as_os_str()) => {
                format!(" --config {}", shell::word(&named.display().to_string()))
            }
            _ => String::new(),
        }
    }

    fn path_within(&self, folder: &Path, places: &[&str]) -> anyhow::Result<PathBuf> {
        if let Some(named) = &self.named {
            let hint = "`odoo-gateway init` makes a configuration";
            anyhow::ensure!(named.exists(), "there is no file {} (--config or {VARIABLE}); {hint}", named.display());
            return Ok(named.clone());
        }
        let found = places.iter().find(|place| folder.join(place).is_file());
        if let Some(found) = found {
            return Ok(PathBuf::from(found));
        }
        let mut said = String::from("there is no configuration. It was looked for, in this order:");
        for (place, state) in [("--config FILE", "not given"), (VARIABLE, "not set")] {
            write!(said, "\n  {place:<32}{state}")?;
        }
        for place in places {
            let shown = if Path::new(place).is_absolute() { (*place).to_owned() } else { format!("./{place}") };
            write!(said, "\n  {shown:<32}not there")?;
        }
        anyhow::bail!("{said}\n`odoo-gateway init` makes one.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_has_the_file_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("second.toml"), "").unwrap();
        let found = Configured::default().path_within(folder.path(), &["first.toml", "second.toml"]).unwrap();
        assert_eq!(found, Path::new("second.toml"));
    }

    #[test]
    fn all_places_are_named_where_there_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let said =
            Configured::default().path_within(folder.path(), &["gateway.toml", "/nowhere/gateway.toml"]).unwrap_err();
        let said = said.to_string();
        for part in ["--config", VARIABLE, "./gateway.toml", "/nowhere/gateway.toml", "odoo-gateway init"] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
    }

    #[test]
    fn a_named_file_that_does_not_exist_is_not_replaced_by_another() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("gateway.toml"), "").unwrap();
        let named = Configured { named: Some(folder.path().join("other.toml")) };
        assert!(named.path_within(folder.path(), &["gateway.toml"]).unwrap_err().to_string().contains("other.toml"));
    }
}
