//! `odoo-gateway hook`: what the author of a hook works with.

mod captured;
mod curl;
mod new;
mod sample;
mod shown;
mod test;
mod tried;
mod watch;

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;

use super::{Configured, log, terminal, words};
use crate::{
    config::{self, Config},
    operations::near::did_you_mean,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write what a sender needs that there is a preset for, and say what is to be clicked there
    New(new::New),
    /// Show what a hook makes of a delivery: calls, plan and what Odoo would refuse. Nothing is written
    Test(test::Test),
    /// Show what came to a hook while its `capture` was on
    Captured(captured::Captured),
}

pub(super) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::New(args) => args.run(),
        Command::Test(args) => args.run().await,
        Command::Captured(args) => args.run(),
    }
}

/// The hook with this path, or with this name behind `/hooks/`.
fn entry<'c>(config: &'c Config, name: &str) -> anyhow::Result<&'c config::Hook> {
    let named = |hook: &&config::Hook| hook.name() == name || hook.path.written() == name;
    let behind = name.strip_prefix("/hooks/").unwrap_or(name);
    let found = config.hooks.iter().find(named).or_else(|| config.hooks.iter().find(|hook| hook.name() == behind));
    let Some(found) = found else {
        let paths: Vec<String> = config.hooks.iter().map(|hook| hook.path.written()).collect();
        let meant = did_you_mean(behind, config.hooks.iter().map(config::Hook::name));
        bail!("there is no [[hook]] `{name}`{meant}; there are: {}", paths.join(", "));
    };
    Ok(found)
}
