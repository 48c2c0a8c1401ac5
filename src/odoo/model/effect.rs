//! Whether an RPC changes anything: it decides what a lost answer means, and what may be sent again.

/// Whether an RPC can change data in Odoo. A method that is not known to only read counts as a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Read,
    Write,
}
