# A payment by Stripe (the event payment_intent.succeeded) becomes a note on the invoice that it is for.
#
# For call_function on account.move. The program that makes the PaymentIntent puts the invoice's number into its metadata:
# {"invoice": "INV/2026/00017"}. Other events, and payments for something else, are ignored.

# docs.stripe.com/currencies: amounts are in the smallest unit, mostly cents. Some currencies have none, some have thousandths.
def amount:
  def is_one_of(currencies): .currency as $currency | any(currencies; . == $currency);
  if is_one_of("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf")
  then .amount_received
  elif is_one_of("bhd", "jod", "kwd", "omr", "tnd") then .amount_received / 1000
  else .amount_received / 100 end;

if .type != "payment_intent.succeeded" then ignore("\(.type) is no payment") else .data.object end
| if .metadata.invoice then . else ignore("payment \(.id) is for no invoice") end
| {
    search_key: {name: .metadata.invoice},
    payload: {
      method: "message_post",
      parameter: {body: "Stripe has received \(amount) \(.currency | ascii_upcase) (\(.id))."}
    }
  }
