//! What is answered: the envelope, results, errors by status, the headers beside them.
//!
//! The errors are those of `errors::Code::ALL`, each with its rows; `wire::status` says which status a class has.

use std::collections::BTreeMap;

use http::{HeaderName, StatusCode, header};
use serde_json::{Map, Value, json};

use super::parameters::reference;
use crate::{
    errors::{Class, Code, Retry, Section},
    execute::Atomicity,
    route::Route,
    wire::{
        headers::{ATOMICITY, CALL_ID, IDEMPOTENT_REPLAY, PREFERENCE_APPLIED},
        status::status,
    },
};

/// The answers of a route, by status.
pub(super) fn of_route(route: Route) -> Value {
    let mut responses = Map::new();
    responses.insert("200".to_owned(), decided(route));
    responses.insert("202".to_owned(), json!({"$ref": "#/components/responses/Accepted"}));
    for status in of_routes().into_keys() {
        responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{}", named(status))}));
    }
    Value::Object(responses)
}

fn decided(route: Route) -> Value {
    json!({
        "description": "The call was carried out, or refused: `result.is_success` says which. A caller that proves nothing, or may not do \
                        this, gets `error`.",
        "headers": with_headers(&[CALL_ID, ATOMICITY, IDEMPOTENT_REPLAY]),
        "content": {"application/json": {"schema": reference(&format!("{}.answer", route.name()))}},
    })
}

