//! `odoo-gateway console token`: what one signs in to the console with.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use secrecy::ExposeSecret;

use super::Configured;
use crate::{call::auth::clients, control::Control};

const TOKEN_BYTES: usize = 32;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the address of the console and a token: that of the running gateway, or a new one for a person
    Token(Token),
}

#[derive(Debug, Args)]
pub(super) struct Token {
    /// Make a token of its own for this person, and print its entry for the configuration
    name: Option<String>,
    /// What the person may do
    #[arg(long, value_enum, default_value = "read", requires = "name")]
    role: Role,
    #[command(flatten)]
    configured: Configured,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Look at what is recorded, payloads included
    Read,
    /// Run calls again, settle them and work on the queue, too
    Operator,
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Token(token) = self;
        match &token.name {
            Some(name) => new(name, token.role),
            None => of_running(&token.configured),
        }
    }
}

/// The token that the running gateway left beside its log. It changes with each start.
fn of_running(configured: &Configured) -> anyhow::Result<ExitCode> {
    let config = configured.load()?;
    anyhow::ensure!(config.console.enabled, "[console] enabled is false");
    let control = Control::read(&config.log.directory).with_context(|| {
        format!(
            "no gateway runs with the log in {}, or its control.json cannot be read",
            config.log.directory.display()
        )
    })?;
    eprintln!("Sign in at {}/ as operator with this token, until the gateway is started again:\n", control.url);
    println!("{}", control.token.expose_secret());
    Ok(ExitCode::SUCCESS)
}

/// A token that is kept nowhere, and the entry that knows it by its hash.
fn new(name: &str, role: Role) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(!name.is_empty() && !name.contains(char::is_control), "a person needs a name of plain text");
    let mut bytes = [0; TOKEN_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).ok().context("this system gives no random numbers")?;
    let token = const_hex::encode(bytes);
    eprintln!("The token, shown this once. One signs in to the console with it:\n");
    println!("{token}\n");
    eprintln!("The entry for gateway.toml:\n");
    println!("[[console.user]]");
    println!("name = {}", toml::Value::from(name));
    println!("role = \"{}\"", role.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default());
    println!("token_sha256 = \"{}\"", const_hex::encode(clients::digest(&token)));
    Ok(ExitCode::SUCCESS)
}
