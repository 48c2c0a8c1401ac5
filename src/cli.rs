//! The command line: `odoo-gateway init`, `serve`, `check`, `status`, `client …`, `hook …`, `log …`, `queue …`, `replay`,
//! `openapi`, `explain`, `console …`, `completions` and `man`.
//!
//! Data goes to standard output, everything else to standard error. Exit status 0 is success, 1 a failure, 2 a mistake in
//! the command line itself; `status` has 3 where no gateway runs.

mod backup;
mod check;
mod client;
mod completions;
mod configuration;
mod configured;
mod console;
mod explain;
mod hook;
mod init;
mod log;
mod messages;
mod mistakes;
mod openapi;
mod queue;
mod replay;
mod serve;
mod shadow;
mod shell;
mod status;
mod terminal;

use std::{env, fs, path::PathBuf, pin::Pin, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

use self::{
    configured::Configured,
    messages::Messages,
    terminal::style::{BAD, styled},
};
use crate::{config, key_texts::mask_keys};

/// The exit status of a mistake in the command line.
const MISTAKE: i32 = 2;

/// Behind the help of the program.
const EXIT_STATUS: &str = "\
Exit status:
  0  done; of `log verify` the log is sound, of `check` nothing fails
  1  failed, refused or not found; the sentence on standard error says what
  2  a mistake in the command line
  3  of `status`: no gateway runs
  A command that tells more by its exit status says so in its own --help.

Output for people fits the terminal, has its colours where NO_COLOR is not set, and goes through a pager where it is long
($ODOO_GATEWAY_PAGER, $PAGER or `less`; --no-pager). Where it is no terminal, nothing is cut or left out.
With --json every command writes JSON: one object, or one a line. Errors are {\"error\": {\"message\"}} on standard error.";

/// Tasks that still run when the command has ended get this long.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A gateway in front of Odoo: webhook-style JSON in, the fewest Odoo calls out, a log of it all.
#[derive(Debug, Parser)]
#[command(
    name = "odoo-gateway",
    version,
    long_version = env!("ODOO_GATEWAY_VERSION"),
    propagate_version = true,
    after_help = EXIT_STATUS
)]
struct Cli {
    /// How the program says on standard error what it does, and `serve` which calls it makes
    #[arg(long, global = true, value_name = "FORMAT", default_value = "auto", env = "ODOO_GATEWAY_MESSAGES")]
    messages: Messages,
    /// Write what the program says into this file and not to standard error; it may be moved away at any time
    #[arg(long, global = true, value_name = "FILE", env = "ODOO_GATEWAY_MESSAGES_FILE")]
    messages_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a configuration: find Odoo and its database, try a login, and print a first call that works
    Init(init::Init),
    /// Run the gateway until SIGTERM or Ctrl-C
    Serve(Configured),
    /// Check the configuration, ports, certificates, disk and Odoo; each finding has what to do
    ///
    /// Exits with 0 where the gateway can start, 1 where it cannot (or, with --deny-warnings, where there are warnings), 2 for a
    /// wrong command line.
    Check(check::Check),
    /// Say how the gateway that runs is: what it does, how busy it is, what needs a person
    Status(status::Options),
    /// Copy the log and the store into a folder, while the gateway runs
    Backup(backup::Backup),
    /// Put a backup in place, where there is no log and no store yet
    Restore(backup::Restore),
    /// Look at the interface log, whether the gateway runs or not
    #[command(subcommand)]
    Log(log::Command),
    /// Look at calls that are queued or have an idempotency key, whether the gateway runs or not
    #[command(subcommand)]
    Queue(queue::Command),
    /// Send recorded calls again
    Replay(replay::Args),
    /// Compare the gateway with the addon: recorded reads are sent to both, writes to none
    Shadow(Box<shadow::Args>),
    /// Print the interface as an OpenAPI 3.1 document
    Openapi(openapi::Args),
    /// Callers that the gateway knows by a key of its own or by their signature
    #[command(subcommand)]
    Client(client::Command),
    /// Paths for senders with a payload of their own
    #[command(subcommand)]
    Hook(hook::Command),
    /// Tell the cause of an error code, and what to do about it
    Explain(explain::Explain),
    /// The console in the browser
    #[command(subcommand)]
    Console(console::Command),
    /// Print what a shell completes: bash, zsh or fish
    Completions(completions::Completions),
    /// Write the pages of the manual, one for each command
    Man(completions::Pages),
    /// Runs templates for the gateway that starts it
    #[command(name = crate::hook::COMMAND, hide = true)]
    HookWorker,
}

