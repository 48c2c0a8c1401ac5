# A payment by Razorpay that is captured becomes a note on the invoice whose number is in its notes.
#
# For call_function on account.move. Amounts are in the smallest unit of the currency. Those of three decimals or none, which
# Razorpay serves as well, stand in `amount`.
def amount:
  if .currency | IN("JPY", "KRW", "VND", "CLP", "PYG", "UGX", "XAF", "XOF") then .amount
  elif .currency | IN("KWD", "BHD", "OMR", "JOD", "TND") then .amount / 1000
  else .amount / 100 end;

if .event != "payment.captured" then ignore("\(.event) is no captured payment") else .payload.payment.entity end
# Without notes it is an empty list.
| if (.notes | type) == "object" and .notes.invoice then . else ignore("payment \(.id) is for no invoice") end
| {
    search_key: {name: .notes.invoice},
    payload: {
      method: "message_post",
      parameter: {body: "Razorpay has received \(amount) \(.currency) (\(need(.id)))."}
    }
  }
