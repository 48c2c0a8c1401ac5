# A message of a web page's form becomes a lead.
#
# For create_data on crm.lead. The same message again is known by its content (`delivery_id`).

if (.website // "") != "" then ignore("a program has filled in the field that people do not see") else . end
| {
    payload: {
      name: "Message of \(if (.name // "") == "" then need(.email) else .name end)",
      contact_name: .name,
      email_from: need(.email),
      phone: .phone,
      description: (@html "<p>\(need(.message))</p>" | gsub("\r?\n"; "<br>"))
    }
  }
