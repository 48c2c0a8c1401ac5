# A ticket of Zendesk becomes a lead; what happens to its subject and description is seen in the same lead.
#
# For create_update_data on crm.lead, which keeps the ticket's number in `referred`.

if .type | startswith("zen:event-type:ticket.") | not then ignore("\(.type) is no ticket") else .detail end
| "zendesk \(need(.id))" as $key
| {
    search_key: {referred: $key},
    payload: {
      referred: $key,
      name: (if (.subject // "") == "" then "Ticket \(.id)" else .subject end),
      description: (@html "<p>\(.description // "")</p>" | gsub("\r?\n"; "<br>"))
    }
  }
