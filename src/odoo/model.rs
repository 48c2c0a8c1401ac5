//! The vocabulary of Odoo: RPCs ([`rpc`], [`effect`]), schemas ([`schema`]), errors ([`error`], [`fault`]), the trace of a call ([`trace`]).
//!
//! It contains data only: no network, no state that outlives a call. This is the lowest folder of `odoo` and imports none of the
//! others.

pub(in crate::odoo) mod effect;
pub(in crate::odoo) mod error;
pub(in crate::odoo) mod fault;
pub(in crate::odoo) mod rpc;
pub(in crate::odoo) mod schema;
pub(in crate::odoo) mod trace;
