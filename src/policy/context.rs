//! Flags of a context that tell of no field: they choose a language, companies or what is noted beside a write (14-19).
//!
//! Others may have Odoo answer a field within another one: with `show_vat` the name of a `res.partner` has its VAT number
//! (`_compute_display_name`, 14-19), with `show_total_amount` that of a `purchase.order` its amount.

const HARMLESS: [&str; 20] = [
    "active_test",
    "allowed_company_ids",
    "bin_size",
    "check_move_validity",
    "company_id",
    "force_company",
    "force_send",
    "include_binary_content",
    "lang",
    "mail_auto_delete",
    "mail_auto_subscribe_no_notify",
    "mail_create_nolog",
    "mail_create_nosubscribe",
    "mail_notify_force_send",
    "mail_notrack",
    "mail_post_autofollow",
    "no_reset_password",
    "tracking_disable",
    "tz",
    "uid",
];

/// Whether Odoo answers no other field for this key of a context, whatever its value is.
pub(super) fn is_harmless(key: &str) -> bool {
    HARMLESS.contains(&key)
}
