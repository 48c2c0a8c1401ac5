# A registration for a webinar or a meeting at Zoom becomes a lead.
#
# For create_update_data on crm.lead, which keeps the registrant's id in `referred`: the same registration again makes no second one.

if .event == "endpoint.url_validation" then ignore("Zoom's challenge has its answer from `respond`")
elif .event != "webinar.registration_created" and .event != "meeting.registration_created" then ignore("\(.event) is no registration")
else .payload.object end
| need(.topic) as $topic
| .registrant
| {
    search_key: {referred: "zoom \(need(.id))"},
    payload: {
      referred: "zoom \(.id)",
      name: "\($topic): \([.first_name, .last_name | strings] | join(" "))",
      contact_name: ([.first_name, .last_name | strings] | join(" ")),
      email_from: need(.email),
      phone: .phone,
      partner_name: .org,
      description: ([
        (.comments | strings | select(. != "") | {title: "Comments", value: .}),
        ((.custom_questions // [])[])
      ] | map(@html "<p><b>\(.title)</b><br>\(.value)</p>") | join(""))
    }
  }
