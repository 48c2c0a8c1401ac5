//! Where long output goes: through a pager on a terminal, else to standard output.
//!
//! The pager starts with the first text, so that what is computed before can be interrupted. A person who leaves it early ends
//! the command with success.

use std::{
    env,
    io::{self, BufWriter, IsTerminal, Write},
    process::{Child, Command, Stdio},
};

use anstream::AutoStream;
use clap::Args;
use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
};

use super::style::{DIM, styled};

/// The variables that name a pager; the first that is set is used.
const VARIABLES: [&str; 2] = ["ODOO_GATEWAY_PAGER", "PAGER"];

/// `less` with colours, and without a pager's screen for what fits on one.
const LESS: &str = "FRX";

/// Whether long output goes through a pager.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(in crate::cli) struct Paging {
    /// No pager on a terminal; else $ODOO_GATEWAY_PAGER, $PAGER or `less`
    #[arg(long)]
    pub(in crate::cli) no_pager: bool,
}

/// Standard output, for texts with styles.
pub(in crate::cli) struct Out {
    stream: Option<AutoStream<Box<dyn Write>>>,
    child: Option<Child>,
    is_paged: bool,
}

impl Out {
    /// Without a pager.
    pub(in crate::cli) fn direct() -> Self {
        Self { stream: None, child: None, is_paged: false }
    }

    /// Through a pager, where a terminal reads it.
    pub(in crate::cli) fn paged(paging: Paging) -> Self {
        let is_paged = !paging.no_pager && io::stdout().is_terminal() && io::stdin().is_terminal();
        Self { stream: None, child: None, is_paged }
    }

    /// What a person is told about the output: below it on a terminal, else on standard error.
    ///
    /// # Errors
    /// The reader is gone.
    pub(in crate::cli) fn note(&mut self, words: &str) -> io::Result<()> {
        if io::stdout().is_terminal() {
            return writeln!(self, "{}", styled(DIM, words));
        }
        self.flush()?;
        anstream::eprintln!("{}", styled(DIM, words));
        Ok(())
    }

    /// Waits until the pager has ended.
    ///
    /// # Errors
    /// The reader is gone.
    pub(in crate::cli) fn finish(mut self) -> io::Result<()> {
        self.flush()
    }

    fn stream(&mut self) -> &mut AutoStream<Box<dyn Write>> {
        let Self { stream, child, is_paged } = self;
        stream.get_or_insert_with(|| {
            let colours = AutoStream::choice(&io::stdout());
            let started = if *is_paged { start() } else { None };
            match started {
                Some((pager, input)) => {
                    *child = Some(pager);
                    AutoStream::new(input, colours)
                }
                None => AutoStream::new(Box::new(BufWriter::new(io::stdout())), colours),
            }
        })
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream().write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        let _ = self.flush();
        // The pager's input ends, and it may show the last of it for as long as a person reads.
        self.stream = None;
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
    }
}

/// The pager and its input; none where there is no pager.
fn start() -> Option<(Child, Box<dyn Write>)> {
    let named = VARIABLES.iter().find_map(|variable| env::var(variable).ok());
    let mut command = match named.as_deref().map(str::trim) {
        Some("" | "cat") => return None,
        None => Command::new("less"),
        // As a shell would run it, for options and quotes.
        Some(named) if named.contains(|sign: char| !sign.is_ascii_alphanumeric() && !"/._- ".contains(sign)) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", named]);
            shell
        }
        Some(named) => {
            let mut words = named.split_whitespace();
            let mut command = Command::new(words.next()?);
            command.args(words);
            command
        }
    };
    if env::var_os("LESS").is_none() {
        command.env("LESS", LESS);
    }
    let mut child = command.stdin(Stdio::piped()).spawn().ok()?;
    let input = child.stdin.take()?;
    // Ctrl-C is the pager's from here on: once a handler is there, the signal no longer ends this process.
    if Handle::try_current().is_ok() {
        drop(signal(SignalKind::interrupt()));
    }
    Some((child, Box::new(BufWriter::new(input))))
}
