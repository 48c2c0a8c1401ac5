# A WooCommerce order (the topics order.created and order.updated) becomes a sale.order with a customer and lines.
#
# For create_update_data: the same order again has its lines replaced by the new ones. The customer is looked up by email and the
# products by SKU; those that are missing are made. Taxes are Odoo's own; shipping and coupons are left out, and would be lines
# like the others.

$headers["x-wc-webhook-topic"] as $topic
| if $topic != null and ($topic | startswith("order.") | not) then ignore("\($topic) is no order")
  # An order that the customer has not sent yet.
  elif .status == "checkout-draft" then ignore("order \(.id) is a draft")
  elif .status == "trash" or $topic == "order.deleted" then ignore("order \(.id) is deleted")
  else . end
| (if (.billing.email // "") == "" then error("order \(.id) has no email") else .billing.email end) as $email
| ([.billing | .first_name, .last_name | strings | select(. != "")] | join(" ")) as $name
| [need(.line_items)[] | {
    code: (if (.sku // "") == "" then "woocommerce-\(if (.variation_id // 0) == 0 then .product_id else .variation_id end)" else .sku end),
    name,
    quantity: need(.quantity),
    # Without tax. WooCommerce rounds it in no way.
    price: (need(.price) | tonumber)
  }] as $lines
| "WooCommerce \(need(.number))" as $reference
| .billing as $billing
| {
    search_key: {client_order_ref: $reference},
    payload: {
      client_order_ref: $reference,
      partner_id: {email: $email},
      order_line: [$lines[] | {product_id: {default_code: .code}, product_uom_qty: .quantity, price_unit: .price}]
    },
    auto_create: {
      partner_id: ({
        email: $email,
        name: (if $name == "" then $email else $name end),
        phone: $billing.phone,
        street: $billing.address_1,
        street2: $billing.address_2,
        zip: $billing.postcode,
        city: $billing.city
      } + (if ($billing.country // "") == "" then {} else {country_id: {code: $billing.country}} end)),
      product_id: [$lines[] | {default_code: .code, name, list_price: .price}]
    },
    result_field: ["name", "amount_untaxed"]
  }
