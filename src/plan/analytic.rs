//! The names of Odoo's model for analytic accounts, and of the field that distributes over them.
//!
//! From 16 on, `analytic_distribution` is a JSON object of percentages by the id of an account, or by several ids with
//! commas between them (17 and later). Odoo does not check the keys: what is no id is stored, and leads to nothing.

/// The field of a line, in every model that has one (`analytic.mixin`, 16-19).
pub(super) const FIELD: &str = "analytic_distribution";
/// The model of the accounts.
pub(super) const MODEL: &str = "account.analytic.account";
/// The fields by which an account is found, the first one first.
pub(super) const KEYS: [&str; 2] = ["code", "name"];
