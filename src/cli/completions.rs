//! `odoo-gateway completions` and `odoo-gateway man`: what a shell completes, and the pages of the manual, made of the commands
//! themselves.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::generate;

const NAME: &str = "odoo-gateway";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  odoo-gateway completions bash > ~/.local/share/bash-completion/completions/odoo-gateway\n  odoo-gateway completions zsh > ~/.zfunc/_odoo-gateway\n  odoo-gateway completions fish > ~/.config/fish/completions/odoo-gateway.fish"
)]
pub(super) struct Completions {
    /// The shell that completes
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let shell = match self.shell {
            Shell::Bash => clap_complete::Shell::Bash,
            Shell::Zsh => clap_complete::Shell::Zsh,
            Shell::Fish => clap_complete::Shell::Fish,
        };
        let mut script = Vec::new();
        generate(shell, &mut super::Cli::command(), NAME, &mut script);
        io::stdout().lock().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  odoo-gateway man --into ~/.local/share/man/man1")]
pub(super) struct Pages {
    /// The folder for the pages, one for each command; it is made where it is missing
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
}

impl Pages {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        fs::create_dir_all(&self.into).with_context(|| format!("cannot make `{}`", self.into.display()))?;
        clap_mangen::generate_to(super::Cli::command(), &self.into)
            .with_context(|| format!("cannot write into `{}`", self.into.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
