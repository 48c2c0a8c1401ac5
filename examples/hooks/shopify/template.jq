# A Shopify order (the webhooks orders/create and orders/updated) becomes a sale.order with a customer and lines.
#
# For create_update_data: the same order again, edited in the shop, has its lines replaced by the new ones. The customer is
# looked up by email and the products by SKU; those that are missing are made. Taxes are Odoo's own; shipping and discounts
# are left out, and would be lines like the others.

if $headers["x-shopify-topic"] | . != null and (startswith("orders/") | not) then ignore("\($headers["x-shopify-topic"]) is no order") else . end
# An order from a till may have no customer. That fails, and waits for a person, rather than being dropped.
| (.email // .customer.email // error("order \(.name) has no email")) as $email
| ([.customer | .first_name, .last_name | strings] | join(" ")) as $name
| [need(.line_items)[] | {
    code: (if (.sku // "") == "" then "shopify-\(.variant_id // .id)" else .sku end),
    name,
    quantity: need(.quantity),
    price: (need(.price) | tonumber)
  }] as $lines
| "\(need(.name)) (\(need(.id)))" as $reference
| {
    search_key: {client_order_ref: $reference},
    payload: {
      client_order_ref: $reference,
      partner_id: {email: $email},
      order_line: [$lines[] | {product_id: {default_code: .code}, product_uom_qty: .quantity, price_unit: .price}]
    },
    auto_create: {
      partner_id: {email: $email, name: (if $name == "" then $email else $name end)},
      product_id: [$lines[] | {default_code: .code, name, list_price: .price}]
    },
    result_field: ["name", "amount_untaxed"]
  }