/// The codes that come with each status that is neither done nor accepted.
pub(super) fn failures(sections: &[Section], status: impl Fn(Class, Retry) -> StatusCode) -> BTreeMap<u16, Vec<Code>> {
    let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
    for code in errors().filter(|code| sections.contains(&code.row().section)) {
        let row = code.row();
        for (class, retry) in row.classes.iter().flat_map(|class| row.retries.iter().map(move |retry| (*class, *retry)))
        {
            let codes = by_status.entry(status(class, retry).as_u16()).or_default();
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
    }
    by_status.remove(&StatusCode::OK.as_u16());
    by_status
}

fn of_routes() -> BTreeMap<u16, Vec<Code>> {
    use Section::{Credentials, Odoo, Payload, Policy, Request, Upstream};
    failures(&[Request, Credentials, Policy, Payload, Odoo, Upstream], |class, _| status(class))
}

/// The codes that come with a status. Those of warnings are errors of strict calls alone, which are refused with 200.
fn errors() -> impl Iterator<Item = Code> {
    Code::ALL.iter().copied().filter(|code| code.row().section != Section::Warnings)
}

/// The name of a status among the components, such as `BadGateway`.
pub(super) fn named(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    reason.split(' ').collect()
}

/// The answers that routes have in common.
pub(super) fn responses() -> Map<String, Value> {
    let mut responses = Map::new();
    responses.insert(
        "Accepted".to_owned(),
        json!({
            "description": "The call is stored, and will be made later. `Location` says where to ask what became of it.",
            "headers": with_headers(&[CALL_ID, header::LOCATION, PREFERENCE_APPLIED, IDEMPOTENT_REPLAY]),
            "content": {"application/json": {"schema": reference("AcceptedAnswer")}},
        }),
    );
    for (status, codes) in of_routes() {
        responses.insert(named(status), failed(status, &codes, &reference("FailedAnswer")));
    }
    responses
}

/// An answer with one of these codes.
pub(super) fn failed(status: u16, codes: &[Code], schema: &Value) -> Value {
    let texts = codes.iter().map(|code| format!("`{}`", code.as_str()));
    let mut texts: Vec<String> = texts.collect();
    texts.dedup();
    let mut headers = vec![CALL_ID];
    if codes.iter().any(|code| code.row().retries.contains(&Retry::Safe)) && matches!(status, 429 | 502 | 503) {
        headers.push(header::RETRY_AFTER);
    }
    match status {
        401 => headers.push(header::WWW_AUTHENTICATE),
        405 => headers.push(header::ALLOW),
        _ => {}
    }
    json!({
        "description": format!("The error has one of these codes: {}.", texts.join(", ")),
        "headers": with_headers(&headers),
        "content": {"application/json": {"schema": schema}},
        "x-codes": codes.iter().map(|code| row(*code)).collect::<Vec<_>>(),
    })
}

/// The row of a code as data.
fn row(code: Code) -> Value {
    let row = code.row();
    json!({"code": row.text, "classes": row.classes, "retry": row.retries, "cause": row.cause, "remedy": row.remedy})
}

/// The headers of answers, by name.
pub(super) fn headers() -> Value {
    let atomicity: Vec<Value> = Atomicity::ALL.iter().map(|atomicity| json!(atomicity.as_str())).collect();
    json!({
        CALL_ID.as_str(): {"description": "The id of this in the gateway's log.", "schema": {"type": "string", "format": "uuid"}},
        ATOMICITY.as_str(): {
            "description": "How a write kept to all or nothing: in one Odoo call, by deleting again what came before a refusal, or each record by itself.",
            "schema": {"enum": atomicity},
        },
        IDEMPOTENT_REPLAY.as_str(): {"description": "The call was not done again: this is its first answer.", "schema": {"const": "true"}},
        PREFERENCE_APPLIED.as_str(): {"description": "The preference that was followed.", "schema": {"const": "respond-async"}},
        "retry-after": {"description": "The call may be sent again after so many seconds.", "schema": {"type": "integer", "minimum": 0}},
        "location": {"description": "The state of the call.", "schema": {"type": "string", "format": "uri-reference"}},
        "www-authenticate": {"description": "The way to show a credential.", "schema": {"type": "string"}},
        "allow": {"description": "The methods that there are.", "schema": {"type": "string"}},
    })
}

/// References to the headers of answers.
pub(super) fn with_headers(names: &[HeaderName]) -> Value {
    let one = |name: &HeaderName| (name.to_string(), json!({"$ref": format!("#/components/headers/{name}")}));
    Value::Object(names.iter().map(one).collect())
}

/// The schemas of what is answered.
pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    for route in Route::ALL {
        let done = done(result(route));
        let member = json!({"anyOf": [done, reference("InPart"), reference("Refused")]});
        schemas.insert(
            format!("{}.answer", route.name()),
            json!({"anyOf": [envelope("result", &member), reference("FailedAnswer")]}),
        );
    }
    let shared = [
        ("AcceptedAnswer", envelope("result", &done(reference("Accepted")))),
        (
            "FailedAnswer",
            json!({
                "description": "The call never came to a decision. What is for no route at all has `code` and `message` alone.",
                "anyOf": [envelope("error", &reference("Failed")), {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {
                        "type": "object",
                        "required": ["code", "message"],
                        "properties": {"code": reference("ErrorCode"), "message": {"type": "string"}},
                    }},
                }],
            }),
        ),
        ("Failed", failed_member()),
        ("Refused", refused()),
        ("InPart", in_part()),
        ("Facts", facts()),
        ("Warning", warning()),
        ("Mistake", mistake()),
        ("ErrorCode", codes(Code::ALL)),
        ("WarningCode", codes(Code::ALL)),
        (
            "Retry",
            json!({"description": "Whether to send the call again.", "enum": [Retry::Safe, Retry::Unsafe, Retry::No]}),
        ),
        ("Plan", plan()),
        ("Written", written()),
        ("Ignored", ignored()),
        (
            "Settled",
            json!({
                "description": "A person found in Odoo that this call was done.",
                "type": "object",
                "required": ["settled", "ids"],
                "properties": {"settled": {"const": true}, "ids": {"type": "array", "items": {"type": "integer"}}},
            }),
        ),
        (
            "Accepted",
            json!({
                "type": "object",
                "required": ["call", "state"],
                "properties": {"call": {"type": "string", "format": "uuid"}, "state": {"type": "string"}},
            }),
        ),
    ];
    schemas.extend(shared.map(|(name, schema)| (name.to_owned(), schema)));
    schemas
}

