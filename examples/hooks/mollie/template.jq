# A payment at Mollie that is paid is noted as payment reference at the sale order that it is for.
#
# For update_data on sale.order. Mollie sends nothing but the payment's id; what it is comes in $fetched. The program that makes
# the payment puts the order's number into its metadata: {"order": "S00042"}.

if $fetched == null then ignore("\(.id) is no payment") else $fetched end
| if .status != "paid" then ignore("payment \(.id) is \(.status)") else . end
| if .metadata.order? then . else ignore("payment \(.id) is for no order") end
| {
    search_key: {name: .metadata.order},
    payload: {reference: "Mollie \(need(.id)): \(need(.amount.value)) \(.amount.currency)"}
  }
