//! Methods: those that are not named, and those that would read or write whatever they are told to, named or not.

use serde_json::json;

use super::{
    callers::{Ask, Callers, list, models},
    table::everything,
};

/// Public methods that Odoo has on every model (14-19), or on every one with a discussion (`message_…`), and that read or write
/// what their arguments name.
const GENERIC: [&str; 48] = [
    "copy",
    "copy_data",
    "create",
    "default_get",
    "export_data",
    "fetch",
    "fields_get",
    "filtered",
    "filtered_domain",
    "formatted_read_group",
    "formatted_read_grouping_sets",
    "get_field_translations",
    "get_property_definition",
    "get_views",
    "grouped",
    "load",
    "load_views",
    "mapped",
    "message_new",
    "message_process",
    "message_update",
    "name_create",
    "name_get",
    "name_search",
    "new",
    "onchange",
    "qweb_render_view",
    "read",
    "read_group",
    "read_progress_bar",
    "search",
    "search_count",
    "search_fetch",
    "search_panel_select_multi_range",
    "search_panel_select_range",
    "search_read",
    "sorted",
    "update",
    "update_field_translations",
    "web_name_search",
    "web_override_translations",
    "web_read",
    "web_read_group",
    "web_resequence",
    "web_save",
    "web_save_multi",
    "web_search_read",
    "write",
];

fn ask(method: &str, on_model: bool) -> Ask {
    let payload = json!({"method": method, "on_model": on_model});
    let vals =
        if on_model { json!({"payload": payload}) } else { json!({"payload": payload, "search_key": {"id": 71}}) };
    Ask::new("call_function", "zq.order", vals)
}

#[tokio::test]
async fn a_method_is_called_only_where_it_is_named() {
    let rest = models(&list(["*"]), "[]");
    let policies = [
        ("", false),
        ("methods = []", false),
        ("methods = [\"zq.order.action_stop\"]", false),
        ("methods = [\"zq.partner.action_go\", \"zq.partner.*\"]", false),
        ("methods = [\"zq.order.action_go_\", \"zq.order.action_g\"]", false),
        ("methods = [\"zq.order.action_go\"]", true),
        ("methods = [\"zq.*.action_*\"]", true),
        ("methods = [\"*.action_go\"]", true),
        ("methods = [\"*\"]", true),
    ];
    let entries: Vec<String> = policies.iter().map(|(methods, _)| format!("{methods}\n{rest}")).collect();
    let callers = Callers::start(19, &entries).await;
    for (number, (policy, is_named)) in policies.iter().enumerate() {
        for on_model in [true, false] {
            let outcome = callers.call(number, &ask("action_go", on_model)).await;
            let is_called = outcome.rpcs.iter().any(|rpc| rpc.method == "action_go");
            let expected = if *is_named { "ok" } else { "method_not_allowed" };
            assert_eq!((outcome.code.as_str(), is_called), (expected, *is_named), "{policy}: {}", outcome.shown());
            assert!(*is_named || outcome.rule.contains("`methods`"), "{policy}: {}", outcome.rule);
        }
    }
}

#[tokio::test]
async fn a_method_that_reads_or_writes_what_it_is_told_to_is_called_only_where_nothing_is_narrowed() {
    let wide = models(&list(super::world::POWER.into_iter().chain(["*"])), "[]");
    let narrow = [
        String::new(),
        models("[\"zq.*\"]", "[]"),
        models("[\"*\"]", "[]"),
        models(&list(super::world::POWER.into_iter().chain(["*"])), "[\"zq.secret\"]"),
        format!("{wide}never_read = [\"zq.order.o_vault\"]"),
        format!("{wide}never_write = [\"zq.order.o_vault\"]"),
        format!("{wide}domains = {{ \"zq.partner\" = [[\"p_team\", \"=\", 3]] }}"),
    ];
    let allowed = ["[\"*\"]".to_owned(), list(GENERIC.map(|method| format!("zq.order.{}", method)))];
    let entries =
        narrow.iter().flat_map(|narrow| allowed.iter().map(move |named| format!("methods = {named}\n{narrow}")));
    let mut entries: Vec<String> = entries.collect();
    entries.push(everything());
    let callers = Callers::start(19, &entries).await;
    let (open, mut rows, mut holes) = (entries.len() - 1, 0, Vec::new());
    for method in GENERIC {
        for (number, policy) in entries.iter().enumerate().filter(|(number, _)| *number != open) {
            let outcome = callers.call(number, &ask(method, rows % 2 == 0)).await;
            rows += 1;
            let is_called = outcome.rpcs.iter().any(|rpc| rpc.method == method && rpc.method != "fields_get");
            let is_said = outcome.code == "method_not_allowed" && outcome.rule.contains("use the other routes");
            if !is_said || is_called {
                holes.push(format!("{method} under {policy} came to {}", outcome.shown()));
            }
        }
        let outcome = callers.call(open, &ask(method, true)).await;
        assert_eq!(outcome.code, "ok", "{method} where nothing is narrowed");
    }
    holes.iter().for_each(|hole| println!("{hole}\n"));
    println!("{} methods, {} policies, {rows} rows, {} holes", GENERIC.len(), entries.len(), holes.len());
    assert!(holes.is_empty(), "{} holes in {rows} rows", holes.len());
}