/// The result of a call that was carried out.
fn result(route: Route) -> Value {
    let each = json!({
        "description": "Of a list of records: the answer of each, in their order.",
        "type": "array",
        "items": {"anyOf": [done(reference("Written")), reference("Refused")]},
    });
    let mut forms = match route {
        Route::CreateData | Route::UpdateData | Route::CreateUpdateData => vec![reference("Written"), each],
        Route::DeleteData => vec![reference("Written")],
        Route::SearchData => vec![
            json!({"description": "Records, or groups.", "type": "array", "items": {"type": "object"}}),
            json!({
                "description": "Of `count`.",
                "type": "object",
                "required": ["count"],
                "properties": {"count": {"type": "integer"}},
            }),
        ],
        Route::CallFunction => return json!({"description": "What the method returned; of a dry run, the plan."}),
    };
    forms.push(reference("Plan"));
    if route != Route::SearchData {
        forms.extend(["Ignored", "Settled"].map(reference));
    }
    json!({"anyOf": forms})
}

fn envelope(name: &str, member: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["jsonrpc", "id", name],
        "properties": {"jsonrpc": {"const": "2.0"}, "id": {"type": ["string", "number", "null"]}, name: member},
    })
}

fn done(result: Value) -> Value {
    json!({
        "type": "object",
        "required": ["is_success", "result", "messages"],
        "properties": {
            "is_success": {"const": true},
            "result": result,
            "messages": {"type": "string"},
            "warnings": warnings(),
        },
    })
}

fn refused() -> Value {
    json!({
        "description": "Odoo or the plan refused the call. Unless `error.left` says otherwise, nothing of it is in Odoo.",
        "type": "object",
        "required": ["is_success", "messages", "error"],
        "properties": {
            "is_success": {"const": false},
            "messages": {"type": "string"},
            "error": reference("Facts"),
            "warnings": warnings(),
        },
    })
}

fn in_part() -> Value {
    json!({
        "description": "Some of a list of records were not written.",
        "type": "object",
        "required": ["is_success", "result", "messages", "error"],
        "properties": {
            "is_success": {"const": false},
            "result": {"type": "array", "items": {"anyOf": [done(reference("Written")), reference("Refused")]}},
            "messages": {"type": "string"},
            "error": {
                "type": "object",
                "required": ["code", "retry", "records"],
                "properties": {
                    "code": {"const": Code::RecordsRefused},
                    "retry": reference("Retry"),
                    "records": {"description": "Their places in the list, from 0.", "type": "array", "items": {"type": "integer"}},
                },
            },
            "warnings": warnings(),
        },
    })
}

fn failed_member() -> Value {
    json!({
        "type": "object",
        "required": ["code", "message", "data"],
        "properties": {
            "code": {"description": "As in Odoo's JSON-RPC: 100 where a session is over, else 200.", "enum": [100, 200]},
            "message": {"type": "string"},
            "data": {
                "allOf": [reference("Facts")],
                "required": ["name", "message"],
                "properties": {"name": {"type": "string"}, "message": {"type": "string"}, "warnings": warnings()},
            },
        },
    })
}

