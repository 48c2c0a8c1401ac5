//! `hook test`: what a hook makes of a delivery. Nothing is written or logged.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;

use super::{
    Configured, curl, entry, sample, shown,
    terminal::pager::{Out, Paging},
    tried, watch,
};
use crate::hook::{Hooks, module_files};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  odoo-gateway hook test shopify --body order.json --header 'X-Shopify-Topic: orders/create'\n  \
                  odoo-gateway hook test shopify --last --watch\n  odoo-gateway hook test shopify --body order.json --sign"
)]
pub(in crate::cli) struct Test {
    /// The hook: its path, or what of it stands behind /hooks/
    name: String,
    #[command(flatten)]
    given: sample::Given,
    /// Also show the request as its sender would sign it, with a curl that sends it
    #[arg(long)]
    sign: bool,
    /// Run again when the template, the body or the configuration changes
    #[arg(long)]
    watch: bool,
    /// One JSON object a run
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    configured: Configured,
}

impl Test {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        if !self.watch {
            return self.once().await;
        }
        loop {
            let seen = watch::Seen::of(self.files());
            if let Err(error) = self.once().await {
                eprintln!("odoo-gateway: {}", super::words(&error));
            }
            let changed = seen.changed().await;
            eprintln!("\n── {} has changed", changed.display());
        }
    }

    async fn once(&self) -> anyhow::Result<ExitCode> {
        let config = self.configured.load()?;
        let entry = entry(&config, &self.name)?;
        let sample = sample::taken(&config, entry, &self.given).await?;
        let curl =
            if self.sign { Some(curl::signed(&config, entry, &sample, self.given.body.as_deref())?) } else { None };
        let hooks = Hooks::load(std::slice::from_ref(entry))?;
        let tried = tried::of(&config, &hooks, entry, &sample).await?;
        // While files are watched, the output stands below that of the run before.
        let is_full = !std::io::stdout().is_terminal();
        let mut out = if self.watch || self.json { Out::direct() } else { Out::paged(self.paging) };
        if self.json {
            writeln!(out, "{}", shown::json(entry, &sample, &tried, curl.as_ref()))?;
        } else {
            write!(out, "{}", shown::text(entry, &sample, &tried, curl.as_ref(), is_full))?;
        }
        out.finish()?;
        Ok(if tried.is_refused() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// The files whose change has it run again.
    fn files(&self) -> Vec<PathBuf> {
        let named = self.configured.load();
        let named = named.map(|config| [config.files(), module_files(&config.hooks)].concat()).unwrap_or_default();
        let body = self.given.body.iter().filter(|body| body.as_os_str() != "-").cloned();
        self.configured.path().into_iter().chain(body).chain(named).collect()
    }
}
