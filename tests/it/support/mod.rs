//! What every test needs: the real Odoo, the gateway before it, and somebody who calls.

pub(crate) mod case;
pub(crate) mod client;
pub(crate) mod fault;
pub(crate) mod gateway;
pub(crate) mod matcher;
pub(crate) mod odoo;
pub(crate) mod segments;