/// Runs what the command line says.
pub fn run() -> ExitCode {
    let is_json = wants_json();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if is_json && error.exit_code() == MISTAKE => {
            let words = error.render().to_string();
            tell_json(words.trim().trim_start_matches("error: "));
            return ExitCode::from(MISTAKE.unsigned_abs().try_into().unwrap_or(u8::MAX));
        }
        Err(error) => error.exit(),
    };
    let place = match cli.messages_file.as_deref().map(messages::Place::into_file) {
        None => messages::Place::StandardError,
        Some(Ok(place)) => place,
        Some(Err(error)) => {
            anstream::eprintln!("{} --messages-file: {error}", styled(BAD, "odoo-gateway:"));
            return ExitCode::FAILURE;
        }
    };
    let _lines = messages::start(cli.messages, matches!(cli.command, Command::Serve(_)), place);
    match dispatch(cli.command) {
        Ok(code) => code,
        // The reader of the output has closed it.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let words = words(&error);
            let said = mask_keys(&words);
            match (is_json, error.downcast_ref().and_then(mistakes::drawn)) {
                (true, _) => tell_json(&said),
                (false, Some(drawn)) => {
                    anstream::eprintln!("{drawn}");
                    // What was to be done with the file.
                    for context in error.chain().take_while(|cause| !cause.is::<config::Error>()) {
                        anstream::eprintln!("{} {}", styled(BAD, "odoo-gateway:"), mask_keys(&context.to_string()));
                    }
                }
                (false, None) => anstream::eprintln!("{} {said}", styled(BAD, "odoo-gateway:")),
            }
            ExitCode::FAILURE
        }
    }
}

/// Whether the output is for a program, which then gets errors as JSON, too.
fn wants_json() -> bool {
    env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

fn tell_json(message: &str) {
    eprintln!("{}", serde_json::json!({"error": {"message": message}}));
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// An error and its causes, except for those that its text contains already.
fn words(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        text if text.contains(&cause) => text.to_owned(),
        text => format!("{text}: {cause}"),
    })
}

/// The user of this system, before `sudo` where that was used.
fn user() -> String {
    let id = rustix::process::getuid().as_raw();
    let known = || {
        // name:password:uid:…
        let users = fs::read_to_string("/etc/passwd").ok()?;
        let mut users = users.lines().map(|line| line.split(':'));
        users
            .find_map(|mut user| Some((user.next()?, user.nth(1)?)).filter(|(_, uid)| *uid == id.to_string()))
            .map(|(name, _)| name.to_owned())
    };
    env::var("SUDO_USER").ok().or_else(known).unwrap_or_else(|| format!("user {id}"))
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    let run = |command: Pin<Box<dyn Future<Output = anyhow::Result<ExitCode>>>>| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(command);
        // A template that does not end is not waited for.
        runtime.shutdown_timeout(LAST_WAIT);
        outcome
    };
    match command {
        Command::Init(args) => run(Box::pin(args.run())),
        Command::Serve(args) => run(Box::pin(async move { serve::run(args.path()?).await })),
        Command::Check(args) => run(Box::pin(args.run())),
        Command::Status(args) => run(Box::pin(status::run(args))),
        Command::Backup(args) => run(Box::pin(args.run())),
        Command::Restore(args) => run(Box::pin(args.run())),
        Command::Log(command) => run(Box::pin(log::run(command))),
        Command::Queue(command) => run(Box::pin(queue::run(command))),
        Command::Replay(args) => run(Box::pin(replay::run(args))),
        Command::Shadow(args) => run(Box::pin(shadow::run(*args))),
        Command::Openapi(args) => run(Box::pin(openapi::run(args))),
        Command::Client(command) => run(Box::pin(client::run(command))),
        Command::Hook(command) => run(Box::pin(hook::run(command))),
        Command::Console(command) => command.run(),
        Command::Completions(args) => args.run(),
        Command::Man(args) => args.run(),
        Command::Explain(args) => args.run(),
        Command::HookWorker => {
            crate::hook::serve()?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