fn facts() -> Value {
    json!({
        "type": "object",
        "required": ["code", "retry"],
        "properties": {
            "code": reference("ErrorCode"),
            "retry": reference("Retry"),
            "rule": {"description": "The rule of the policy that refused.", "type": "string"},
            "field": {"type": "string"},
            "path": {"description": "The place in `vals`, such as `payload.order_line[3].product_id`.", "type": "string"},
            "hint": {"description": "What to do.", "type": "string"},
            "model": {"description": "The model that a lookup found nothing in.", "type": "string"},
            "key": {"description": "The values that the lookup was for, by field.", "type": "object"},
            "value": {"description": "The same in words.", "type": "string"},
            "did_you_mean": {"description": "What may have been meant.", "type": "array", "items": {"type": "string"}},
            "errors": {
                "description": "All mistakes that were found in the call, in the order of what was sent; there where the call was refused by Odoo or the plan.",
                "type": "array",
                "items": reference("Mistake"),
            },
            "more": {"description": "The number of mistakes above those in `errors`.", "type": "integer"},
            "candidates": {
                "description": "Records that may be meant.",
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["id", "name"],
                    "properties": {"id": {"type": "integer"}, "name": {"type": ["string", "null", "boolean"]}},
                },
            },
            "rows": {"description": "Odoo's messages about rows of `load`.", "type": "array", "items": {}},
            "left": {
                "description": "What is still in Odoo, or may be.",
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["model", "ids", "fate"],
                    "properties": {"model": {"type": "string"}, "ids": {"type": "array", "items": {}}, "fate": {"type": "string"}},
                },
            },
        },
    })
}

fn warnings() -> Value {
    json!({"type": "array", "items": reference("Warning")})
}

fn warning() -> Value {
    json!({
        "description": "Something that was asked for and not done.",
        "type": "object",
        "required": ["code", "path", "message"],
        "properties": {
            "code": reference("WarningCode"),
            "path": {"type": "string"},
            "message": {"type": "string"},
            "did_you_mean": {"type": "array", "items": {"type": "string"}},
        },
    })
}

fn mistake() -> Value {
    json!({
        "description": "One mistake of a call. The members besides `message` are as those of the error that is told.",
        "type": "object",
        "required": ["code", "message", "hint"],
        "properties": {
            "code": reference("ErrorCode"),
            "message": {"type": "string"},
            "hint": {"type": "string"},
            "field": {"type": "string"},
            "path": {"type": "string"},
            "rule": {"type": "string"},
            "model": {"type": "string"},
            "key": {"type": "object"},
            "value": {"type": "string"},
            "did_you_mean": {"type": "array", "items": {"type": "string"}},
            "candidates": {"type": "array", "items": {"type": "object"}},
        },
    })
}

/// Each code with its cause. Two codes may have one text.
fn codes(codes: &[Code]) -> Value {
    let mut causes = BTreeMap::<&str, Vec<&str>>::new();
    codes.iter().for_each(|code| causes.entry(code.as_str()).or_default().push(code.row().cause));
    let one = |(text, causes): (&str, Vec<&str>)| json!({"const": text, "description": causes.join("; or: ")});
    json!({"type": "string", "oneOf": causes.into_iter().map(one).collect::<Vec<_>>()})
}

fn plan() -> Value {
    json!({
        "description": "Of a dry run: what was looked up, and the Odoo calls that would follow.",
        "type": "object",
        "required": ["lookups", "calls"],
        "properties": {
            "lookups": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["model", "field", "value", "ids"],
                    "properties": {"model": {"type": "string"}, "field": {"type": "string"}, "value": {}, "ids": {"type": "array", "items": {"type": "integer"}}},
                },
            },
            "calls": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["model", "method"],
                    "properties": {"model": {"type": "string"}, "method": {"type": "string"}},
                },
            },
            "refused": {"description": "The records of a list that would be refused.", "type": "array", "items": {"type": "object"}},
            "atomic": {"type": "boolean"},
        },
    })
}

fn written() -> Value {
    json!({
        "description": "The id of the new record, or the ids of those that were updated or deleted, with the search key; and the fields of `result_field`.",
        "type": "object",
        "required": ["id"],
        "properties": {"id": {}, "records": {"description": "Of several updated records: the fields of each."}},
    })
}

fn ignored() -> Value {
    json!({
        "description": "Nothing was done, for this reason.",
        "type": "object",
        "required": ["ignored"],
        "properties": {"ignored": {"type": "string"}, "code": {"type": "string"}},
    })
}
