#!/usr/bin/env bash
# An order from a webshop goes to Odoo: bash, curl and jq.
#
#   GATEWAY_URL=http://127.0.0.1:8080 GATEWAY_KEY=… ./curl.sh
#
# CUSTOMER and ORDER are the webshop's own numbers. A second run with the same numbers changes nothing.
set -euo pipefail
: "${GATEWAY_URL:?}" "${GATEWAY_KEY:?}" "${CUSTOMER:=C-1001}" "${ORDER:=4711}"
tries=5
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# call ROUTE BODY [KEY]: makes a call and prints its result; with a key, it is repeated without being done twice. Of a call that
# was refused, it prints what docs/errors.md explains (code, retry, path) on standard error, and returns 1.
call() {
  local attempt status pause error
  for ((attempt = 1; ; attempt++)); do
    # The key comes by standard input, since everybody on this machine can read arguments.
    if status=$(curl -sS --max-time 120 -K - -H 'Content-Type: application/json' ${3:+-H "Idempotency-Key: $3"} \
        -d "$2" -D "$folder/head" -o "$folder/body" -w '%{http_code}' "${GATEWAY_URL%/}/api/$1" <<< "header = \"x-api-key: $GATEWAY_KEY\"") \
        && jq -e . "$folder/body" > /dev/null 2>&1; then
      if jq -e '.result.is_success' "$folder/body" > /dev/null; then
        jq -r '.result.warnings[]? | "warning: \(.code) \(.message)"' "$folder/body" >&2
        jq -c '.result.result' "$folder/body"
        return
      fi
      error=$(jq -c '(.result.error // .error.data) + {message: (.result.messages // .error.message)}' "$folder/body")
      if [ "$(jq -r .retry <<< "$error")" != safe ] || ((attempt == tries)); then
        jq -r '"refused \(.code) \(.path) \(.message)"' <<< "$error" >&2
        return 1
      fi
    elif [ -z "${3:-}" ] || ((attempt == tries)); then
      # It is not known whether the gateway did it. With the key it may be asked again, without it may not.
      echo "no answer of the gateway (HTTP status ${status:-none})" >&2
      return 1
    fi
    pause=$(sed -n 's/^retry-after: *\([0-9]*\).*/\1/Ip' "$folder/head" 2> /dev/null || true)
    rm -f "$folder/head"
    sleep "${pause:-$attempt}"
  done
}

# A customer, by the webshop's number: made the first time, written into after that.
customer=$(call create_update_data "$(jq -n --arg ref "$CUSTOMER" '{model: "res.partner", vals: {
  search_key: {ref: $ref},
  payload: {name: "Ada Byron", email: "ada@example.com", country_id: {code: "BE"}}}}')")
echo "customer $customer"

# An order with lines. Customer and products are named by fields that the webshop knows.
order=$(call create_data "$(jq -n --arg customer "$CUSTOMER" --arg order "$ORDER" '{model: "sale.order", vals: {
  payload: {
    partner_id: {ref: $customer},
    client_order_ref: $order,
    order_line: [
      {product_id: {default_code: "FURN_7777"}, product_uom_qty: 2, price_unit: 115},
      {product_id: {default_code: "FURN_8888"}, product_uom_qty: 8}]},
  result_field: ["name"]}}')" "order-$ORDER")
echo "order $order"

# A change of that order.
call update_data "$(jq -n --arg order "$ORDER" '{model: "sale.order", vals: {
  search_key: {client_order_ref: $order},
  payload: {commitment_date: "2026-12-24T10:00:00+01:00"}}}')" "order-$ORDER-date" > /dev/null

# A file of that order. Files are added, so the key keeps a second one away.
call update_data "$(jq -n --arg order "$ORDER" '{model: "sale.order", vals: {
  search_key: {client_order_ref: $order},
  payload: {attachment_ids: [{name: "order.txt", datas: ("As ordered." | @base64)}]}}}')" "order-$ORDER-file" > /dev/null

# A search.
found=$(call search_data "$(jq -n --arg order "$ORDER" '{model: "sale.order", vals: {payload: {
  search_domain: [["client_order_ref", "=", $order]],
  search_field: ["name", "state", "amount_untaxed", "order_line{product_uom_qty, product_id{default_code}}"]}}}')")
jq -r '.[0] | "found \(.name) \(.state) \(.amount_untaxed) \(.order_line | length) lines"' <<< "$found"

# A mistake: nothing of this order is written, and the error says what to mend.
if call create_data "$(jq -n --arg customer "$CUSTOMER" '{model: "sale.order", vals: {
  payload: {partner_id: {ref: $customer}, order_line: [{product_id: {default_code: "NO-SUCH-PRODUCT"}}]}}}')" "order-$ORDER-mistake"; then
  echo "an order for a product that does not exist was taken" >&2
  exit 1
fi
