//! `odoo-gateway client revoke`: writes `revoked = true` into the client's entry. Everything else in the file stays,
//! comments included. The entry stays, too, so that its name in the log never means a different client.

use std::{fs, process::ExitCode};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use toml_edit::{DocumentMut, Item, value};

use crate::{
    cli::{Configured, configuration::replace},
    config::Config,
    operations::near::did_you_mean,
};

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The client's name
    name: String,
    #[command(flatten)]
    configured: Configured,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl Revoke {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let path = &self.configured.path()?;
        let config = Config::load(path)?;
        let Some(client) = config.clients.iter().find(|client| client.name == self.name) else {
            let names: Vec<&str> = config.clients.iter().map(|client| client.name.as_str()).collect();
            let meant = did_you_mean(&self.name, names.iter().copied());
            bail!("there is no [[client]] `{}`{meant}; there are: {}", self.name, names.join(", "));
        };
        if client.is_revoked {
            match self.json {
                true => println!("{}", json!({"name": self.name, "revoked": true, "changed": false})),
                false => println!("`{}` is revoked already", self.name),
            }
            return Ok(ExitCode::SUCCESS);
        }
        let by_hand = || format!("cannot change `{}`; put `revoked = true` into the entry by hand", path.display());
        let text = revoked(&fs::read_to_string(path)?, &self.name).with_context(by_hand)?;
        replace(path, &text).with_context(by_hand)?;
        if self.json {
            println!("{}", json!({"name": self.name, "revoked": true, "changed": true}));
            return Ok(ExitCode::SUCCESS);
        }
        println!("`{}` is revoked: a gateway that runs with this file reads it within seconds, and says so", self.name);
        Ok(ExitCode::SUCCESS)
    }
}

/// The file's text with the client revoked.
fn revoked(text: &str, name: &str) -> anyhow::Result<String> {
    let mut document: DocumentMut = text.parse()?;
    let entries = document.get_mut("client").and_then(Item::as_array_of_tables_mut);
    let entries = entries.context("its clients are written in another way than as [[client]]")?;
    let entry = entries.iter_mut().find(|entry| entry.get("name").and_then(Item::as_str) == Some(name));
    entry.context("its entry is not found")?.insert("revoked", value(true));
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_entry_is_changed() {
        let text = "# who\n[[client]]\nname = \"a\" # first\n\n[[client]] # second\nname = 'b'\nrevoked = false\n[client.signature]\nscheme = \"github\"\n";
        let expected = text.replace("revoked = false", "revoked = true");
        assert_eq!(revoked(text, "b").unwrap(), expected);
        assert_eq!(revoked(text, "a").unwrap(), text.replace("# first\n", "# first\nrevoked = true\n"));
        assert!(revoked("client = []", "a").is_err());
    }
}
