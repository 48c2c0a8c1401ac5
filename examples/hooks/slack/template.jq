# What somebody says to the Slack app, as a mention or by its slash command, becomes a lead.
#
# For create_update_data on crm.lead, which keeps where it comes from in `referred`: the same message again makes no second one.

if .type == "url_verification" then ignore("Slack's challenge has its answer from `respond`")
elif .command then {key: "slack \(.trigger_id)", text: (.text // ""), who: .user_name}
elif .event.type != "app_mention" then ignore("\(.event.type) is no mention")
elif .event.bot_id then ignore("a bot has written it")
# Mentions of the app itself stand in the text as <@U0LAN0Z89>.
else {key: "slack \(need(.event.channel)) \(need(.event.ts))", text: (need(.event.text) | gsub("<@[A-Z0-9]+>\\s*"; "")), who: .event.user} end
| if .text | test("\\S") then . else ignore("there is no text") end
| {
    search_key: {referred: .key},
    payload: {
      referred: .key,
      name: (.text | gsub("\\s+"; " ") | .[:80]),
      contact_name: .who,
      description: (@html "<p>\(.text)</p>" | gsub("\n"; "<br>"))
    }
  }
