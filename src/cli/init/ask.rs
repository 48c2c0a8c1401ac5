//! Questions to the person at the terminal. Where there is no terminal, a question is an error that names the flag to give.
//!
//! Ctrl-C and Escape end the program by an error, after the terminal is as it was before.

use std::io::{self, IsTerminal};

use anyhow::bail;
use inquire::{InquireError, Password, PasswordDisplayMode, Select, Text};
use secrecy::SecretString;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// A person at a terminal.
    Person,
    /// Nobody: all that is needed must have been given by flags.
    Nobody,
}

/// A question, and the flag that answers it beforehand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'q> {
    pub(super) flag: &'q str,
    pub(super) words: &'q str,
    pub(super) help: &'q str,
}

impl Ask {
    pub(super) fn of_terminal() -> Self {
        let is_person = io::stdin().is_terminal() && io::stderr().is_terminal();
        if is_person { Self::Person } else { Self::Nobody }
    }

    /// A line of text; an empty one where there is no default.
    ///
    /// # Errors
    /// Nobody can be asked, or the person stops.
    pub(super) fn text(self, question: Question<'_>, default: Option<&str>) -> anyhow::Result<String> {
        self.is_possible(question)?;
        let text = Text::new(question.words).with_help_message(question.help);
        let text = match default {
            Some(default) => text.with_default(default),
            None => text,
        };
        Ok(text.prompt().map_err(stopped)?.trim().to_owned())
    }

    /// A text that is not shown.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub(super) fn secret(self, question: Question<'_>) -> anyhow::Result<SecretString> {
        self.is_possible(question)?;
        let secret = Password::new(question.words)
            .with_help_message(question.help)
            .with_display_mode(PasswordDisplayMode::Hidden)
            .without_confirmation()
            .prompt();
        Ok(secret.map_err(stopped)?.trim().into())
    }

    /// One of several.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub(super) fn one_of(self, question: Question<'_>, choices: Vec<String>) -> anyhow::Result<String> {
        self.is_possible(question)?;
        Select::new(question.words, choices).with_help_message(question.help).prompt().map_err(stopped)
    }

    fn is_possible(self, question: Question<'_>) -> anyhow::Result<()> {
        match self {
            Self::Person => Ok(()),
            Self::Nobody => bail!(
                "{} is missing ({}): standard input and error are no terminal, so nothing is asked",
                question.flag,
                question.words.trim_end_matches(['?', ':'])
            ),
        }
    }
}

fn stopped(error: InquireError) -> anyhow::Error {
    match error {
        InquireError::OperationInterrupted | InquireError::OperationCanceled => {
            anyhow::anyhow!("stopped; nothing was written")
        }
        error => anyhow::Error::new(error).context("the terminal cannot be asked"),
    }
}
