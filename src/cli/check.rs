//! `odoo-gateway check`: what an operator wants to know before the first call.

use std::{fmt::Display, path::Path, process::ExitCode};

use crate::{
    config::Config,
    log::{self, Log},
    odoo::Odoo,
};

/// Prints a line for each thing looked at; fails if one of them does.
pub(super) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let mut report = Report { has_failed: false };
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            report.line("configuration", Err::<&str, _>(error));
            return Ok(report.exit_code());
        }
    };
    report.line("configuration", Ok::<_, &str>(path.display()));
    let log = Log::open(&config.log);
    let directory = config.log.directory.display();
    report.line(
        "log",
        match &log {
            Ok(_) => Ok(format!("{directory} can be written")),
            Err(log::Error::InUse(_)) => Ok(format!("{directory} is written by a running gateway")),
            Err(error) => Err(error),
        },
    );
    if let Ok(log) = log {
        log.close().await;
    }
    let odoo = Odoo::build(&config.upstream)?;
    let version = odoo.version().await;
    report
        .line("odoo", version.as_ref().map(|version| format!("version {version} answers at {}", config.upstream.url)));
    if let Ok(version) = version {
        report.line("database", database(&odoo).await);
        report.line("credentials", Ok::<_, &str>(credentials(version)));
    }
    Ok(report.exit_code())
}

async fn database(odoo: &Odoo) -> Result<String, String> {
    let name = odoo.database();
    match odoo.serves_database().await {
        Ok(Some(true)) => Ok(format!("`{name}` is served")),
        Ok(Some(false)) => {
            Err(format!("Odoo does not serve `{name}`; see [upstream] database and Odoo's own --db-filter"))
        }
        Ok(None) => Ok(format!("`{name}` (this Odoo tells only after a login whether it serves it)")),
        Err(error) => Err(error.to_string()),
    }
}

fn credentials(version: u16) -> &'static str {
    match version {
        19.. => "callers bring their own: a session cookie or an API key",
        _ => "callers bring their own: a session cookie (API keys alone need Odoo 19)",
    }
}

struct Report {
    has_failed: bool,
}

impl Report {
    fn line(&mut self, what: &str, outcome: Result<impl Display, impl Display>) {
        match outcome {
            Ok(words) => println!("ok    {what:<14} {words}"),
            Err(words) => {
                self.has_failed = true;
                println!("FAIL  {what:<14} {words}");
            }
        }
    }

    fn exit_code(&self) -> ExitCode {
        if self.has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
