//! Odoo's `db` service by JSON-RPC: it lists, makes and drops whole databases, as `/web/database` does.

use serde_json::Value;

use crate::{api::Error, http::Path};

/// Whether a request of this path says in its body which service it is for.
pub(super) fn names_service(path: &Path) -> bool {
    path.is("/jsonrpc")
}

/// A body that cannot be read here may mean something else to Odoo, so it is not passed on.
pub(super) fn check(body: &[u8]) -> Result<(), Error> {
    let body: Value = serde_json::from_slice(body).map_err(|error| Error::NotJson(error.to_string()))?;
    match &body["params"]["service"] {
        Value::String(service) if service == "db" => Err(Error::DatabaseService),
        _ => Ok(()),
    }
}
