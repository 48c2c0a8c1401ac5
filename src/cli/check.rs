//! `odoo-gateway check`: what an operator needs to know before the first call.
//!
//! It fails where `serve` would not start, since both use the same functions, and where no call would succeed. What a person should
//! look at is a warning. `finding` is what each area gives, `report` how it is told.

mod certificates;
mod clients;
mod console;
mod expiry;
mod finding;
mod hooks;
mod listeners;
mod odoo;
mod report;
mod storage;

use std::{path::Path, process::ExitCode, sync::Arc};

use clap::Args;
use tokio_util::sync::CancellationToken;

use self::{
    finding::Finding,
    report::{Form, Report},
};
use super::{Configured, mistakes};
use crate::{
    call::auth::clients::Clients,
    config::{Config, Error},
    fetch::Fetcher,
    odoo::Odoo,
    proxy::Proxy,
    telemetry::Telemetry,
};

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    options: Options,
}

/// How it is checked and told.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Options {
    /// One JSON object with all findings and a summary
    #[arg(long)]
    json: bool,
    /// Ask nothing of Odoo, and of no other machine
    #[arg(long)]
    offline: bool,
    /// Exit with 1 also where there are warnings alone
    #[arg(long)]
    deny_warnings: bool,
}

impl Check {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        run_with(&self.configured.path()?, &self.options).await
    }
}

/// Prints what is found of each thing; fails if one of them does.
pub(super) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    run_with(path, &Options::default()).await
}

async fn run_with(path: &Path, options: &Options) -> anyhow::Result<ExitCode> {
    let mut report = Report::new(if options.json { Form::Json } else { Form::Lines });
    match Config::load(path) {
        Ok(config) => {
            report.add(Finding::ok("configuration", path.display().to_string()));
            look(&config, options, &mut report).await;
        }
        Err(error) => mistaken(&error, &mut report),
    }
    Ok(report.end(options.deny_warnings))
}

/// The configuration cannot be read, so that there is nothing else to look at.
fn mistaken(error: &Error, report: &mut Report) {
    let Error::Invalid { path, problems, .. } = error else {
        return report.add(Finding::failure(
            "configuration",
            error.to_string(),
            "name a file that can be read by --config",
        ));
    };
    if let Some(drawn) = mistakes::drawn(error).filter(|_| report.is_for_people()) {
        anstream::println!("{drawn}\n");
        let message = format!("{} cannot be used", path.display());
        return report.add(Finding::failure("configuration", message, "mend what stands above"));
    }
    report.extend(problems.iter().map(|problem| {
        let (line, column) = problem.position();
        Finding::failure("configuration", problem.message.clone(), problem.help.join("; ")).at(line, column)
    }));
}

async fn look(config: &Config, options: &Options, report: &mut Report) {
    report.extend(certificates::own(config));
    let log = storage::log(&config.log).await;
    report.extend(listeners::findings(config, log.runs).await);
    report.extend(log.findings);
    report.extend(storage::store(config, options.offline, log.runs).await);
    let loaded = match Clients::load(&config.clients) {
        Ok(loaded) => Some(loaded),
        Err(error) => {
            report.add(Finding::failure("clients", error.to_string(), "put a secret of the right form there"));
            None
        }
    };
    if let Some(loaded) = &loaded {
        report.extend(clients::findings(config, loaded));
    }
    report.extend(hooks::findings(config));
    if let Err(error) = Fetcher::build(&config.files) {
        report.add(Finding::failure("files", error.to_string(), "see [files]"));
    }
    if let Err(error) = Telemetry::build(&config.telemetry) {
        report.add(Finding::failure("telemetry", error.to_string(), "see [telemetry]"));
    }
    if config.console.enabled {
        report.extend(console::findings(config));
    }
    let odoo = match Odoo::build(&config.upstream, &config.lookup_cache, Arc::default()) {
        Ok(odoo) => Arc::new(odoo),
        Err(error) => return report.add(Finding::failure("odoo", error.to_string(), "see [upstream] url and ca")),
    };
    let proxy = Proxy::build(&config.upstream, &config.proxy, odoo.clone(), Arc::default(), CancellationToken::new());
    if let Err(error) = proxy {
        report.add(Finding::failure("odoo", error.to_string(), "see [upstream] url, ca and public_url"));
    }
    if !options.offline {
        odoo::findings(config, &odoo, loaded.as_ref(), |finding| report.add(finding)).await;
    }
}
