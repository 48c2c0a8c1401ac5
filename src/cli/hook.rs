//! `odoo-gateway hook test`: the payload that a hook makes of a body, and the plan. Nothing is written or logged.

use std::{
    io::{Read, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Args, Subcommand};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Configured, terminal, words};
use crate::{
    call::{self, Call, auth::clients::Clients},
    config::Config,
    fetch::{CallFiles, Fetcher},
    hook::{Hook, Hooks, Made, MadeCall, RequestLine, Sent, SentBody},
    odoo::{Caller, Odoo, Origin, RotatedCookie},
    plan::{Noted, Warning},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the payload that a hook's template makes of a body, and the plan, without sending anything
    Test(Test),
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// The hook: its path, or what of it stands behind /hooks/
    name: String,
    /// A file with a body as the sender sends it; - is standard input
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// A header that the sender sends, as the template sees it in $headers; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    #[command(flatten)]
    configured: Configured,
}

pub(super) async fn run(Command::Test(args): Command) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.configured.config)?;
    let name = args.name.strip_prefix("/hooks/").unwrap_or(&args.name);
    let entry = config.hooks.iter().find(|hook| hook.name() == name);
    let Some(entry) = entry else {
        let paths: Vec<String> = config.hooks.iter().map(|hook| hook.path.written()).collect();
        bail!("there is no [[hook]] `{name}`; there are: {}", paths.join(", "));
    };
    let hooks = Hooks::load(std::slice::from_ref(entry))?;
    let hook = hooks.named(name).context("the hook is gone")?;
    let body = read(&args.body)?;
    let headers = args.headers.into_iter().collect::<HeaderMap>();
    let line = RequestLine::post(&entry.path.written());
    let sent = Sent::new(entry.path.written(), &line, &headers, None, hook.read(&headers, &body, &config.limits)?);
    if let SentBody::Unreadable { why, .. } = &sent.body {
        bail!("`{}` cannot be read: {why}", args.body.display());
    }
    let calls = match hook.calls(hook.input(&sent)).await? {
        Made::Ignored(why) => {
            writeln!(std::io::stdout(), "{}", terminal::pretty(&json!({"ignored": why})))?;
            return Ok(ExitCode::SUCCESS);
        }
        Made::One(call) => vec![call],
        Made::Several(calls) => calls,
    };
    let mut code = ExitCode::SUCCESS;
    for call in calls {
        let mut shown = json!({"route": call.route.name(), "model": call.model, "vals": call.vals});
        match planned(&config, hook, call).await {
            Ok((plan, warnings)) => {
                shown["plan"] = plan;
                shown["warnings"] = warnings.into();
            }
            Err(error) => {
                shown["refused"] = words(&error).into();
                code = ExitCode::FAILURE;
            }
        }
        writeln!(std::io::stdout(), "{}", terminal::pretty(&shown))?;
    }
    Ok(code)
}

/// The plan as the hook's client would have it; that looks things up in Odoo.
async fn planned(config: &Config, hook: &Hook, made: MadeCall) -> anyhow::Result<(Value, Vec<Value>)> {
    let entry = config.clients.iter().find(|client| client.name == hook.entry.client).context("the client is gone")?;
    let clients = Clients::load(std::slice::from_ref(entry))?;
    let client = clients.by_name(&hook.entry.client).context("the client is gone")?;
    let odoo = Arc::new(Odoo::build(&config.upstream, &config.lookup_cache, Arc::default())?);
    let until = Instant::now() + config.limits.call_timeout;
    let (credential, policy) = (client.credential.clone(), client.policy.clone());
    let (trace, rotated) = (Arc::default(), RotatedCookie::default());
    let caller = Caller::identify(&odoo, credential, policy, trace, rotated, Origin::default(), until).await;
    let caller = caller.map_err(|error| anyhow::anyhow!(error.for_operator()))?;
    // The plan is shown, so nothing is locked and no file is fetched for it.
    let MadeCall { route, model, mut vals } = made;
    vals.insert("dry_run".to_owned(), Value::Bool(true));
    let call = Call { model, vals };
    let files = CallFiles::new(Arc::new(Fetcher::build(&config.files)?));
    let plan = call::plan_call(config, &files, &caller, route, &call, &Noted::default()).await?;
    Ok((plan.render(&caller), plan.warnings.iter().map(Warning::to_json).collect()))
}

fn read(file: &PathBuf) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    }
    Ok(bytes.into())
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let pair =
        text.split_once(':').and_then(|(name, value)| Some((name.trim().parse().ok()?, value.trim().parse().ok()?)));
    pair.ok_or_else(|| "a header reads NAME: VALUE".to_owned())
}
