//! Whether Odoo answers, which release it is, and how many calls it takes at a time.

mod capacity;
mod watch;

pub(in crate::odoo) use self::watch::PATIENCE;
pub use self::{capacity::Capacity, watch::NO_PROXY_MODE};
