//! `queue show`: one call of the store. Its payload is not shown: the log has it, with what is secret hidden.

use std::{io::Write, process::ExitCode};

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};

use super::{
    Configured, facts, open, span,
    terminal::{
        self, mark,
        style::{DIM, styled},
    },
    whole_id,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The call's id, or a part of it that no other has, as a list shows it
    id: String,
    #[command(flatten)]
    configured: Configured,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let queue = open(&self.configured).await?;
        let id = whole_id(&self.configured, &self.id).await?;
        let call = queue.one(id).await?.ok_or_else(|| anyhow!("the store has no call {id}"))?;
        let mut facts = facts(&call);
        let outcome = call.outcome.as_deref().map(|kept| serde_json::from_slice::<Value>(kept).unwrap_or_default());
        let progress = call.progress.as_deref().and_then(|kept| serde_json::from_slice::<Value>(kept).ok());
        if self.json {
            facts["progress"] = json!(progress);
            facts["outcome"] = json!(outcome);
            writeln!(out, "{facts}")?;
            return Ok(ExitCode::SUCCESS);
        }
        for (name, value) in facts.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let name = styled(DIM, &format!("{:<13}", name.replace('_', " ")));
            let value = terminal::plain(&value);
            match &*name {
                _ if value == call.state.as_str() => {
                    let (sign, style) = mark::of_stored(call.state);
                    writeln!(out, "{name} {}", styled(style, &format!("{sign} {value}")))?;
                }
                _ => writeln!(out, "{name} {value}")?,
            }
        }
        writeln!(out, "{} {}", styled(DIM, "age          "), span(queue.now().saturating_sub(call.accepted)))?;
        if let Some(done) = progress.as_ref().and_then(Value::as_array) {
            writeln!(out, "{} {} calls of this delivery are done", styled(DIM, "progress     "), done.len())?;
            for (step, result) in (1..).zip(done) {
                let word = |member: &str| result[member].as_str().unwrap_or_default().to_owned();
                let told = format!("{} {} {} {}", word("route"), word("model"), result["ids"], word("state"));
                writeln!(out, "  {step}. {}  {}", word("call"), terminal::plain(&told))?;
            }
        }
        if let Some(outcome) = outcome {
            writeln!(out, "\n{}", terminal::pretty(&outcome))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
