# A booking at Calendly becomes a lead; a cancellation is seen in the name of the same lead.
#
# For create_update_data on crm.lead, which keeps the id of the booking in `referred`.

if .event != "invitee.created" and .event != "invitee.canceled" then ignore("\(.event) is no booking") else . end
| .event as $event
| .payload
| (need(.uri) | split("/") | "calendly \(last)") as $key
| {
    search_key: {referred: $key},
    payload: {
      referred: $key,
      name: "\(if $event == "invitee.canceled" then "Canceled: " else "" end)\(need(.scheduled_event.name)) with \(need(.name))",
      contact_name: .name,
      email_from: .email,
      description: (
        [
          {question: "Start", answer: .scheduled_event.start_time},
          {question: "Reason of the cancellation", answer: .cancellation.reason},
          (.questions_and_answers // [])[]
        ]
        | map(select(.answer != null and .answer != "") | @html "<p><b>\(.question)</b><br>\(.answer)</p>") | join("")
      )
    }
  }
