//! `odoo-gateway backup` and `restore`: a copy of what the gateway keeps, and its way back. The rules are in
//! [`crate::operations::backup`].

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::{
    Configured,
    terminal::style::{GOOD, WARN, styled},
};
use crate::operations::backup::{self, KindOfStore, Restored};

#[derive(Debug, Args)]
pub(super) struct Backup {
    #[command(flatten)]
    configured: Configured,
    /// A new folder for the copy
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
    /// Copy the configuration and the templates of hooks in its folder, too; files with secrets are left out
    #[arg(long)]
    configuration: bool,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    #[command(flatten)]
    configured: Configured,
    /// The folder of a backup
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// Let queued calls of the backup be delivered at once; otherwise their queues are paused, since some may have been
    /// delivered after the backup was made
    #[arg(long)]
    deliver: bool,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.configured.load()?;
        let file = self.configured.path()?;
        let file = self.configuration.then_some(file.as_path());
        let made = backup::backup(&config, file, &self.into).await?;
        if self.json {
            println!("{}", json!({"folder": self.into, "backup": made}));
            return Ok(ExitCode::SUCCESS);
        }
        let last = made.last_line.map_or(String::new(), |line| format!(", up to line {line}"));
        anstream::println!("{} {}", styled(GOOD, "backed up into"), self.into.display());
        println!("log            segments: {}, blobs: {}{last}", made.segments, made.blobs);
        println!(
            "store          {}",
            match made.store {
                KindOfStore::Sqlite => "copied",
                KindOfStore::Postgresql => "in the PostgreSQL of [cluster] url: back it up by `pg_dump`, after this",
                KindOfStore::None => "there is none yet",
            }
        );
        if self.configuration {
            println!("configuration  files: {}, without secrets", made.configuration.len());
        }
        println!("next: copy the folder to another machine; `odoo-gateway restore --from FOLDER` puts it in place");
        Ok(ExitCode::SUCCESS)
    }
}

impl Restore {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.configured.load()?;
        let Restored { manifest, verified, paused } = backup::restore(&config, &self.from, self.deliver).await?;
        if !verified.is_sound() {
            bail!("the restored log is not sound: `odoo-gateway log verify` shows what is wrong with it");
        }
        if self.json {
            let paused: Vec<_> =
                paused.iter().map(|(client, calls)| json!({"client": client, "calls": calls})).collect();
            println!("{}", json!({"sound": true, "lines": verified.lines, "paused": paused, "backup": manifest}));
            return Ok(ExitCode::SUCCESS);
        }
        anstream::println!("{} the backup of {}", styled(GOOD, "restored"), manifest.made);
        println!(
            "log            sound (segments: {}, lines: {}, blobs: {})",
            verified.segments, verified.lines, verified.blobs
        );
        match manifest.store {
            KindOfStore::Sqlite => println!("store          in {}", config.delivery.directory.display()),
            KindOfStore::Postgresql => {
                println!("store          not in the backup: restore the PostgreSQL by `pg_restore`")
            }
            KindOfStore::None => {}
        }
        for (client, calls) in &paused {
            anstream::println!(
                "{} the queue of `{client}` is paused (calls: {calls}): some may have been delivered since the backup",
                styled(WARN, "note:")
            );
        }
        match paused.is_empty() {
            true => println!("next: `odoo-gateway check`, then start the gateway"),
            false => println!(
                "next: compare `odoo-gateway queue ls` with Odoo, `queue drop` what was delivered, `queue resume CLIENT`"
            ),
        }
        Ok(ExitCode::SUCCESS)
    }
}
