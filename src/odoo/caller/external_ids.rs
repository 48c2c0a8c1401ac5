//! External ids: the names, such as `base.be`, that modules and imports give to records (`ir.model.data`).
//!
//! The gateway resolves those of a model that the caller may touch on its own account, whether or not `ir.model.data` may be
//! touched, and tells nothing about records of other models. What must stay true: an id leaves this file only for a record
//! of the model that was asked for.

use std::collections::HashMap;

use futures_util::future;
use serde_json::{Map, Value, json};

use super::Caller;
use crate::{
    odoo::model::{
        effect::Effect,
        error::{Error, Why},
        rpc::{Page, Rpc},
    },
    policy::Touch,
};

/// The model that holds external ids.
pub const EXTERNAL_IDS: &str = "ir.model.data";
/// The number of external ids that are asked for concurrently, where each takes an RPC.
const MAX_CONCURRENT: usize = 4;

/// The name of a record, in two parts: `base.be` is `be` of `base`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExternalId {
    pub module: String,
    pub name: String,
}

/// What an external id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A record of the model. With `is_seen`, Odoo has checked that it exists and that the caller may see it.
    Record {
        id: i64,
        is_seen: bool,
    },
    /// A record of the model that does not exist any more, or that the caller may not see.
    Hidden,
    OtherModel,
    Nothing,
}

impl Named {
    /// The record of the model that is named.
    pub fn record(&self) -> Option<i64> {
        match self {
            Self::Record { id, .. } => Some(*id),
            Self::Hidden | Self::OtherModel | Self::Nothing => None,
        }
    }
}

impl ExternalId {
    /// Reads `module.name`. Only the first dot separates, as in Odoo.
    pub fn parse(text: &str) -> Option<Self> {
        let (module, name) = text.split_once('.')?;
        let is_plain = |part: &str| !part.is_empty() && part.trim() == part;
        (is_plain(module) && is_plain(name)).then(|| Self { module: module.to_owned(), name: name.to_owned() })
    }
}

impl Caller {
    /// What each of the external ids names among the records of `model`, archived ones too.
    ///
    /// One alone takes an RPC that every user may make, several one that Odoo may refuse: in Odoo 19,
    /// unlike 14, only users of the group for access rights read `ir.model.data`. They are asked for one by one then.
    ///
    /// # Errors
    /// The policy denies the model, or an RPC fails.
    pub async fn external_ids(&self, model: &str, ids: &[ExternalId]) -> Result<Vec<Named>, Error> {
        self.policy.decide(Touch::Model(model))?;
        if ids.len() > 1
            && let Some(named) = self.read_external_ids(model, ids).await?
        {
            return Ok(named);
        }
        let mut named = Vec::with_capacity(ids.len());
        for some in ids.chunks(MAX_CONCURRENT) {
            named.extend(future::try_join_all(some.iter().map(|id| self.external_id(model, id))).await?);
        }
        Ok(named)
    }

    /// `check_object_reference` is there for every user in Odoo 14-19, and also tells whether the user may see the record.
    async fn external_id(&self, model: &str, id: &ExternalId) -> Result<Named, Error> {
        let names = [("module", json!(id.module)), ("xml_id", json!(id.name))];
        let kwargs: Map<String, Value> = names.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let rpc = Rpc::method(EXTERNAL_IDS, "check_object_reference", None, kwargs).reads();
        match self.read(&rpc.with_context("active_test", false)).await {
            Ok(answer) => match (answer[0].as_str(), answer[1].as_i64()) {
                (Some(named), Some(id)) if named == model => Ok(Named::Record { id, is_seen: true }),
                (Some(named), None) if named == model => Ok(Named::Hidden),
                (Some(_), _) => Ok(Named::OtherModel),
                (None, _) => Err(garbled("check_object_reference")),
            },
            Err(Error::Fault(fault)) if fault.is_unknown_external_id() => Ok(Named::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Reads all of them in one RPC; `None` where Odoo does not let the user.
    async fn read_external_ids(&self, model: &str, ids: &[ExternalId]) -> Result<Option<Vec<Named>>, Error> {
        let modules: Vec<&str> = ids.iter().map(|id| id.module.as_str()).collect();
        let names: Vec<&str> = ids.iter().map(|id| id.name.as_str()).collect();
        let domain = json!([["module", "in", modules], ["name", "in", names]]);
        let fields = json!(["module", "name", "model", "res_id"]);
        let rpc = Rpc::search_read(EXTERNAL_IDS, domain, fields, Page::default());
        let rows = match self.read(&rpc).await {
            Ok(Value::Array(rows)) => rows,
            Ok(_) => return Err(garbled("search_read")),
            Err(Error::Fault(fault)) if fault.is_access_error() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut found = HashMap::new();
        for row in &rows {
            if let (Some(module), Some(name)) = (row["module"].as_str(), row["name"].as_str()) {
                let id = row["res_id"].as_i64().filter(|_| row["model"] == model);
                let named = id.map_or(Named::OtherModel, |id| Named::Record { id, is_seen: false });
                found.insert((module, name), named);
            }
        }
        let named = |id: &ExternalId| found.get(&(id.module.as_str(), id.name.as_str())).copied();
        Ok(Some(ids.iter().map(|id| named(id).unwrap_or(Named::Nothing)).collect()))
    }

    /// Whether Odoo lets the user give external ids to records. `check_access_rights` is there in Odoo 14-19; later versions
    /// may have `has_access` alone.
    ///
    /// # Errors
    /// The RPC fails.
    pub async fn may_make_external_ids(&self) -> Result<bool, Error> {
        self.makes_external_ids.get_or_try_init(|| self.ask_for_right()).await.copied()
    }

    async fn ask_for_right(&self) -> Result<bool, Error> {
        let kwargs = Map::from_iter([
            ("operation".to_owned(), json!("create")),
            ("raise_exception".to_owned(), Value::Bool(false)),
        ]);
        let rpc = Rpc::method(EXTERNAL_IDS, "check_access_rights", None, kwargs).reads();
        match self.read(&rpc).await {
            Ok(answer) => Ok(answer == Value::Bool(true)),
            // Whether it may shows when it is done.
            Err(Error::Fault(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn garbled(method: &str) -> Error {
    let why = Why::Garbled(format!("{EXTERNAL_IDS}.{method} gave something else"));
    Error::NoAnswer { effect: Effect::Read, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_has_a_module_and_a_name_in_which_further_dots_are_letters() {
        let id = |module: &str, name: &str| Some(ExternalId { module: module.to_owned(), name: name.to_owned() });
        assert_eq!(ExternalId::parse("base.be"), id("base", "be"));
        assert_eq!(ExternalId::parse("shop.order_17.line"), id("shop", "order_17.line"));
        for text in ["be", "", ".", "base.", ".be", " base.be", "base. be"] {
            assert_eq!(ExternalId::parse(text), None, "{text:?}");
        }
    }
}
