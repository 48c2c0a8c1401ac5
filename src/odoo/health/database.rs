//! Whether Odoo serves the configured database.
//!
//! One request without a login asks: Odoo 14 to 18 have `db_exist`, later ones refuse an API key in another way where the database does
//! not exist. Where Odoo does not tell (`list_db = False`, an intermediate proxy), nothing is known and nothing is taken for wrong.

use serde_json::Map;
use tokio::time::{self, Instant};

use super::{Health, READINESS_TIME};
use crate::odoo::{
    model::{error::Error, rpc::Rpc},
    protocol::{JSON2_SINCE, json_rpc, json2},
    transport::{RequestOptions, concurrency_limit::RequestClass, origin::Origin},
};

impl Health {
    /// Asks now; none where this Odoo does not tell without a login.
    ///
    /// # Errors
    /// Odoo does not answer.
    pub(in crate::odoo) async fn database(&self, until: Instant) -> Result<Option<bool>, Error> {
        let is_served = self.ask_for_database(until).await?;
        self.note_database(is_served);
        Ok(is_served)
    }

    /// As [`Self::database`], within a short time; as last seen where the answer does not come.
    pub(in crate::odoo) async fn database_now(&self) -> Option<bool> {
        match time::timeout(READINESS_TIME, self.database(Instant::now() + READINESS_TIME)).await {
            Ok(Ok(is_served)) => is_served,
            Ok(Err(_)) | Err(_) => self.known_database(),
        }
    }

    /// As last seen.
    pub(in crate::odoo) fn known_database(&self) -> Option<bool> {
        *self.database.lock()
    }

    async fn ask_for_database(&self, until: Instant) -> Result<Option<bool>, Error> {
        let (transport, database) = (&self.endpoint.transport, &*self.endpoint.database);
        let options = RequestOptions { class: RequestClass::Probe, until, origin: Origin::default(), work: None };
        if self.endpoint.version(until).await? < JSON2_SINCE {
            let exists = json_rpc::database_exists(transport, database, options).await;
            // The service may not be reachable from here.
            return Ok(exists.ok().and_then(|exists| exists.as_bool()));
        }
        let no_key = "0".repeat(40).into();
        let rpc = Rpc::fields_get("res.users", &[]);
        match json2::call(transport, database, &no_key, &rpc, &Map::new(), options).await {
            Err(Error::NoSuchDatabase(_)) => Ok(Some(false)),
            Err(Error::WrongKey) => Ok(Some(true)),
            Err(error) => Err(error),
            Ok(_) => Ok(None),
        }
    }

    /// Says so once where it is another than before.
    fn note_database(&self, is_served: Option<bool>) {
        let before = std::mem::replace(&mut *self.database.lock(), is_served);
        let database = &*self.endpoint.database;
        match (before, is_served) {
            (Some(false), Some(false)) => {}
            (_, Some(false)) => tracing::error!(
                database,
                "Odoo does not serve the configured database, so that every call fails until it does: look at [upstream] database, \
                 and at --db-filter of Odoo"
            ),
            (Some(false), _) => tracing::info!(database, "Odoo serves the configured database now"),
            _ => {}
        }
    }
}
