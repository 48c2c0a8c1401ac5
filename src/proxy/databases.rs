//! Odoo's `db` service by JSON-RPC: it lists, makes and drops whole databases, as `/web/database` does.

use serde::Deserialize;
use serde_json::Value;

use crate::{call::Error, wire::Path};

/// Whether a request of this path says in its body which service it is for.
pub(super) fn names_service(path: &Path) -> bool {
    path.is("/jsonrpc")
}

/// What is read of a body. A key that stands twice is refused: another reader may take the other one.
#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    params: Params,
}

#[derive(Deserialize, Default)]
struct Params {
    #[serde(default)]
    service: Value,
}

/// A body that cannot be read here may mean something else to Odoo, so it is not passed on.
pub(super) fn check(body: &[u8]) -> Result<(), Error> {
    let Body { params } = serde_json::from_slice(body).map_err(|error| Error::NotJson(error.to_string()))?;
    if params.service == "db" { Err(Error::DatabaseService) } else { Ok(()) }
}
