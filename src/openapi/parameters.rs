//! The JSON forms of the parameters in `vals` and in its `payload`, with a sentence for each.
//!
//! Which parameters a route reads is said by `plan::parameters` alone; here is what each of them may be. Null and false stand for
//! "not given" where the reader takes them so.

use serde_json::{Value, json};

use crate::{
    plan::{FUNCTIONS, MAX_RECORDS, MOST_TERMS, MOST_THEN, OF_THEN, PERIODS},
    route::Route,
};

/// The form of a parameter in `vals`. `None` where there is no parameter of this name.
pub(super) fn of_vals(route: Route, name: &str) -> Option<Value> {
    Some(match name {
        "payload" => payload(route)?,
        "strict" => flag("Everything that would only be a warning is an error, with nothing written."),
        "dry_run" => {
            flag("Nothing is written. The answer has what was looked up, and the Odoo calls that would follow.")
        }
        "batch" => flag("With false, the Odoo calls of this call are not made together with those of other calls."),
        "context" => described(reference("Context"), "Odoo's context, for all Odoo calls of this call."),
        "auto_create" => json!({
            "description": "What to create where a lookup finds nothing, by the field that has the lookup: the values of a record, or of several.",
            "anyOf": [{"type": "object", "additionalProperties": one_or_several()}, {"type": "null"}, {"const": false}],
            "examples": [{"category_id": [{"name": "Retail"}]}],
        }),
        "result_field" => described(fields(), "Fields of the written record that the answer has, besides its id."),
        "atomic" => flag("Of a list of records: all are written, or none."),
        "when" => json!({
            "description": "A domain. A record that was found and does not match it is left as it is.",
            "type": ["array", "null"],
            "items": {},
            "examples": [[["state", "=", "draft"]]],
        }),
        "search_key" => search_key(route),
        _ => return None,
    })
}

/// The form of a parameter in the `payload` of a search or of a call of a method. `None` where there is no parameter of this name.
pub(super) fn of_payload(name: &str) -> Option<Value> {
    Some(match name {
        "search_field" => {
            described(fields(), "The fields that the answer has. Without it, all fields that may be read.")
        }
        "search_domain" => json!({
            "description": "The conditions, as a JSON list or as a Python literal in a text.",
            "anyOf": [{"type": "array", "items": {}}, {"type": "string"}, {"type": "null"}, {"const": false}],
            "examples": [[["state", "=", "sale"]], "[('state', '=', 'sale')]"],
        }),
        "limit" => whole("The most records, or groups. 0 stands for no limit."),
        "offset" => whole("So many records, or groups, are left out before the first."),
        "order" => json!({
            "description": "The fields to sort by.",
            "anyOf": [{"type": "string"}, {"type": "null"}, {"const": false}],
            "examples": ["date_order desc, id"],
        }),
        "count" => {
            flag("The answer is the number of records alone. It stands beside `search_domain` and nothing else.")
        }
        "group" => {
            terms("Fields to group by; a date with a period behind a colon.", &PERIODS, "date_order:month", false)
        }
        "aggregates" => terms("Fields with a function behind a colon.", &FUNCTIONS, "amount_total:sum", true),
        "method" => json!({
            "description": "A public method of the model.",
            "type": "string",
            "minLength": 1,
            "examples": ["action_confirm"],
        }),
        "parameter" => json!({
            "description": "The arguments of the method, by name.",
            "anyOf": [{"type": "object", "properties": {"ids": false, "context": false}}, {"type": "null"}, {"const": false}],
        }),
        "context" => {
            described(reference("Context"), "Odoo's context for the method alone. It counts above `vals.context`.")
        }
        "on_model" => flag("The method is called on the model, and needs no search key."),
        "then" => described(
            json!({"anyOf": [
                reference("Then"),
                {"type": "array", "items": reference("Then"), "maxItems": MOST_THEN},
                {"type": "null"},
                {"const": false},
            ]}),
            "The answer to a wizard that the method asks back with, or to several that come one after another.",
        ),
        _ => return None,
    })
}

