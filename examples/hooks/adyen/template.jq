# The payments of a notification by Adyen that are authorised become notes on the invoices whose numbers are their references.
#
# For call_function on account.move. docs.adyen.com/development-resources/currency-codes: amounts are in the smallest unit, mostly
# cents. Some currencies have none, some have thousandths.
def amount:
  .currency as $currency
  | if ["CVE", "DJF", "GNF", "IDR", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"] | any(. == $currency)
    then .value
    elif ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"] | any(. == $currency) then .value / 1000
    else .value / 100 end;

[
  need(.notificationItems)[].NotificationRequestItem
  | select(.eventCode == "AUTHORISATION" and .success == "true" and (.merchantReference // "") != "")
  | {
      vals: {
        search_key: {name: .merchantReference},
        payload: {
          method: "message_post",
          parameter: {body: "Adyen has authorised \(need(.amount) | amount) \(.amount.currency) (\(.pspReference))."}
        }
      }
    }
]
| if length == 0 then ignore("there is no authorised payment in it") else . end
