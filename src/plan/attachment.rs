//! The names of Odoo's model for files, `ir.attachment`.
//!
//! Odoo 14-19 have a file's content in `datas`, in base64, and `raw` is the same as plain text there. Odoo 20 has no `datas`:
//! what is sent under it is dropped with success, and `raw` takes base64 (as its sources have it; none could be run). What to
//! do is seen in the schema and in the answers, never in the version: builds between 19 and 20 differ.

/// The field of a record that files are sent in.
pub(super) const FIELD: &str = "attachment_ids";
/// The model of files.
pub(crate) const MODEL: &str = "ir.attachment";
/// The field for a file's content, before Odoo 20.
pub(super) const DATAS: &str = "datas";
/// The field for a file's content in Odoo 20; before, the same content as plain text.
pub(super) const RAW: &str = "raw";

/// The field for a file's content where it stands in the database, as bytes.
pub(super) const DB_DATAS: &str = "db_datas";

/// The names that one file's content has in `ir.attachment`: a rule on one of them is meant for all.
pub(super) fn names_of(model: &str, field: &str) -> &'static [&'static str] {
    const NAMES: [&str; 3] = [DATAS, RAW, DB_DATAS];
    if model == MODEL && NAMES.contains(&field) { &NAMES } else { &[] }
}
