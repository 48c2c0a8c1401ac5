#!/usr/bin/env bash
# The main job, on a real Odoo: a partner, an order with lines, a search and a method call, through the gateway.
#
#   examples/quickstart.sh          brings up an Odoo, builds and starts the gateway, makes the calls, leaves it running
#   examples/quickstart.sh --once   the same, and stops the gateway at the end; exit status 0 or 1
#
# ODOO_GATEWAY_TEST_URL, _DB, _LOGIN, _PASSWORD and _KEY name an Odoo of your own to use instead (tests/odoo/up --help).
set -euo pipefail
cd "$(dirname "$0")/.."

once=false
case "${1:-}" in
  "") ;;
  --once) once=true ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
for program in cargo python3 curl; do
  command -v "$program" >/dev/null || { echo "quickstart: $program is needed and is not installed" >&2; exit 1; }
done

step() { printf '\n== %s\n' "$1"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
pretty() { python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin), indent=2, ensure_ascii=False))'; }

step "A real Odoo, and the gateway"
odoo_file=$(mktemp)
trap 'rm -f "$odoo_file"' EXIT
tests/odoo/up --json > "$odoo_file" &
odoo_up=$!
cargo build --quiet --locked
wait "$odoo_up" || exit 1
odoo_url=$(field url < "$odoo_file")
database=$(field database < "$odoo_file")
login=$(field login < "$odoo_file")
key=$(field key < "$odoo_file")

folder=$(mktemp -d "${TMPDIR:-/tmp}/odoo-gateway-quickstart.XXXXXX")
cat > "$folder/gateway.toml" <<TOML
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[upstream]
url = "$odoo_url"
database = "$database"
TOML

program="${CARGO_TARGET_DIR:-target}/debug/odoo-gateway"
"$program" check --config "$folder/gateway.toml"
nohup "$program" serve --config "$folder/gateway.toml" > "$folder/out" 2> "$folder/err" < /dev/null &
gateway=$!
stop() { kill "$gateway" 2>/dev/null && wait "$gateway" || true; }
trap 'rm -f "$odoo_file"; stop; rm -rf "$folder"' EXIT
for _ in $(seq 100); do
  url=$(sed -n 's/^listening on //p' "$folder/out")
  [ -n "$url" ] && break
  kill -0 "$gateway" 2>/dev/null || { cat "$folder/err" >&2; exit 1; }
  sleep 0.1
done
echo "the gateway listens on $url, in front of $odoo_url"

# call ROUTE BODY: shows the request, its answer, and the line it left in the log.
call() {
  printf '\nPOST %s/api/%s\n' "$url" "$1"
  pretty <<< "$2"
  answer=$(curl -sS --noproxy '*' -u "$login:$key" -H 'Content-Type: application/json' -d "$2" "$url/api/$1") || { echo "quickstart: the gateway does not answer" >&2; exit 1; }
  echo "-- answer"
  pretty <<< "$answer"
  echo "-- log"
  grep -h '"event":"call.finished"' "$folder"/log/*.jsonl | tail -n 1
  python3 -c 'import json, sys; sys.exit(not json.load(sys.stdin).get("result", {}).get("is_success"))' <<< "$answer" \
    || { echo "quickstart: this call failed" >&2; exit 1; }
}
result() { python3 -c 'import json, sys; print(json.load(sys.stdin)["result"]["result"]["id"])' <<< "$answer"; }

# References that no earlier run has used.
run=$(date +%s)

step "A partner, whose country is named by its code"
call create_data '{
  "params": {"model": "res.partner", "vals": {
    "payload": {"name": "Webshop customer '"$run"'", "ref": "WEB-'"$run"'", "email": "customer@example.com", "country_id": {"code": "BE"}},
    "result_field": ["name", "country_id"]}}}'

step "Two products, so that an order can name them by their codes"
for code in DESK CHAIR; do
  call create_update_data '{
    "params": {"model": "product.product", "vals": {
      "search_key": {"default_code": "QS-'"$code"'"},
      "payload": {"name": "Quickstart '"$code"'", "default_code": "QS-'"$code"'", "list_price": 120, "type": "consu"}}}}'
done

step "An order with lines: customer and products are looked up"
call create_data '{
  "params": {"model": "sale.order", "vals": {
    "payload": {
      "partner_id": {"ref": "WEB-'"$run"'"},
      "client_order_ref": "PO-'"$run"'",
      "order_line": [
        {"product_id": {"default_code": "QS-DESK"}, "product_uom_qty": 2, "price_unit": 115},
        {"product_id": {"default_code": "QS-CHAIR"}, "product_uom_qty": 8}]},
    "result_field": ["name", "state", "amount_untaxed"]}}}'
order=$(result)

step "A method: the order is confirmed"
call call_function '{
  "params": {"model": "sale.order", "vals": {
    "search_key": {"client_order_ref": "PO-'"$run"'"},
    "payload": {"method": "action_confirm"}}}}'

step "A search: the order with its lines and their products"
call search_data '{
  "params": {"model": "sale.order", "vals": {
    "payload": {
      "search_field": ["name", "state", "partner_id{name, country_id{code}}", "order_line{product_uom_qty, product_id{default_code, name}}"],
      "search_domain": "[('"'id', '=', $order"')]"}}}}'

if $once; then
  step "Done"
  exit 0
fi

# A key of your own Odoo is not shown; that of the throw-away one may be. Login and key together open every version.
shown_key=${ODOO_GATEWAY_TEST_URL:+'$ODOO_GATEWAY_TEST_KEY'}
trap 'rm -f "$odoo_file"' EXIT
step "The gateway keeps running (process $gateway). Go on with:"
cat <<WORDS
  curl --noproxy '*' -u "$login:${shown_key:-$key}" -H 'Content-Type: application/json' $url/api/search_data \\
    -d '{"model": "res.country", "vals": {"payload": {"search_field": ["name", "code"], "limit": 3}}}'

  its log     '$program' log ls --config $folder/gateway.toml
  stop it     kill $gateway; tests/odoo/down
WORDS
