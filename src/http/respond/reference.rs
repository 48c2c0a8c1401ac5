//! docs/errors.md, as it is generated from the table of errors. `ODOO_GATEWAY_WRITE_DOCS=1 cargo test --lib reference` writes it.

use std::fmt::Write;

use crate::{
    errors::{Class, Code, Retry, Section},
    http::respond::{hook_status, status},
};

const HEAD: &str = "\
# Errors

<!-- Generated from src/errors/table.rs: `ODOO_GATEWAY_WRITE_DOCS=1 cargo test --lib reference`. -->

Every refusal carries a stable `code`, a sentence that names what to mend, and `retry`:

- `no`: nothing was written, and the same call would be refused again.
- `safe`: nothing was written; send it again later.
- `unsafe`: something was written, or it is not known whether it was. Look before you send it again.

What Odoo or the gateway's plan decided comes as HTTP 200 with
`{\"result\": {\"is_success\": false, \"messages\": \"…\", \"error\": {\"code\", \"retry\", \"hint\", \"errors\", \"field\"?, \"path\"?, …}}}`.
What never came to a decision comes as `{\"error\": {\"code\": 200, \"message\": \"…\", \"data\": {\"code\", \"retry\", …}}}` with the
status below. `path` is the place in `vals`, such as `payload.order_line[3].product_id`. `hint` says what to do: the last column below,
or what fits better.

`errors` is there wherever a call was refused with 200, and has all mistakes that were found in the call, in the order of what was
sent: `[{\"code\", \"message\", \"hint\", \"path\"?, \"field\"?, \"model\"?, \"key\"?, \"value\"?, \"candidates\"?, \"did_you_mean\"?, \"rule\"?}]`.
The members beside it, and `messages`, are those of the mistake that was met first. 50 are listed, and `more` is the number of the
others. Warnings are no mistakes and stand in `warnings`; where strict, they are. Reading goes on behind a mistake, so one answer
tells of wrong fields, values and lookups at every depth. What follows from another mistake is not told: of a line that is no object,
nothing, and of lookups in a company that was not found, nothing. Where the policy denies something, no lookup is asked. What Odoo
itself refuses (a constraint, a required field) it tells one by one. Of a list of records, each has `errors` of its own.

`no_match` names what was sought: `model`, `key` (the fields with their values) and `value`; `did_you_mean` has similar values that
there are. Of a field, a choice or a parameter that is misspelt, it has the closest name that the caller may use.

`left` lists what is still in Odoo,
or may be, after a call that failed: `[{\"model\", \"ids\", \"fate\", \"why\", \"with\"}]`, where `fate` is `made`, `updated` or `unknown`,
and `with` are the models of what the same call to Odoo made besides: all of that is there, or none of it.

A sender of a hook reads nothing but the status, so a refusal has another one at a hook: the second figure under HTTP.

502, 503 and 429 have `Retry-After` where `retry` is `safe`.
";

/// The title of a section and what stands before its table.
fn head(section: Section) -> (&'static str, &'static str) {
    match section {
        Section::Request => ("The request", ""),
        Section::Credentials => ("Credentials", ""),
        Section::Policy => (
            "What a caller may do",
            "A rule of the caller's `[[client]]`, or of `[policy]`, does not let it; `rule` beside the code says which. Nothing of it\n\
             was sent to Odoo, except that which model properties lead to is seen in Odoo's answer. See docs/policy.md.\n",
        ),
        Section::Hooks => ("Hooks", ""),
        Section::Payload => ("The payload", ""),
        Section::Odoo => (
            "Odoo's own refusals",
            "Nothing was written: Odoo rolls back. `messages` is Odoo's own sentence, in the user's language. By XML-RPC\n\
             (`protocol = \"xml-rpc\"`) Odoo does not tell a `validation_error` or a `missing_record` from a `user_error`.\n\n\
             A `missing_record` or `validation_error` may come of what others changed between the plan and the write: lines that\n\
             are gone, a unique value that is taken now. Where Odoo holds nothing of the call, the gateway plans it anew once. An\n\
             equal plan is not sent again, and the refusal says `no`. A different one is sent; when that is refused in such a way\n\
             again, `retry` is `safe`.\n",
        ),
        Section::Upstream => (
            "Between the gateway and Odoo",
            "What is safe to repeat and may pass (no connection, 429, 502-504 or a broken connection on a read, a conflict) is\n\
             repeated `[upstream] retries` times, within `retry_budget`, before it is told. A write whose outcome is unknown never\n\
             is. Each try stands in the log.\n",
        ),
        Section::Warnings => (
            "Warnings",
            "The call went on, and `warnings` says what was not done: `[{\"code\", \"path\", \"message\"}]`. Two codes of the table above\n\
             come as warnings, too: `unknown_field`, of a field of the payload that the model lacks and that was left out, and\n\
             `no_match`, of a record of a many2many that was not found beside others that were, or of what was to be removed and is\n\
             not there. Where strict, these two and the first four below are errors with nothing written.\n",
        ),
    }
}

/// Such as `503` or `200, 422`: at a route and, where it is another one, at a hook.
fn statuses(code: Code) -> String {
    let retry = code.retry();
    let text = |class: &Class| {
        let (route, hook) = (status(*class), hook_status(*class, Some(retry)));
        if route == hook { route.as_u16().to_string() } else { format!("{}, {}", route.as_u16(), hook.as_u16()) }
    };
    code.row().classes.iter().map(text).collect::<Vec<_>>().join(" or ")
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    let mut last = None;
    for code in Code::ALL {
        let row = code.row();
        if last != Some(row.section) {
            last = Some(row.section);
            let (title, before) = head(row.section);
            let gap = if before.is_empty() { "" } else { "\n" };
            write!(text, "\n## {title}\n\n{before}{gap}").unwrap();
            text.push_str("| code | HTTP | retry | cause | what to do |\n| --- | --- | --- | --- | --- |\n");
        }
        let is_warning = row.section == Section::Warnings;
        let (statuses, retries) = match is_warning {
            true => ("–".to_owned(), "–".to_owned()),
            false => (statuses(*code), row.retries.iter().copied().map(Retry::as_str).collect::<Vec<_>>().join(" or ")),
        };
        writeln!(text, "| `{}` | {statuses} | {retries} | {} | {} |", row.text, row.cause, row.remedy).unwrap();
    }
    text
}

#[test]
fn the_document_of_errors_is_the_table() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
    if std::env::var_os("ODOO_GATEWAY_WRITE_DOCS").is_some() {
        std::fs::write(file, document()).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap();
    assert!(written == document(), "docs/errors.md is not as the table has it: see its first lines");
}
