//! `odoo-gateway openapi`: prints the interface as an OpenAPI 3.1 document.

use std::{io::Write, path::Path, process::ExitCode};

use super::Configured;
use crate::{
    config::Config,
    openapi::{About, Document},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  odoo-gateway openapi --url https://gateway.example.com > openapi.json")]
pub(super) struct Args {
    #[command(flatten)]
    configured: Configured,
    /// The address by which the gateway is called, which the document names
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = configuration(&args.configured.config)?;
    let hooks = config.as_ref().map_or(&[][..], |config| &config.hooks);
    let document = Document::new(About { url: args.url.as_deref(), hooks });
    print(&document)?;
    Ok(ExitCode::SUCCESS)
}

/// The configuration. The routes are the same without one, so that none need be there.
fn configuration(path: &Path) -> anyhow::Result<Option<Config>> {
    if !path.exists() {
        eprintln!("{} is not there: hooks are not in the document", path.display());
        return Ok(None);
    }
    Ok(Some(Config::load(path)?))
}

fn print(document: &Document) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, document.as_json())?;
    writeln!(out)?;
    Ok(())
}
