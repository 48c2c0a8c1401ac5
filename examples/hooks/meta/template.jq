# The messages of WhatsApp's customers become leads, one for each: one delivery may have several, of several numbers.
#
# For create_update_data on crm.lead, which keeps the message's id in `referred`: the same message again makes no second one.

[
  .entry[].changes[] | select(.field == "messages").value
  | (.contacts // []) as $contacts
  | .messages[]?
  | .from as $from
  | ([$contacts[] | select(.wa_id == $from).profile.name][0] // "+\($from)") as $who
  # A picture or a voice message has no text but a kind.
  | (.text.body // .button.text // .interactive.button_reply.title // "(\(.type))") as $text
  | {
      vals: {
        search_key: {referred: "whatsapp \(need(.id))"},
        payload: {
          referred: "whatsapp \(.id)",
          name: "WhatsApp: \($text | gsub("\\s+"; " ") | .[:60])",
          contact_name: $who,
          phone: "+\($from)",
          description: (@html "<p>\($text)</p>" | gsub("\n"; "<br>"))
        }
      }
    }
]
# Receipts ("delivered", "read") come the same way.
| if length == 0 then ignore("there is no message in it") else . end
