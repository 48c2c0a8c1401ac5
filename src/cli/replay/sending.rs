//! Calls that are sent one after another, since their order may matter, until an end.

use std::process::ExitCode;

use tokio::time::Interval;
use tokio_util::sync::CancellationToken;

use super::{
    Args, edit,
    report::{Report, Turn},
    words,
};
use crate::{
    cli::terminal::{plain, progress::Progress},
    log::Call,
    operations::replay::{Again, Executor, Made, NotReplayable, Outcome, Selection, Tally},
};

/// The exit status of a command that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;

/// Calls on their way.
pub(super) struct Sending<'a> {
    args: &'a Args,
    again: &'a Again<'a>,
    selection: &'a Selection,
    executor: Option<Executor>,
    ticks: Option<Interval>,
    progress: Progress,
    /// Ctrl-C: the call under way is finished.
    stop: CancellationToken,
    tally: Tally,
    not_tried: usize,
    report: Report,
}

impl<'a> Sending<'a> {
    pub(super) fn new(args: &'a Args, again: &'a Again<'a>, selection: &'a Selection, number: usize) -> Self {
        Self {
            args,
            again,
            selection,
            executor: None,
            ticks: args.rate.map(super::Rate::ticks),
            progress: Progress::of_things("running again", number as u64),
            stop: CancellationToken::new(),
            tally: Tally::default(),
            not_tried: 0,
            report: Report::new(args.dry_run, args.each, args.json),
        }
    }

    /// Finds what makes the calls.
    ///
    /// # Errors
    /// The running gateway cannot be reached, or this process cannot be one.
    pub(super) async fn open(&mut self) -> anyhow::Result<()> {
        self.executor = Some(Executor::open((**self.again.config).clone()).await?);
        let stop = self.stop.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.cancel();
                eprintln!("stopping after the call under way; Ctrl-C once more leaves it");
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(INTERRUPTED);
            }
        });
        Ok(())
    }

    /// Has a call's turn, unless an end has come.
    pub(super) async fn turn(&mut self, call: Call, left_out: Option<NotReplayable>) {
        if left_out.is_none()
            && !self.has_ended()
            && let Some(ticks) = &mut self.ticks
        {
            tokio::select! { _ = ticks.tick() => {} () = self.stop.cancelled() => {} }
        }
        let skipped = |reason: &NotReplayable| Outcome::Skipped { reason: words(reason) };
        let made = match left_out {
            Some(reason) => Made::not_sent(skipped(&reason)),
            None if self.has_ended() => {
                self.not_tried += 1;
                return;
            }
            None => {
                let made = self.send(&call).await;
                self.progress.add(1);
                match made {
                    Ok(made) => made,
                    // Old logs do not tell of all dry runs in a listing.
                    Err(NotSent::Rule(reason)) if !self.selection.means(&reason) => return,
                    Err(NotSent::Rule(reason)) => Made::not_sent(skipped(&reason)),
                    Err(NotSent::Edit(error)) => Made::not_sent(Outcome::Skipped { reason: format!("{error:#}") }),
                }
            }
        };
        self.tally.add(&made.outcome);
        self.progress.beside(|| self.report.add(Turn { call, made }));
    }

    fn has_ended(&self) -> bool {
        self.stop.is_cancelled() || self.tally.stops(self.args.stop_after())
    }

    async fn send(&mut self, call: &Call) -> Result<Made, NotSent> {
        let mut draft = self.again.draft(call).await?;
        if let Some(file) = &self.args.edit {
            self.progress.beside(|| edit::edit(file.as_deref(), &mut draft)).map_err(NotSent::Edit)?;
        }
        match &self.executor {
            Some(executor) => Ok(self.again.send(draft, &call.error, executor).await?),
            None => Err(NotSent::Edit(anyhow::anyhow!("there is nothing to send it with"))),
        }
    }

    /// Says what came of all; whether all were done.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) async fn close(self, beyond: usize) -> anyhow::Result<ExitCode> {
        let Self { executor, progress, tally, not_tried, report, stop, args, .. } = self;
        drop(progress);
        if let Some(executor) = executor {
            executor.close().await;
        }
        let why = match not_tried {
            0 => None,
            _ if stop.is_cancelled() => Some("it was stopped".to_owned()),
            _ if tally.stops(None) => Some("it is not known what came of the last call; `log ls` tells".to_owned()),
            _ => Some(format!("{} in a row were not done (--stop-after)", args.stop_after().unwrap_or_default())),
        };
        report.end(&tally, not_tried, beyond, why.as_deref().map(plain).as_deref())
    }
}

/// Why a call is not sent.
enum NotSent {
    Rule(NotReplayable),
    Edit(anyhow::Error),
}

impl From<NotReplayable> for NotSent {
    fn from(reason: NotReplayable) -> Self {
        Self::Rule(reason)
    }
}
