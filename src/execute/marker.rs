//! The external id of its own that the new record of a call gets, where `[delivery] marker = "external-id"`: it tells the record from
//! every other one, whatever its values are.
//!
//! It names the call, not the caller's key: two callers may use the same key, and a queued call need not have one. It is given right
//! after the record was created, so a gateway that is killed in between leaves a record that its values tell.

use serde_json::json;
use uuid::Uuid;

use crate::{
    odoo::{Caller, EXTERNAL_IDS, Error as OdooError, ExternalId, Rpc},
    plan::{Meant, Warning, WarningCode},
};

/// The module that the external ids stand in; no module of Odoo's begins so.
const MODULE: &str = "__gateway__";

/// The external id of the record that a call creates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(ExternalId);

impl Marker {
    /// That of the call with this id in the store, which all its attempts share.
    pub fn of_call(id: Uuid) -> Self {
        Self(ExternalId { module: MODULE.to_owned(), name: format!("call_{}", id.simple()) })
    }

    /// That of a call of a delivery of several, by its place among them.
    pub fn of_step(delivery: Uuid, number: u32) -> Self {
        Self(ExternalId { module: MODULE.to_owned(), name: format!("call_{}_{number}", delivery.simple()) })
    }

    /// The record of the model that has it.
    ///
    /// # Errors
    /// Odoo does not answer, or refuses.
    pub(super) async fn record(&self, caller: &Caller, model: &str) -> Result<Option<i64>, OdooError> {
        let named = caller.external_ids(model, std::slice::from_ref(&self.0)).await?;
        Ok(named.first().and_then(|named| named.record()))
    }

    /// Gives it to a record. What is told where that fails does not undo the record.
    pub(super) async fn give(&self, caller: &Caller, model: &str, id: i64) -> Option<Warning> {
        let ExternalId { module, name } = &self.0;
        // An update of the module with that name leaves the record alone (`noupdate`).
        let values = json!({"module": module, "name": name, "model": model, "res_id": id, "noupdate": true});
        let Err(error) = caller.call(&Rpc::create(EXTERNAL_IDS, vec![values])).await else { return None };
        // An attempt before may have given it, or the answer to this one was lost.
        if self.record(caller, model).await.is_ok_and(|known| known == Some(id)) {
            return None;
        }
        Some(Warning {
            code: WarningCode::MarkerNotWritten,
            path: String::new(),
            meant: Meant::default(),
            message: format!(
                "the record was written, but not its external id `{module}.{name}` ([delivery] marker): {error}"
            ),
        })
    }
}
