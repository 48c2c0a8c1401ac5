//! The schema of a field: what the gateway takes in its place, by its type (`plan/read`, `plan/value`).

use serde_json::{Map, Value, json};

use super::{
    model::{Field, Lines, Model},
    parameters::reference,
};
use crate::odoo::{Choice, Kept, Kind};

/// The schemas of a model: its fields, a new record, and lines.
pub(super) fn of_model(model: &Model) -> Vec<(String, Value)> {
    let mut schemas = vec![
        (model.name.clone(), record(&model.name, &model.fields, Some(model))),
        (format!("{}.new", model.name), new(&model.name, &model.fields)),
    ];
    for lines in model.lines.values() {
        schemas.push((lines.model.clone(), record(&lines.model, &lines.fields, None)));
        schemas.push((format!("{}.new", lines.model), new(&lines.model, &lines.fields)));
    }
    schemas
}

fn record(model: &str, fields: &[Field], within: Option<&Model>) -> Value {
    let property = |field: &Field| {
        let lines = within.and_then(|model| model.lines.get(field.name()));
        (field.name().to_owned(), of_field(field, lines))
    };
    let properties: Map<String, Value> = fields.iter().map(property).collect();
    json!({"title": model, "type": "object", "properties": properties})
}

fn new(model: &str, fields: &[Field]) -> Value {
    let required: Vec<&str> = fields.iter().filter(|field| field.is_required).map(Field::name).collect();
    json!({"title": format!("A new record of {model}"), "allOf": [reference(model)], "required": required})
}

/// The schema of a field.
fn of_field(field: &Field, lines: Option<&Lines>) -> Value {
    let usable = &field.usable;
    let mut schema = match field.kind() {
        Kind::Selection(Some(choices)) => selection(choices),
        Kind::One2many(_) if let Some(lines) = lines => one2many(lines),
        kind => reference(&format!("value.{}", name(kind))),
    };
    let mut told = vec![field.help.as_str()];
    if usable.field.kept == Kept::UntilComputed {
        told.push("Odoo computes it in a new record, and when what it depends on changes.");
    }
    if usable.field.is_translated {
        told.push("It has a text for each language: `{\"en_US\": \"…\", \"fr_FR\": \"…\"}` gives several.");
    }
    let told: Vec<&str> = told.into_iter().filter(|text| !text.is_empty()).collect();
    if !field.label.is_empty() {
        schema["title"] = json!(field.label);
    }
    if !told.is_empty() {
        schema["description"] = json!(told.join("\n\n"));
    }
    if !field.is_kept() {
        schema["readOnly"] = json!(true);
    } else if !usable.is_readable {
        schema["writeOnly"] = json!(true);
    }
    if let (Kind::Text, Some(size)) = (field.kind(), usable.field.size) {
        schema["maxLength"] = json!(size);
    }
    if let Some(relation) = field.kind().relation() {
        schema["x-relation"] = json!(relation);
    }
    schema
}

/// The name of a type.
pub(super) fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Many2one(_) => "many2one",
        Kind::One2many(_) => "one2many",
        Kind::Many2many(_) => "many2many",
        Kind::Reference => "reference",
        Kind::Boolean => "boolean",
        Kind::Integer => "integer",
        Kind::Float => "float",
        Kind::Text => "text",
        Kind::Html => "html",
        Kind::Date => "date",
        Kind::Datetime => "datetime",
        Kind::Selection(_) => "selection",
        Kind::Binary => "file",
        Kind::Free => "any",
    }
}

fn selection(choices: &[Choice]) -> Value {
    let values: Vec<Value> =
        choices.iter().map(|choice| json!({"const": choice.value, "title": choice.label})).collect();
    let labels: Vec<&str> = choices.iter().map(|choice| choice.label.as_str()).collect();
    let mut forms = vec![];
    if !choices.is_empty() {
        forms.push(json!({"title": "The value", "oneOf": values}));
        forms.push(json!({"title": "Its label, where one choice alone has it", "type": "string", "enum": labels}));
    }
    forms.push(none());
    json!({"anyOf": forms})
}

fn one2many(lines: &Lines) -> Value {
    let (line, new) = (reference(&lines.model), reference(&format!("{}.new", lines.model)));
    json!({"anyOf": [
        {
            "title": "Lines: on an update they replace those that are there",
            "type": "array",
            "items": {"anyOf": [new, {"title": "A line that is there, by its id", "allOf": [line], "required": ["id"]}]},
        },
        lines_by_mode(&line),
        commands(),
    ]})
}

fn lines_by_mode(line: &Value) -> Value {
    json!({
        "title": "Lines beside those that are there",
        "type": "object",
        "required": ["records"],
        "properties": {
            "mode": {"enum": ["replace", "merge", "add", "remove", null]},
            "key": {
                "description": "Of `merge`: the field, or the fields, by which a line is known.",
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}],
            },
            "records": {"type": "array", "items": {"anyOf": [line, {"type": "integer"}]}},
        },
    })
}

fn commands() -> Value {
    json!({
        "title": "Odoo's own commands",
        "type": "array",
        "minItems": 1,
        "items": {"type": "array", "minItems": 1},
        "examples": [[[6, 0, [7, 8]]]],
    })
}

/// No value.
fn none() -> Value {
    json!({"title": "No value", "enum": [false, null, ""]})
}

