//! `log verify` and `log repair`: whether the log is unchanged, and the repair of a damaged one.

use std::{io::Write, process::ExitCode};

use clap::Args;
use serde_json::json;

use super::{Configured, terminal::progress::Progress};
use crate::log;

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    configured: Configured,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let config = self.configured.load()?;
        let progress = Progress::unknown();
        let verified = log::verify(&config.log.directory, |step| {
            let what = match step.what {
                log::StepOf::Segments => "verifying segments",
                log::StepOf::Blobs => "verifying large values",
            };
            progress.at(what, step.done, step.all);
        })?;
        drop(progress);
        let code = if verified.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let (last, sha256) = verified.head.clone().unwrap_or_default();
        if self.json {
            let findings = verified.findings.iter().map(|finding| {
                json!({"grade": finding.grade.as_str().to_lowercase(), "file": finding.file, "words": finding.words})
            });
            let findings: Vec<_> = findings.collect();
            writeln!(
                out,
                "{}",
                json!({
                    "sound": verified.is_sound(), "segments": verified.segments, "lines": verified.lines,
                    "blobs": verified.blobs, "last": last, "sha256": sha256, "findings": findings,
                })
            )?;
            return Ok(code);
        }
        for finding in &verified.findings {
            writeln!(out, "{:<8} {}: {}", finding.grade.as_str(), finding.file, finding.words)?;
        }
        let verdict = if verified.is_sound() { "sound" } else { "NOT SOUND" };
        let log::Verified { segments, lines, blobs, .. } = &verified;
        writeln!(out, "{verdict} (segments: {segments}, lines: {lines}, blobs: {blobs})")?;
        writeln!(out, "the last line is {last}; SHA-256 of its segment up to there: {sha256}")?;
        Ok(code)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Repair {
    #[command(flatten)]
    configured: Configured,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl Repair {
    pub(super) fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let config = self.configured.load()?;
        let progress = Progress::unknown();
        let repaired = log::repair(&config.log, |step| progress.at("repairing segments", step.done, step.all))?;
        drop(progress);
        if self.json {
            let repaired = repaired.iter().map(
                |log::Repaired { file, kept_in, gaps }| json!({"file": file, "kept_in": kept_in, "lost_lines": gaps}),
            );
            writeln!(out, "{}", json!({"repaired": repaired.collect::<Vec<_>>()}))?;
            return Ok(ExitCode::SUCCESS);
        }
        if repaired.is_empty() {
            writeln!(out, "nothing to repair: every segment is whole")?;
        }
        for log::Repaired { file, kept_in, gaps } in repaired {
            let gaps: Vec<String> = gaps
                .iter()
                .map(|(from, to)| if from == to { format!("line {from}") } else { format!("lines {from} to {to}") })
                .collect();
            let lost = if gaps.is_empty() { "no line between others".to_owned() } else { gaps.join(", ") };
            writeln!(out, "{file}: made anew, the file as it was is {kept_in}; lost: {lost}")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
