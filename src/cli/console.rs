//! `odoo-gateway console token`: what one signs in to the console with.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    Configured,
    configuration::{append, check_name, keep},
};
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
    /// Write the entry into the configuration; a gateway that runs takes it within seconds
    #[arg(long, requires = "name")]
    append: bool,
    /// Write the token into this new file, which only its owner can read, instead of printing it
    #[arg(long, value_name = "FILE", requires = "name")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    configured: Configured,
    /// As one JSON object
    #[arg(long)]
    json: bool,
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
            Some(name) => new(name, &token),
            None => of_running(&token.configured, token.json),
        }
    }
}

/// The token that the running gateway left beside its log. It changes with each start.
fn of_running(configured: &Configured, is_json: bool) -> anyhow::Result<ExitCode> {
    let config = configured.load()?;
    anyhow::ensure!(config.console.enabled, "[console] enabled is false");
    let control = Control::read(&config.log.directory).with_context(|| {
        format!(
            "no gateway runs with the log in {}, or its control.json cannot be read",
            config.log.directory.display()
        )
    })?;
    if is_json {
        println!("{}", json!({"url": format!("{}/", control.url), "token": control.token.expose_secret()}));
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("Sign in at {}/ as operator with this token, until the gateway is started again:\n", control.url);
    println!("{}", control.token.expose_secret());
    Ok(ExitCode::SUCCESS)
}

/// A token that is kept nowhere else, and the entry that knows it by its hash.
fn new(name: &str, args: &Token) -> anyhow::Result<ExitCode> {
    check_name(name)?;
    let mut bytes = [0; TOKEN_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).ok().context("this system gives no random numbers")?;
    let token = const_hex::encode(bytes);
    let role = args.role.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let entry = format!(
        "[[console.user]]\nname = {}\nrole = \"{role}\"\ntoken_sha256 = \"{}\"\n",
        toml::Value::from(name),
        const_hex::encode(clients::digest(&token))
    );
    let file = if args.append { Some(args.configured.path()?) } else { None };
    if let Some(path) = &args.token_file {
        keep(path, &token)?;
    }
    if let Some(file) = &file
        && let Err(error) = append(file, &entry)
    {
        let _ = args.token_file.as_ref().map(fs::remove_file);
        return Err(error);
    }
    if args.json {
        let shown = args.token_file.is_none().then_some(&token);
        let [token_file, configuration] =
            [args.token_file.as_deref(), file.as_deref()].map(|path| path.map(|path| path.display().to_string()));
        println!(
            "{}",
            json!({
                "name": name, "role": role, "token": shown, "token_file": token_file, "configuration": configuration,
                "entry": entry,
            })
        );
        return Ok(ExitCode::SUCCESS);
    }
    match &args.token_file {
        Some(path) => eprintln!("The token is in `{}`, which only its owner can read.\n", path.display()),
        None => {
            eprintln!("The token, shown this once. One signs in to the console with it:\n");
            println!("{token}\n");
        }
    }
    match &file {
        Some(file) => {
            println!(
                "`{}` has a new [[console.user]] `{name}`; a gateway that runs with it takes it within seconds.",
                file.display()
            );
        }
        None => {
            eprintln!("The entry for gateway.toml:\n");
            print!("{entry}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
