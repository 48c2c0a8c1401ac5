# A GitLab issue becomes a lead; whatever is done to the issue later updates the same one.
#
# For create_update_data on crm.lead, which keeps where it comes from in `referred`.

if .object_kind != "issue" then ignore("\(.object_kind) is no issue") else . end
| "\(need(.project.path_with_namespace))#\(need(.object_attributes.iid))" as $key
| .user as $user
| .object_attributes
| {
    search_key: {referred: $key},
    payload: {
      referred: $key,
      name: need(.title),
      contact_name: $user.name,
      # A field of HTML: what people wrote is text, and stays that.
      description: (@html "<p>\(.description // "")</p><p>\(.url)</p>" | gsub("\r?\n"; "<br>"))
    }
  }
