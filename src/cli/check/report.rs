//! The report of `check`: a line for each finding, or one JSON object.
//!
//! A line has a sign and a word for its level, so that it reads well without colours. On a terminal it is wrapped; elsewhere a finding
//! is one line, and its remedy another.

use std::process::ExitCode;

use serde_json::json;

use super::finding::{Finding, Level};
use crate::cli::terminal::{
    Room, plain,
    style::{BAD, DIM, GOOD, WARN, styled},
};

/// The columns before the words.
const BEFORE: usize = 23;
/// Words in a narrower column cannot be read.
const LEAST: usize = 30;

/// What has been found so far.
#[derive(Debug)]
pub(super) struct Report {
    findings: Vec<Finding>,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people: each finding at once.
    Lines,
    /// For programs: all at the end.
    Json,
}

impl Report {
    pub(super) fn new(form: Form) -> Self {
        Self { findings: Vec::new(), form }
    }

    pub(super) fn is_for_people(&self) -> bool {
        self.form == Form::Lines
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.is_for_people() {
            anstream::print!("{}", lines(&finding, Room::of_stdout()));
        }
        self.findings.push(finding);
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// Prints what is left to print. 0 where all is well, 1 otherwise.
    pub(super) fn end(self, denies_warnings: bool) -> ExitCode {
        let (ok, warnings, failures) = (self.count(Level::Ok), self.count(Level::Warning), self.count(Level::Failure));
        let has_failed = failures > 0 || (denies_warnings && warnings > 0);
        match self.form {
            Form::Json => {
                let summary = json!({"ok": ok, "warnings": warnings, "failures": failures, "passed": !has_failed});
                println!("{}", json!({"findings": self.findings, "summary": summary}));
            }
            Form::Lines => {
                let plural =
                    |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
                let (style, end) = match (failures, warnings) {
                    (1.., _) => (BAD, "the gateway does not start like this, or no call succeeds"),
                    (0, 1..) => (WARN, "the gateway can start; look at the warnings"),
                    (0, 0) => (GOOD, "the gateway can start"),
                };
                let counts = format!("{ok} ok, {}, {}", plural(warnings, "warning"), plural(failures, "failure"));
                anstream::println!("\n{}: {end}", styled(style, &counts));
            }
        }
        if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

fn lines(finding: &Finding, room: Room) -> String {
    let (style, level) = match finding.level {
        Level::Ok => (GOOD, "✓ ok  "),
        Level::Warning => (WARN, "! warn"),
        Level::Failure => (BAD, "✗ FAIL"),
    };
    let words = wrapped(&finding.message, room);
    let mut text = format!("{}  {:<14} {words}\n", styled(style, level), finding.area);
    if let Some(remedy) = &finding.remedy {
        text += &format!("{:BEFORE$}{}\n", "", styled(DIM, &wrapped(&format!("→ {remedy}"), room)));
    }
    text
}

/// The words in lines that fit beside what stands before them.
fn wrapped(words: &str, room: Room) -> String {
    let most = room.beside(BEFORE).max(LEAST);
    let mut text = String::new();
    let mut taken = 0;
    for word in words.split(' ') {
        let word = plain(word);
        let length = word.chars().count();
        if taken > 0 && taken + 1 + length > most {
            text += &format!("\n{:BEFORE$}", "");
            taken = 0;
        } else if taken > 0 {
            text.push(' ');
            taken += 1;
        }
        text += &word;
        taken += length;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_terminal_is_at_most_as_wide_as_it() {
        let finding =
            Finding::warning("proxy mode", "to it all callers have the gateway's address ".repeat(3), "do it");
        let shown = anstream::adapter::strip_str(&lines(&finding, Room::Columns(60))).to_string();
        assert!(shown.lines().all(|line| line.chars().count() <= 60), "{shown}");
        assert!(shown.starts_with("! warn  proxy mode     to it all callers"), "{shown}");
        assert!(shown.ends_with(&format!("\n{:BEFORE$}→ do it\n", "")), "{shown}");
        assert_eq!(lines(&finding, Room::Unlimited).lines().count(), 2);
    }
}
