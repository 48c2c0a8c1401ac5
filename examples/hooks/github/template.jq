# A GitHub issue (the webhook event "issues") becomes a lead; whatever is done to the issue later updates the same one.
#
# For create_update_data on crm.lead, which keeps where it comes from in `referred`. With Odoo's app Project it would be
# project.task: payload {name, description, project_id: {name: "Support"}}, and a field of your own to find the task by.

# GitHub says in a header what happened, such as the "ping" of a new webhook.
if $headers["x-github-event"] != "issues" then ignore("\($headers["x-github-event"]) is no issue") else . end
# The content type application/x-www-form-urlencoded has the JSON as a text.
| (.payload | strings | fromjson) // .
| if .action == "deleted" then ignore("the issue is deleted") else . end
| "\(need(.repository.full_name))#\(need(.issue.number))" as $key
| .issue
| {
    search_key: {referred: $key},
    payload: {
      referred: $key,
      name: .title,
      contact_name: .user.login,
      # A field of HTML: what people wrote is text, and stays that.
      description: (@html "<p>\(.body // "")</p><p>\(.html_url)</p>" | gsub("\r?\n"; "<br>"))
    }
  }
