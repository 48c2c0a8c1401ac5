//! The logins and sessions that credentials lead to, and the users behind them.
//!
//! Every RPC is made with the caller's own credential, or that of its `[[client]]` entry. It imports
//! `model`, `credential`, `transport`, `protocol` and `cache`.

pub(in crate::odoo) mod access;
mod authenticated_call;
pub(in crate::odoo) mod authenticator;
pub(in crate::odoo) mod failed_login_budget;
pub(in crate::odoo) mod identity;
mod login;
