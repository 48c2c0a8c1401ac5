//! `odoo-gateway client`: the callers that the gateway knows by a key of its own or by their signature.

mod list;
mod new;
mod revoke;

use std::process::ExitCode;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key for a new [[client]], or a secret for its signatures; it is shown this once
    New(new::New),
    /// List the clients, what they may do, and when they called last
    List(list::List),
    /// Let a client in no more; a gateway that runs does so within seconds
    Revoke(revoke::Revoke),
}

pub(super) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::New(args) => args.run(),
        Command::List(args) => args.run().await,
        Command::Revoke(args) => args.run(),
    }
}
