# A mail to an inbound address at Postmark becomes a lead with the mail's text and its attachments.
#
# For create_update_data on crm.lead, which keeps the mail's id in `referred`: the same mail again makes no second one.

"postmark \(need(.MessageID))" as $key
| {
    search_key: {referred: $key},
    payload: ({
      referred: $key,
      name: (if (.Subject // "") == "" then "Mail of \(.From)" else .Subject end),
      email_from: need(.FromFull.Email),
      contact_name: (if (.FromFull.Name // "") == "" then .FromFull.Email else .FromFull.Name end),
      description: (@html "<p>\(if (.StrippedTextReply // "") == "" then .TextBody // "" else .StrippedTextReply end)</p>" | gsub("\r?\n"; "<br>"))
    } + (if (.Attachments // []) == [] then {} else {attachment_ids: [.Attachments[] | {name: .Name, datas: .Content}]} end))
  }
