//! Credentials, the logins and sessions that they lead to, and the user behind them.
//!
//! [`credential`] is a leaf that the lower folders may import; the rest stands above `protocol` and `cache`.

pub(in crate::odoo) mod access;
pub(in crate::odoo) mod cooldown;
pub(in crate::odoo) mod credential;
pub(in crate::odoo) mod identity;
