# A text message that comes to a number at Twilio becomes a lead.
#
# For create_update_data on crm.lead, which keeps the message's id in `referred`: the same message again makes no second one.

(if (.Body // "") == "" then "(\(.NumMedia // 0) files)" else .Body end) as $text
| ([range(.NumMedia // "0" | tonumber) as $at | .["MediaUrl\($at)"]]) as $files
| {
    search_key: {referred: "twilio \(need(.MessageSid))"},
    payload: {
      referred: "twilio \(.MessageSid)",
      name: "SMS: \($text | gsub("\\s+"; " ") | .[:60])",
      contact_name: need(.From),
      phone: .From,
      description: ([$text, $files[]] | map(@html "<p>\(.)</p>") | join("") | gsub("\n"; "<br>"))
    }
  }
