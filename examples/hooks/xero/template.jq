# The contacts that a delivery of Xero names become contacts, found by `ref` ("xero-…").
#
# For create_update_data on res.partner. Xero sends ids; $fetched has the contacts, all by one request.

if (.events | length) == 0 then ignore("it is Xero's intent to receive") else . end
| if $fetched == null then ignore("there is nothing about contacts in it") else $fetched end
| [
    need(.Contacts)[]
    | "xero-\(need(.ContactID))" as $ref
    | ([.Phones[]? | select(.PhoneType == "DEFAULT" and (.PhoneNumber // "") != "")
        | [.PhoneCountryCode, .PhoneAreaCode, .PhoneNumber | strings | select(. != "")] | join(" ")][0]) as $phone
    | {
        vals: {
          search_key: {ref: $ref},
          payload: ({ref: $ref, name: need(.Name), email: .EmailAddress, phone: $phone, vat: .TaxNumber} | with_entries(select(.value != null and .value != "")))
        }
      }
  ]
