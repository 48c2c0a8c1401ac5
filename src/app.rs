//! Everything that runs, built once from the configuration and shared by all requests.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::{
    api::clients::{self, Clients},
    config::Config,
    log::{self, Log},
    odoo::{self, Odoo},
    proxy::Proxy,
};

#[derive(Debug)]
pub struct App {
    pub config: Config,
    pub odoo: Arc<Odoo>,
    pub clients: Clients,
    pub log: Log,
    pub proxy: Proxy,
    /// The calls under way. They outlive the connections they came by, and a stop waits for them.
    pub calls: TaskTracker,
}

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error("cannot set up the connection to Odoo: {0}")]
    Odoo(#[from] odoo::Unusable),
    #[error(transparent)]
    Client(#[from] clients::Error),
    #[error("cannot set up TLS towards Odoo: {0}")]
    Tls(#[from] rustls::Error),
}

impl App {
    /// Opens the log; connects to nothing yet, so that an Odoo that is down does not keep the gateway from starting.
    pub fn build(config: Config) -> Result<Arc<Self>, Error> {
        let odoo = Arc::new(Odoo::build(&config.upstream)?);
        let clients = Clients::load(&config.clients)?;
        let proxy = Proxy::build(&config.upstream, odoo.clone())?;
        let log = Log::open(&config.log)?;
        Ok(Arc::new(Self { config, odoo, clients, log, proxy, calls: TaskTracker::new() }))
    }
}
