//! Fields that have other names in other versions of Odoo, as integrations know them from one and send them to another.
//!
//! Compared with the fields of Odoo 14 and 19 with sale, purchase, stock and crm, where both have the model. `acc_number` is
//! `account_number` in Odoo 20, by its sources.

/// Model, older name, newer name.
const RENAMED: [(&str, &str, &str); 51] = [
    ("account.account", "company_id", "company_ids"),
    ("account.account", "internal_type", "account_type"),
    ("account.account", "user_type_id", "account_type"),
    ("account.analytic.account", "group_id", "plan_id"),
    ("account.journal", "default_credit_account_id", "default_account_id"),
    ("account.journal", "default_debit_account_id", "default_account_id"),
    ("account.move", "invoice_payment_ref", "payment_reference"),
    ("account.move", "invoice_payment_state", "payment_state"),
    ("account.move", "type", "move_type"),
    ("account.move.line", "account_internal_type", "account_type"),
    ("account.move.line", "analytic_account_id", "analytic_distribution"),
    ("account.payment", "communication", "memo"),
    ("account.payment", "communication", "ref"),
    ("account.payment", "payment_date", "date"),
    ("account.payment", "ref", "memo"),
    ("account.payment.term.line", "days", "nb_days"),
    ("account.payment.term.line", "option", "delay_type"),
    ("crm.lead", "lost_reason", "lost_reason_id"),
    ("crm.lead", "mobile", "phone"),
    ("crm.lead", "planned_revenue", "expected_revenue"),
    ("ir.attachment", "datas_fname", "name"),
    ("product.product", "detailed_type", "type"),
    ("product.product", "uom_po_id", "uom_id"),
    ("product.supplierinfo", "name", "partner_id"),
    ("product.supplierinfo", "product_uom", "product_uom_id"),
    ("product.template", "detailed_type", "type"),
    ("product.template", "priority", "is_favorite"),
    ("product.template", "uom_po_id", "uom_id"),
    ("project.task", "planned_hours", "allocated_hours"),
    ("project.task", "user_id", "user_ids"),
    ("purchase.order", "notes", "note"),
    ("purchase.order.line", "product_uom", "product_uom_id"),
    ("purchase.order.line", "taxes_id", "tax_ids"),
    ("res.groups", "category_id", "privilege_id"),
    ("res.groups", "users", "user_ids"),
    ("res.partner", "customer", "customer_rank"),
    ("res.partner", "mobile", "phone"),
    ("res.partner", "supplier", "supplier_rank"),
    ("res.partner.bank", "acc_number", "account_number"),
    ("res.users", "groups_id", "group_ids"),
    ("sale.order.line", "price_reduce", "price_reduce_taxexcl"),
    ("sale.order.line", "product_uom", "product_uom_id"),
    ("sale.order.line", "tax_id", "tax_ids"),
    ("stock.move", "quantity_done", "quantity"),
    ("stock.move", "reserved_availability", "quantity"),
    ("stock.move.line", "product_uom_qty", "quantity"),
    ("stock.move.line", "qty_done", "quantity"),
    ("stock.picking", "move_ids_without_package", "move_ids"),
    ("stock.picking", "move_line_ids_without_package", "move_line_ids"),
    ("stock.picking", "move_lines", "move_ids"),
    ("stock.scrap", "product_uom", "product_uom_id"),
];

/// The names that a field has in other versions, newer and older ones.
pub(super) fn other_names(model: &str, name: &str) -> impl Iterator<Item = &'static str> {
    RENAMED.iter().filter(move |(of, ..)| *of == model).filter_map(move |(_, old, new)| match name {
        name if name == *old => Some(*new),
        name if name == *new => Some(*old),
        _ => None,
    })
}
