//! Lookups that matched several records where one is needed.

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
pub(super) const CANDIDATES: usize = 5;

/// Records with their names, as the end of a sentence.
pub(in crate::plan) fn listed(candidates: &[(i64, String)]) -> String {
    let named: Vec<String> = candidates.iter().map(|(id, name)| format!("{id} ({name})")).collect();
    if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) }
}
