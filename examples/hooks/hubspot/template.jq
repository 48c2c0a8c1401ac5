# HubSpot's events about contacts become contacts, found by `ref` ("hubspot-123"). One delivery has up to a hundred events.
#
# For create_update_data on res.partner. HubSpot sends which property has changed to what, and of a new contact its id alone:
# `default_name` names a contact that is new in Odoo and leaves another's name alone.

def changed($property): [.[] | select(.propertyName == $property).propertyValue] | last;

[
  # HubSpot gives no order within a delivery.
  [.[] | select(.subscriptionType | startswith("contact."))] | sort_by(.occurredAt) | group_by(need(.objectId))[]
  | "hubspot-\(.[0].objectId)" as $ref
  | changed("email") as $email
  | changed("firstname") as $first
  | changed("lastname") as $last
  | {
      vals: {
        search_key: {ref: $ref},
        payload: (
          {ref: $ref, email: $email, phone: changed("phone"), city: changed("city"), zip: changed("zip")}
          # A name is one field in Odoo: half of it would overwrite the other.
          + (if $first != null and $last != null then {name: "\($first) \($last)"} else {} end)
          + (if any(.[]; .subscriptionType == "contact.deletion") then {active: false} else {} end)
          | with_entries(select(.value != null))
        ),
        context: {default_name: ($email // $ref)}
      }
    }
]
| if length == 0 then ignore("there is nothing about contacts in it") else . end
