# A response to a form of Typeform becomes a lead: its first email address and phone number, and all answers below one another.
#
# For create_update_data on crm.lead, which keeps the response's id in `referred`: the same response again makes no second one.

def answer:
  if .type == "choice" then .choice.label // .choice.other
  elif .type == "choices" then [.choices.labels[]?, (.choices.other | strings)] | join(", ")
  else .[.type] | if type == "string" then . else tojson end end;

if .event_type != "form_response" then ignore("\(.event_type) is no response") else .form_response end
| . as $response
| [(.answers // [])[] | {question: (.field.id as $id | [$response.definition.fields[]? | select(.id == $id).title][0] // .field.ref), answer: answer, type}] as $answers
| ([$answers[] | select(.type == "email").answer][0]) as $email
| {
    search_key: {referred: "typeform \(need(.token))"},
    payload: {
      referred: "typeform \(.token)",
      name: "\(.definition.title // "Typeform"): \($email // .token)",
      email_from: $email,
      phone: ([$answers[] | select(.type == "phone_number").answer][0]),
      description: ([$answers[] | @html "<p><b>\(.question)</b><br>\(.answer)</p>"] | join(""))
    }
  }
