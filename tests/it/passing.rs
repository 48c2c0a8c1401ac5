//! What is passed on, at the level of bytes: Odoo gets what the caller has sent, and the caller what Odoo answers.
//!
//! Where bytes matter, the upstream is one that the test plays itself; where Odoo's own ways matter, it is the real Odoo.

mod answers;
mod breaks;
mod prefixes;
mod requests;
mod streams;
mod web;
mod websocket;
mod wire;
