//! For whom models are read, and with what: `read` reads them, `example` plans calls as the same caller.

use crate::{config::Config, fetch::CallFiles, odoo::Caller};

/// Fields that an example has where Odoo has no value of its own for them, though it may not require them.
pub(super) const TOLD: [&str; 3] = ["name", "partner_id", "product_id"];

/// Reads models for one caller.
#[derive(Clone, Copy)]
pub struct Reader<'r> {
    pub config: &'r Config,
    pub files: &'r CallFiles,
    pub caller: &'r Caller,
}