/// Schemas that parameters refer to.
pub(super) fn shared() -> Vec<(&'static str, Value)> {
    let then = OF_THEN.map(|name| {
        let schema = match name {
            "method" => json!({"type": "string", "minLength": 1, "description": "A method of the wizard."}),
            "values" => {
                json!({"type": ["object", "null"], "description": "Fields of the wizard, beside its defaults."})
            }
            _ => json!({"type": ["object", "null"], "description": "The arguments of the method."}),
        };
        (name.to_owned(), schema)
    });
    let then: serde_json::Map<String, Value> = then.into_iter().collect();
    vec![
        (
            "Record",
            json!({
                "description": "Values by field. `?model=NAME` beside the address of this document describes the fields of a model.",
                "type": "object",
                "additionalProperties": reference("Value"),
            }),
        ),
        (
            "Value",
            json!({
                "description": "A value by the type of its field: a text, a number, true or false, null for none. A many2one takes an \
                                id or a lookup such as `{\"ref\": \"CUST-17\"}`; a many2many `{\"mode\": \"add\", \"records\": [{…}]}`; a one2many \
                                a list of lines.",
            }),
        ),
        (
            "SearchKey",
            json!({
                "description": "The fields and values by which records are found. All must match; a list of values means any of them. \
                                `xml_id` names a record by its external id, `\"archived\": true` finds archived records, too.",
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"minLength": 1},
                "additionalProperties": {"anyOf": [scalar(), {"type": "array", "minItems": 1, "items": scalar()}]},
                "examples": [{"ref": "CUST-17"}],
            }),
        ),
        (
            "Context",
            json!({
                "anyOf": [{"type": "object"}, {"type": "null"}, {"const": false}],
                "properties": {
                    "lang": {"type": ["string", "null"], "description": "The language of texts.", "examples": ["fr_FR"]},
                    "tz": {"type": ["string", "null"], "description": "The time zone.", "examples": ["Europe/Brussels"]},
                    "allowed_company_ids": {
                        "type": "array",
                        "items": {"type": "integer"},
                        "description": "The companies of the call, its own first.",
                    },
                },
                "examples": [{"lang": "fr_FR"}],
            }),
        ),
        ("Then", json!({"type": "object", "required": ["method"], "properties": then, "additionalProperties": false})),
    ]
}

/// A reference to a schema of the document.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn payload(route: Route) -> Option<Value> {
    Some(match route {
        Route::CreateData | Route::UpdateData | Route::CreateUpdateData => json!({
            "description": "The values of the record; or a list of records.",
            "anyOf": [reference("Record"), {"type": "array", "maxItems": MAX_RECORDS, "items": reference("Record")}],
        }),
        Route::SearchData => reference("search_data.payload"),
        Route::CallFunction => reference("call_function.payload"),
        Route::DeleteData => {
            json!({"description": "Not read.", "anyOf": [{"type": "object"}, {"type": "null"}, {"const": false}]})
        }
    })
}

fn search_key(route: Route) -> Value {
    let one = reference("SearchKey");
    match route {
        Route::UpdateData | Route::CreateUpdateData => json!({
            "description": "Finds the records. Of a list of records: the names of fields whose values stand in each of them, or one key for each.",
            "anyOf": [
                one,
                {"type": "array", "minItems": 1, "items": {"type": "string"}},
                {"type": "array", "minItems": 1, "items": one},
            ],
        }),
        _ => described(one, "Finds the records."),
    }
}

fn one_or_several() -> Value {
    let record = reference("Record");
    json!({"anyOf": [record, {"type": "array", "items": record}, {"type": "null"}, {"const": false}]})
}

fn scalar() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

fn fields() -> Value {
    json!({
        "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}, {"const": false}],
        "examples": [["name", "order_line{product_uom_qty, product_id{default_code}}"]],
    })
}

fn flag(sentence: &str) -> Value {
    json!({"description": sentence, "type": ["boolean", "null"]})
}

fn whole(sentence: &str) -> Value {
    json!({
        "description": sentence,
        "anyOf": [{"type": "integer", "minimum": 0, "maximum": i32::MAX}, {"type": "null"}, {"const": false}],
    })
}

fn terms(sentence: &str, made: &[&str], example: &str, is_required: bool) -> Value {
    let end = if is_required { "" } else { "?" };
    let pattern = format!("^[A-Za-z0-9_]{{1,63}}(:({})){end}$", made.join("|"));
    json!({
        "description": sentence,
        "anyOf": [
            {"type": "array", "maxItems": MOST_TERMS, "uniqueItems": true, "items": {"type": "string", "pattern": pattern}},
            {"type": "null"},
            {"const": false},
        ],
        "examples": [[example]],
    })
}

/// A schema with a sentence of its own beside it.
fn described(mut schema: Value, sentence: &str) -> Value {
    schema["description"] = json!(sentence);
    schema
}
