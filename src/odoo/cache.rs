//! Caches of Odoo's answers, and single flight: concurrent questions for the same missing entry are asked once.
//!
//! It imports `model` and `auth::credential` only.

pub(in crate::odoo) mod lookup_cache;
pub(in crate::odoo) mod schema_cache;
pub(in crate::odoo) mod single_flight;
