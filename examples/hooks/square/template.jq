# A payment by Square that is completed becomes a note on the invoice whose number is its reference_id.
#
# For call_function on account.move. Amounts are in the smallest unit of the currency; of those without cents, JPY is the one
# that Square serves.

if .type != "payment.updated" and .type != "payment.created" then ignore("\(.type) is no payment") else .data.object.payment end
| if .status != "COMPLETED" then ignore("payment \(.id) is \(.status)") else . end
| if .reference_id then . else ignore("payment \(.id) is for no invoice") end
| (need(.amount_money) | if .currency == "JPY" then .amount else .amount / 100 end) as $amount
| {
    search_key: {name: .reference_id},
    payload: {
      method: "message_post",
      parameter: {body: "Square has received \($amount) \(.amount_money.currency) (\(.id))."}
    }
  }
