//! `odoo-gateway explain`: the cause of an error code, and what to do about it.

use std::{io::Write, process::ExitCode};

use clap::Args;
use serde_json::{Value, json};

use super::terminal::{
    View,
    pager::Out,
    style::{DIM, STRONG, styled},
    table::{Cell, Column, Table},
};
use crate::{errors::Code, operations::filter};

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// An error or warning code, such as no_match; without one, all of them are listed
    #[arg(value_parser = filter::error)]
    code: Option<String>,
    /// As JSON, one object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    view: View,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let is_meant = |code: &&Code| self.code.as_deref().is_none_or(|text| code.as_str() == text);
        let codes = || Code::ALL.iter().filter(is_meant);
        let mut out = if self.json { Out::direct() } else { Out::paged(self.view.paging) };
        if self.json {
            for code in codes() {
                writeln!(out, "{}", facts(*code))?;
            }
        } else if self.code.is_some() {
            for code in codes() {
                write!(out, "{}", words(*code))?;
            }
        } else {
            let mut table = Table::new([Column::new("CODE"), Column::new("RETRY"), Column::new("CAUSE").least(20)]);
            for code in codes() {
                let row = code.row();
                table.row([Cell::from(row.text), Cell::from(code.retry().as_str()), Cell::from(unmarked(row.cause))]);
            }
            write!(out, "{}", table.shown(self.view.room()))?;
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn words(code: Code) -> String {
    let row = code.row();
    let retries: Vec<&str> = row.retries.iter().map(|retry| retry.as_str()).collect();
    let mut words = format!("{}\n{}\n", styled(STRONG, row.text), unmarked(row.cause));
    if !row.remedy.is_empty() {
        words += &format!("\n{}\n", unmarked(row.remedy));
    }
    let retry = match retries.as_slice() {
        ["safe"] => "safe: nothing was written, and another try may succeed",
        ["no"] => "no: the same call would be refused again",
        ["unsafe"] => "unsafe: something was written, or it is not known whether it was",
        _ => "",
    };
    let retry = if retry.is_empty() { retries.join(" or ") } else { retry.to_owned() };
    words + &format!("\n{} {retry}\n", styled(DIM, "retry"))
}

fn facts(code: Code) -> Value {
    let row = code.row();
    json!({
        "code": row.text, "retry": row.retries.iter().map(|retry| retry.as_str()).collect::<Vec<_>>(),
        "cause": row.cause, "remedy": row.remedy,
    })
}

/// The table is written for Markdown, where a bar in a cell is escaped.
fn unmarked(text: &str) -> String {
    text.replace("\\|", "|")
}
