//! `odoo-gateway openapi`: prints the interface as an OpenAPI 3.1 document, or as a collection of requests.

mod form;

use std::{process::ExitCode, sync::Arc};

use anyhow::{Context, bail};
use tokio::time::Instant;

use super::Configured;
use crate::{
    call::auth::clients::Clients,
    config::Config,
    fetch::{CallFiles, Fetcher},
    odoo::{Caller, Odoo, Origin, RotatedCookie},
    openapi::{About, Document, MOST_MODELS, Reader, model::Model},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  odoo-gateway openapi --url https://gateway.example.com > openapi.json\n  odoo-gateway openapi --model sale.order --model res.partner --as-client webshop\n  odoo-gateway openapi --as postman > collection.json\n  odoo-gateway openapi --as bruno --into collection"
)]
pub(super) struct Args {
    #[command(flatten)]
    configured: Configured,
    /// Describe the fields of this model, too, as Odoo has them now; may be given several times
    #[arg(long, value_name = "MODEL", requires = "as_client")]
    model: Vec<String>,
    /// The [[client]] whose Odoo account and policy say what of a model is shown
    #[arg(long, value_name = "NAME")]
    as_client: Option<String>,
    /// The address by which the gateway is called, which the document names
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    output: form::Output,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = configuration(&args.configured)?;
    let hooks = config.as_ref().map_or(&[][..], |config| &config.hooks);
    let models = match (&config, &args.as_client) {
        (Some(config), Some(client)) if !args.model.is_empty() => models(config, client, &args.model).await?,
        (None, _) if !args.model.is_empty() => {
            bail!("the fields of a model take a configuration, which names the Odoo")
        }
        _ => Vec::new(),
    };
    args.output.put(&Document::new(About { url: args.url.as_deref(), hooks, models: &models }))?;
    Ok(ExitCode::SUCCESS)
}

/// The configuration. The routes are the same without one, so that none need be there.
fn configuration(configured: &Configured) -> anyhow::Result<Option<Config>> {
    match configured.path() {
        Ok(path) => Ok(Some(Config::load(&path)?)),
        Err(error) => {
            eprintln!("{error}\nHooks are not in the document.");
            Ok(None)
        }
    }
}

/// The models as a client may use them.
async fn models(config: &Config, client: &str, names: &[String]) -> anyhow::Result<Vec<Model>> {
    if names.len() > MOST_MODELS {
        bail!("a document describes {MOST_MODELS} models at most");
    }
    let missing = || format!("there is no [[client]] named `{client}`");
    let entry = config.clients.iter().find(|entry| entry.name == *client).with_context(missing)?;
    // The secrets of the others need not be there.
    let clients = Clients::load(std::slice::from_ref(entry))?;
    let client = clients.by_name(client).with_context(missing)?;
    client.check_term()?;
    let odoo = Arc::new(Odoo::build(&config.upstream, &config.lookup_cache, Arc::default())?);
    let caller = Caller::identify(
        &odoo,
        client.credential()?.clone(),
        client.policy.clone(),
        Arc::default(),
        RotatedCookie::default(),
        Origin::default(),
        Instant::now() + config.limits.call_timeout,
    );
    let caller = caller.await.map_err(|error| anyhow::anyhow!("`{}`: {}", client.name, error.for_operator()))?;
    let files = CallFiles::new(Arc::new(Fetcher::build(&config.files)?));
    Ok(Reader { config, files: &files, caller: &caller }.models(names).await?)
}
