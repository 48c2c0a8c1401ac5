//! What fuzz targets feed of what is passed on. What must hold: no body that Odoo may read as a call of its `db` service gets through.

use serde_json::Value;

use super::databases;

pub(crate) fn database_service(body: &[u8]) {
    let is_taken = databases::check(body).is_ok();
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        assert!(!(is_taken && value["params"]["service"] == "db"), "{value}");
    }
}
