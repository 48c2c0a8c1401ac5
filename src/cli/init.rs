//! `odoo-gateway init`: from an address of Odoo to a configuration and a first call that works.
//!
//! Everything that is asked can be given as a flag. Without a terminal nothing is asked, and what lacks is named. Nothing is written
//! before all of it is known, an existing file is not overwritten, and no secret goes into the file: the credential is tried by a
//! login and forgotten. The conversation goes to standard error, what comes next to standard output.

mod account;
mod address;
mod ask;
mod database;
mod file;
mod first_call;
mod key_menu;
mod listen;
mod next;
mod reach;

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::json;

use self::{account::Given, ask::Ask, file::Settings};
use super::{
    Configured, check,
    terminal::{
        plain,
        style::{GOOD, WARN, styled},
    },
};

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Odoo's address, such as https://erp.example.com or 127.0.0.1:8069
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A file with the certificate authorities, in PEM, that Odoo's certificate is checked against
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Odoo's database
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The login of the Odoo user whose credential is tried
    #[arg(long, value_name = "LOGIN", env = "ODOO_LOGIN")]
    login: Option<String>,
    /// A file with an API key of that user; otherwise the variable ODOO_API_KEY
    #[arg(long, value_name = "FILE", conflicts_with = "password_file")]
    key_file: Option<PathBuf>,
    /// A file with the password of that user
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Try no credential
    #[arg(long, conflicts_with_all = ["key_file", "password_file"])]
    no_login: bool,
    /// Where callers reach the gateway: a port of this machine, or an address with a port [default: 8080, or the next free one]
    #[arg(long, value_name = "PORT")]
    listen: Option<String>,
    /// Where health, metrics and the console are [default: 8081, or the next free one]
    #[arg(long, value_name = "PORT")]
    admin: Option<String>,
    #[command(flatten)]
    configured: Configured,
    /// Overwrite the file where it exists
    #[arg(long)]
    force: bool,
    /// Print what was found and written as one JSON object; `check` is not run
    #[arg(long)]
    json: bool,
}

impl Init {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let path = self.configured.target();
        file::check_is_free(&path, self.force)?;
        let ask = Ask::of_terminal();
        let found = reach::find(&ask, self.url.as_deref(), self.ca.as_deref()).await?;
        found_it(&format!("Odoo {} answers at {}", found.release, address::shown(&found.url)));
        let database = database::find(&ask, &found, self.database.as_deref()).await?;
        let given = Given {
            login: self.login.clone(),
            key_file: self.key_file.clone(),
            password_file: self.password_file.clone(),
            is_none: self.no_login,
        };
        let account = account::find(&ask, &found, &database, given).await?;
        let server = listen::find(&ask, &listen::SERVER, self.listen.as_deref(), None)?;
        let admin = listen::find(&ask, &listen::ADMIN, self.admin.as_deref(), Some(server))?;
        let settings = Settings {
            url: address::shown(&found.url),
            release: found.release.to_string(),
            database,
            ca: found.ca.clone(),
            server,
            admin,
        };
        let mode = file::write(&path, &settings, self.force)?;
        found_it(&format!("`{}` is written (mode {mode:04o}); no secret is in it", path.display()));
        let notes = account.as_ref().map(|account| account.notes.clone()).unwrap_or_default();
        notes.iter().for_each(|note| warn(note));
        if self.json {
            let report = json!({
                "config": path, "mode": format!("{mode:04o}"), "database": settings.database,
                "odoo": {"url": settings.url, "version": found.release.version, "edition": found.release.edition},
                "login": account.as_ref().map(|account| &account.login),
                "credential": account.as_ref().map(|account| account.kind),
                "listen": settings.server, "admin": settings.admin, "notes": notes,
                "first_call": first_call::curl(server),
            });
            println!("{report}");
            return Ok(ExitCode::SUCCESS);
        }
        anstream::eprintln!("\n`odoo-gateway check` says:\n");
        let checked = check::run(&path).await?;
        next::print(&self.configured, &settings, account.as_ref())?;
        Ok(checked)
    }
}

/// Says what was found out, for a person. Some of it was told by a server that nobody knows yet.
fn found_it(words: &str) {
    anstream::eprintln!("{} {}", styled(GOOD, "✓"), plain(words));
}

/// Says what is wrong and goes on.
fn warn(words: &str) {
    anstream::eprintln!("{} {}", styled(WARN, "!"), plain(words));
}
