//! Calls of any method, on records or on the model.

use serde_json::Value;

use super::Caller;
use crate::odoo::{
    Takes,
    model::{error::Error, rpc::Rpc},
    protocol::{JSON2_SINCE, Protocol},
};

impl Caller {
    /// Calls a method on records, or on the model where the method is not called on records.
    ///
    /// Odoo does not tell which of the two a method is, but every protocol refuses one wrong form before the method runs: JSON-2
    /// a model method with ids, the others a record method without ids. Where nothing is known of a method, that form is tried
    /// first; the outcome is remembered.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn call_method(&self, on_records: Rpc) -> Result<Value, Error> {
        let result = self.call_either_way(on_records).await?;
        // The version is known by now, after a call.
        let is_old = self.version().await.is_ok_and(|version| version < JSON2_SINCE);
        Ok(if is_old { records_as_ids(result) } else { result })
    }

    async fn call_either_way(&self, on_records: Rpc) -> Result<Value, Error> {
        let name = (on_records.model.clone(), on_records.method.clone());
        let on_model = Rpc { ids: None, ..on_records.clone() };
        let refused_first = match self.access.protocol {
            Protocol::Session | Protocol::JsonRpc | Protocol::XmlRpc => Takes::Model,
            Protocol::Json2 => Takes::Records,
        };
        let first = self.odoo.methods.get(&name).map_or(refused_first, |known| *known);
        let result = self.call(if first == Takes::Model { &on_model } else { &on_records }).await;
        match result {
            Err(Error::Fault(fault)) if fault.wants_ids() => {
                self.odoo.methods.insert(name, Takes::Records);
                self.call(&on_records).await
            }
            Err(Error::Fault(fault)) if fault.refuses_ids(&on_model.model, &on_model.method) => {
                self.odoo.methods.insert(name, Takes::Model);
                self.call(&on_model).await
            }
            Ok(_) => {
                // JSON-2 accepts an empty list of ids for a model method, so a call on no records proves nothing.
                if first == Takes::Model || on_records.ids.as_ref().is_some_and(|ids| !ids.is_empty()) {
                    self.odoo.methods.insert(name, first);
                }
                result
            }
            Err(_) => result,
        }
    }
}

/// The ids of records that a method returned. Where a method does not declare that it returns records, Odoo 14-18 give them as
/// the text `res.partner(3, 4)`; Odoo 19 gives the ids.
fn records_as_ids(result: Value) -> Value {
    let ids = result.as_str().and_then(|text| {
        let (model, ids) = text.strip_suffix(')')?.split_once('(')?;
        let is_model = model.starts_with(|first: char| first.is_ascii_lowercase())
            && model.contains('.')
            && model.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_'));
        // Python writes a tuple of one with a trailing comma.
        let ids = match ids.strip_suffix(',') {
            Some(one) => vec![one],
            None if ids.is_empty() => Vec::new(),
            None => ids.split(", ").collect(),
        };
        let is_tuple = ids.len() != 1 || text.ends_with(",)");
        let ids = ids.into_iter().map(str::parse::<i64>).collect::<Result<Vec<_>, _>>().ok()?;
        (is_model && is_tuple).then_some(ids)
    });
    ids.map_or(result, Value::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_in_pythons_words_become_their_ids() {
        for (given, expected) in [
            (json!("res.partner(3,)"), json!([3])),
            (json!("res.partner(3, 4)"), json!([3, 4])),
            (json!("res.partner()"), json!([])),
            (json!("f(3)"), json!("f(3)")),
            (json!("v1.0(2)"), json!("v1.0(2)")),
            (json!("SO.2024(17,)"), json!("SO.2024(17,)")),
            (json!("res.partner(a)"), json!("res.partner(a)")),
            (json!("call +32 2 (0.30)"), json!("call +32 2 (0.30)")),
            (json!(7), json!(7)),
        ] {
            assert_eq!(records_as_ids(given.clone()), expected, "{given}");
        }
    }
}
