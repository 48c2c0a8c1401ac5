//! `odoo-gateway client new`: makes a key or a secret for signatures, and the entry for the configuration, which does not give it
//! away. With `--append` the entry goes into the file, so that a gateway that runs takes the client without a restart.

mod entry;
mod secret;

use std::{
    fs,
    path::{Path, PathBuf, absolute},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;

use self::{
    entry::{Entry, Place},
    secret::{Scheme, Secret},
};
use crate::{
    cli::{
        Configured,
        configuration::{append, check_name, keep, variable},
        terminal::style::{WARN, styled},
    },
    config::Config,
};

#[derive(Debug, Args)]
pub(crate) struct New {
    /// What the client is called in the configuration and in the log
    name: String,
    /// It shows no key but signs its requests, in this way
    #[arg(long, value_name = "SCHEME")]
    signed: Option<Scheme>,
    /// Write the entry into the configuration; a gateway that runs takes it within seconds
    #[arg(long, requires = "odoo_login")]
    append: bool,
    /// Write the key into this new file, which only its owner can read, instead of printing it
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The Odoo user that the client acts as
    #[arg(long, value_name = "LOGIN")]
    odoo_login: Option<String>,
    /// The file with an API key of that user, as the configuration names it: a relative one is beside the configuration
    #[arg(long, value_name = "FILE", conflicts_with = "odoo_key_env")]
    odoo_key_file: Option<PathBuf>,
    /// The environment variable of the gateway that has an API key of that user
    #[arg(long, value_name = "VARIABLE")]
    odoo_key_env: Option<String>,
    /// The routes that it may use, with commas between them, such as create_update_data,search_data
    #[arg(long, value_name = "ROUTES", value_delimiter = ',')]
    routes: Vec<String>,
    /// The models that it may touch, with commas between them, such as res.partner,sale.order*
    #[arg(long, value_name = "MODELS", value_delimiter = ',')]
    models: Vec<String>,
    /// Print what was made as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configured: Configured,
}

impl New {
    /// Prints the secret, which is kept nowhere else, and the entry for the configuration.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let name = self.name.as_str();
        check_name(name)?;
        let file = if self.append { Some(self.free_in()?) } else { None };
        let secret = Secret::make(self.signed, &variable(name))?;
        ensure!(
            self.key_file.is_none() || secret.text().is_some(),
            "--key-file is for a secret that is made here; this sender has one of its own"
        );
        let entry = self.entry(&secret)?;
        entry.check()?;
        if let (Some(path), Some(text)) = (&self.key_file, secret.text()) {
            keep(path, text)?;
        }
        if let Some(file) = &file
            && let Err(error) = append(file, &entry.text())
        {
            // The key of an entry that is not there opens nothing.
            let _ = self.key_file.as_ref().map(fs::remove_file);
            return Err(error);
        }
        if self.json {
            println!("{}", self.report(&secret, &entry, file.as_deref()));
        } else {
            self.tell(&secret, &entry, file.as_deref());
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The configuration, in which no client has this name yet.
    fn free_in(&self) -> anyhow::Result<PathBuf> {
        let path = self.configured.path()?;
        let config = Config::load(&path)?;
        ensure!(
            config.clients.iter().all(|client| client.name != self.name),
            "there is a [[client]] `{}` in `{}` already; each has a name of its own, also one that is revoked",
            self.name,
            path.display()
        );
        Ok(path)
    }

    fn entry(&self, secret: &Secret) -> anyhow::Result<Entry> {
        let odoo_key = match (&self.odoo_key_file, &self.odoo_key_env) {
            (Some(file), _) => Place::File(file.clone()),
            (None, Some(variable)) => Place::Variable(variable.clone()),
            (None, None) => Place::Variable(format!("{}_ODOO_KEY", variable(&self.name))),
        };
        let signing = match &self.key_file {
            Some(file) => Place::File(absolute(file).context("--key-file")?),
            None => Place::Variable(format!("{}_SECRET", variable(&self.name))),
        };
        Ok(Entry {
            name: self.name.clone(),
            odoo_login: self.odoo_login.clone(),
            odoo_key,
            routes: self.routes.clone(),
            models: self.models.clone(),
            shows: secret.shows(signing),
        })
    }

    /// For programs.
    fn report(&self, secret: &Secret, entry: &Entry, file: Option<&Path>) -> serde_json::Value {
        let printed = secret.text().filter(|_| self.key_file.is_none());
        json!({
            "name": self.name, "config": file, "key_file": self.key_file, "key": printed,
            "odoo_login": self.odoo_login, "entry": entry.text(),
        })
    }

    /// For a person: the secret and the entry on standard output, words on standard error.
    fn tell(&self, secret: &Secret, entry: &Entry, file: Option<&Path>) {
        eprintln!("{}\n", secret.words(self.key_file.as_deref()));
        if let (None, Some(text)) = (&self.key_file, secret.text()) {
            println!("{text}\n");
        }
        let Some(file) = file else {
            eprintln!("{}\n", entry.words());
            print!("{}", entry.text());
            return;
        };
        println!(
            "`{}` has a new [[client]] `{}`; a gateway that runs with it takes it within seconds.",
            file.display(),
            self.name
        );
        if let Some(why) = entry.odoo_key.lack(file) {
            anstream::eprintln!("{} {why}", styled(WARN, "!"));
        }
        if self.routes.is_empty() && self.models.is_empty() {
            eprintln!(
                "It may use all routes but delete_data, no methods, and all models that give no power: docs/policy.md says how to narrow it."
            );
        }
    }
}