fn id() -> Value {
    json!({"title": "An id", "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^\\s*[0-9]+\\s*$"}]})
}

/// What the gateway takes for each type of field.
pub(super) fn values() -> Vec<(String, Value)> {
    let number = "^\\s*[+-]?[0-9]*\\.?[0-9]+([eE][+-]?[0-9]+)?\\s*$";
    let all = [
        (
            "text",
            json!({
                "description": "A text; a number becomes one. Of a translated field, texts by language.",
                "anyOf": [{"type": "string"}, {"type": "number"}, {"const": false}, {"type": "null"}, {"type": "object", "additionalProperties": {"type": ["string", "null"]}}],
            }),
        ),
        ("html", json!({"description": "A text with HTML, which Odoo cleans.", "type": ["string", "null", "boolean"]})),
        (
            "boolean",
            json!({
                "description": "`true`, `1`, `\"yes\"` and their opposites.",
                "anyOf": [{"type": ["boolean", "null"]}, {"enum": [0, 1]}, {"type": "string", "pattern": "^\\s*([tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[yY][eE][sS]|[nN][oO]|0|1|)\\s*$"}],
            }),
        ),
        (
            "integer",
            json!({
                "description": "A whole number of 32 bits, also in a text.",
                "anyOf": [{"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX}, {"type": "string", "pattern": number}, none()],
            }),
        ),
        (
            "float",
            json!({
                "description": "A number, also in a text with a point: `\"12.50\"`.",
                "anyOf": [{"type": "number"}, {"type": "string", "pattern": number}, none()],
            }),
        ),
        (
            "date",
            json!({
                "description": "Such as `2026-03-04`. Of a datetime, the day that is written, where it is the same day in UTC.",
                "anyOf": [{"type": "string", "pattern": "^\\s*[0-9]{4}-[0-9]{2}-[0-9]{2}"}, none()],
                "examples": ["2026-03-04"],
            }),
        ),
        (
            "datetime",
            json!({
                "description": "ISO 8601. With `Z` or an offset it becomes UTC, without one it is UTC. A date is its midnight.",
                "anyOf": [{"type": "string", "pattern": "^\\s*[0-9]{4}-[0-9]{2}-[0-9]{2}"}, none()],
                "examples": ["2026-03-04T10:00:00+02:00", "2026-03-04 08:00:00"],
            }),
        ),
        (
            "selection",
            json!({"description": "A choice, by its value or its label.", "anyOf": [{"type": ["string", "number"]}, none()]}),
        ),
        (
            "reference",
            json!({
                "description": "A model and an id.",
                "anyOf": [{"type": "string", "pattern": "^[A-Za-z0-9._]+,\\s*[0-9]+\\s*$"}, none()],
                "examples": ["res.partner,7"],
            }),
        ),
        (
            "file",
            json!({
                "description": "Base64, a `data:` URI, or a URL that the gateway may fetch.",
                "anyOf": [
                    {"type": "string", "contentEncoding": "base64"},
                    {"type": "object", "required": ["url"], "properties": {"url": {"type": "string", "format": "uri"}}},
                    none(),
                ],
            }),
        ),
        (
            "lookup",
            json!({
                "description": "Finds one record by the values of its fields, all of which must match. A key may be a path (`country_id.code`), \
                                `xml_id` an external id; `\"archived\": true` finds archived records, too. Where nothing is found, `auto_create` \
                                in `vals` may have the record to create.",
                "type": "object",
                "minProperties": 1,
                "examples": [{"ref": "CUST-17"}, {"xml_id": "base.be"}, {"code": "CA", "country_id": {"code": "US"}}],
            }),
        ),
        (
            "many2one",
            json!({"description": "A record: a lookup, or its id.", "anyOf": [reference("value.lookup"), id(), {"title": "No value", "enum": [false, null, "", 0, "0"]}]}),
        ),
        (
            "many2many",
            json!({
                "description": "Records: lookups and ids with a mode, or ids alone, which replace what is linked.",
                "anyOf": [
                    {
                        "type": "object",
                        "required": ["records"],
                        "properties": {
                            "mode": {"enum": ["replace", "add", "remove", null]},
                            "records": {"type": "array", "items": {"anyOf": [reference("value.lookup"), id()]}},
                        },
                        "examples": [{"mode": "add", "records": [{"name": "Retail"}, 5]}],
                    },
                    {"type": "array", "items": id()},
                    commands(),
                    {"title": "A file, where the model is one of files", "type": "array", "minItems": 1, "items": reference("value.attachment")},
                    {"title": "No value", "enum": [false, null]},
                ],
            }),
        ),
        (
            "attachment",
            json!({
                "description": "A new file of the record.",
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "datas": {"type": "string", "contentEncoding": "base64"},
                    "url": {"type": "string", "format": "uri"},
                },
            }),
        ),
        (
            "one2many",
            json!({
                "description": "Lines, each a record of its own. On an update a list replaces those that are there.",
                "anyOf": [{"type": "array", "items": reference("Record")}, lines_by_mode(&reference("Record")), commands()],
            }),
        ),
        ("any", json!({"description": "Any JSON value, as Odoo takes it."})),
    ];
    all.into_iter().map(|(name, schema)| (format!("value.{name}"), schema)).collect()
}
