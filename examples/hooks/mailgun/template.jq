# A mail to an address at Mailgun becomes a lead with the mail's text and its attachments.
#
# For create_update_data on crm.lead, which keeps the mail's id in `referred`: the same mail again makes no second one.

# "Bob <bob@example.com>" or bob@example.com
def display: capture("^\\s*\"?(?<name>[^\"<]*?)\"?\\s*<").name? // null | strings | select(. != "");

need(.["Message-Id"]) as $id
| need(.sender) as $sender
| [to_entries[] | select(.key | test("^attachment-[0-9]+$")).value | arrays[], objects] as $files
| {
    search_key: {referred: $id},
    payload: ({
      referred: $id,
      name: (if (.subject // "") == "" then "Mail of \($sender)" else .subject end),
      email_from: $sender,
      contact_name: ([.from // "" | display][0] // $sender),
      description: (@html "<p>\(.["stripped-text"] // .["body-plain"] // "")</p>" | gsub("\r?\n"; "<br>"))
    } + (if $files == [] then {} else {attachment_ids: [$files[] | {name: .filename, datas: .base64}]} end))
  }
