//! Lookups that matched several records where one is needed.

use serde_json::json;

use crate::{
    odoo::{Caller, Rpc},
    policy::Touch,
};

/// A lookup that matched several records where one is needed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("'{field}': '{value}' matched more than 1 record{}", listed(candidates))]
pub struct Ambiguous {
    pub path: String,
    pub field: String,
    pub value: String,
    pub model: String,
    pub ids: Vec<i64>,
    /// The ids and names of some of the records, where Odoo could be asked for them.
    pub candidates: Vec<(i64, String)>,
}

/// The number of records that an ambiguous lookup names.
const CANDIDATES: usize = 5;

/// Records with their names, as the end of a sentence.
pub(in crate::plan) fn listed(candidates: &[(i64, String)]) -> String {
    let named: Vec<String> = candidates.iter().map(|(id, name)| format!("{id} ({name})")).collect();
    if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) }
}

impl Ambiguous {
    /// Asks for the names of some of the records, where the caller may read them. What fails leaves them out.
    pub(super) async fn ask_names(&mut self, caller: &Caller) {
        if caller.policy().decide(Touch::Read { model: &self.model, field: "display_name" }).is_err() {
            return;
        }
        let some = self.ids.iter().copied().take(CANDIDATES).collect();
        let named = caller.call(&Rpc::read(&self.model, some, json!(["display_name"]))).await.unwrap_or_default();
        let candidates = named.as_array().into_iter().flatten();
        let candidates =
            candidates.filter_map(|row| Some((row["id"].as_i64()?, row["display_name"].as_str()?.to_owned())));
        self.candidates = candidates.collect();
    }
}
