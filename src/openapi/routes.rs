//! The six routes: paths, the headers that they read, the form of what is asked.
//!
//! A call comes alone, `{"model", "vals"}`, or in a JSON-RPC envelope around that (`call/message/envelope`). Which parameters
//! there are, `plan::parameters` says.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    answers, fields,
    model::Model,
    parameters::{of_payload, of_vals, reference, shared},
};
use crate::{
    call::{IDEMPOTENCY_KEY, LONGEST_KEY, PREFER, WEBHOOK_ID},
    plan::parameters,
    route::Route,
};

/// The path of a route.
pub(super) fn path(route: Route) -> String {
    format!("/api/{}", route.name())
}

/// A path item for each route.
pub(super) fn paths(models: &[Model]) -> Map<String, Value> {
    Route::ALL.into_iter().map(|route| (path(route), json!({"post": operation(route, models)}))).collect()
}

fn operation(route: Route, models: &[Model]) -> Value {
    let (summary, description) = words(route);
    let is_write = route != Route::SearchData;
    let mut headers = vec![];
    if is_write {
        headers.extend([IDEMPOTENCY_KEY, WEBHOOK_ID, PREFER].map(|name| {
            let name = name.as_str();
            json!({"$ref": format!("#/components/parameters/{name}")})
        }));
    }
    json!({
        "operationId": route.name(),
        "tags": ["records"],
        "summary": summary,
        "description": description,
        "parameters": headers,
        "requestBody": {
            "required": true,
            "content": {"application/json": {
                "schema": reference(&format!("{}.request", route.name())),
                "examples": examples(route, models),
            }},
        },
        "responses": answers::of_route(route),
    })
}

/// Calls by the model that they are about, each a dry run.
fn examples(route: Route, models: &[Model]) -> Map<String, Value> {
    let one = |model: &str, example: &Value| {
        (model.to_owned(), json!({"summary": format!("A dry run with {model}: nothing is written"), "value": example}))
    };
    let of_models = models.iter().filter_map(|model| Some(one(&model.name, model.example(route)?)));
    let mut examples: Map<String, Value> = of_models.collect();
    if examples.is_empty() {
        examples.extend([one("res.partner", &example(route))]);
    }
    examples
}

/// What a route does, in short and in full.
pub(super) fn words(route: Route) -> (&'static str, &'static str) {
    match route {
        Route::CreateData => {
            ("Create a record", "Creates the record that `payload` has, or one for each entry of a list.")
        }
        Route::UpdateData => (
            "Update records",
            "Writes `payload` into all records that `search_key` matches. Where none matches, that is a warning.",
        ),
        Route::CreateUpdateData => (
            "Create or update a record",
            "Writes `payload` where `search_key` matches, and creates a record where nothing does. Calls with the same search key \
             go one after another, so that they create one record.",
        ),
        Route::SearchData => {
            ("Search records", "Answers records, their number (`count`), or groups of them (`group`, `aggregates`).")
        }
        Route::CallFunction => (
            "Call a method",
            "Calls a public method on the records that `search_key` matches, or on the model (`on_model`).",
        ),
        Route::DeleteData => (
            "Delete records",
            "Deletes the records that `search_key` matches, all or none. Odoo cannot bring them back.",
        ),
    }
}

/// A call that any Odoo takes; a dry run, so that nothing is written by somebody who tries it.
pub(super) fn example(route: Route) -> Value {
    let key = json!({"ref": "CUST-17"});
    let record = json!({"ref": "CUST-17", "name": "Azure Interior", "country_id": {"code": "BE"}});
    let mut vals = match route {
        Route::CreateData => json!({"payload": record, "result_field": ["name"]}),
        Route::UpdateData => json!({"search_key": key, "payload": {"name": "Azure Interior"}}),
        Route::CreateUpdateData => json!({"search_key": key, "payload": record, "result_field": ["name"]}),
        Route::SearchData => json!({
            "payload": {"search_domain": [["country_id.code", "=", "BE"]], "search_field": ["name", "ref"], "limit": 5, "order": "name, id"},
        }),
        Route::CallFunction => json!({"search_key": key, "payload": {"method": "action_archive"}}),
        Route::DeleteData => json!({"search_key": key}),
    };
    vals["dry_run"] = json!(true);
    json!({"model": "res.partner", "vals": vals})
}

/// The schemas of what is asked.
pub(super) fn schemas(models: &[Model]) -> Map<String, Value> {
    let mut schemas = Map::new();
    if !models.is_empty() {
        schemas.extend(fields::values());
    }
    // Lines come first: a model that is named itself is described with its own lines.
    let mut of_models: Vec<(String, Value)> = models.iter().flat_map(fields::of_model).collect();
    let is_named = |name: &str| models.iter().any(|model| name.strip_suffix(".new").unwrap_or(name) == model.name);
    of_models.sort_by_key(|(name, schema)| (is_named(name), schema["properties"].as_object().map_or(0, Map::len)));
    schemas.extend(of_models);
    for route in Route::ALL {
        let name = |part: &str| format!("{}.{part}", route.name());
        let (vals, payload) = (vals(route), payload(route));
        schemas.insert(name("request"), request(&reference(&name("call"))));
        schemas.insert(name("call"), of_models_of(route, call(&reference(&name("vals"))), models));
        schemas.insert(name("vals"), vals);
        schemas.extend(payload.map(|payload| (name("payload"), payload)));
    }
    schemas.extend(shared().into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    schemas
}

/// A call alone, or in an envelope.
fn request(call: &Value) -> Value {
    json!({"anyOf": [
        call,
        {
            "title": "JSON-RPC envelope",
            "type": "object",
            "required": ["params"],
            "properties": {
                "jsonrpc": {"description": "Not read.", "const": "2.0"},
                "method": {"description": "Not read.", "const": "call"},
                "id": {"description": "The answer has the same one.", "type": ["string", "integer", "null"]},
                "params": call,
            },
        },
    ]})
}

fn call(vals: &Value) -> Value {
    json!({
        "title": "Call",
        "type": "object",
        "required": ["model", "vals"],
        "properties": {
            "model": {"description": "The technical name of an Odoo model.", "type": "string", "minLength": 1, "examples": ["res.partner"]},
            "vals": vals,
            "context": {"description": "Taken as `vals.context` where that is not there.", "$ref": "#/components/schemas/Context"},
        },
    })
}

/// The same, where the models are described: then it is a call of one of them.
fn of_models_of(route: Route, mut call: Value, models: &[Model]) -> Value {
    let suffix = match route {
        Route::CreateData | Route::CreateUpdateData => ".new",
        Route::UpdateData => "",
        Route::SearchData | Route::CallFunction | Route::DeleteData => return call,
    };
    let one = |model: &Model| {
        let record = reference(&format!("{}{suffix}", model.name));
        let payload = json!({"anyOf": [record, {"type": "array", "items": record}]});
        json!({
            "title": model.name,
            "properties": {"model": {"const": model.name}, "vals": {"properties": {"payload": payload}}},
        })
    };
    if !models.is_empty() {
        call["anyOf"] = models.iter().map(one).collect();
    }
    call
}

fn vals(route: Route) -> Value {
    let properties = parameters(route).vals.into_iter();
    let properties: Map<String, Value> =
        properties.filter_map(|name| Some((name.to_owned(), of_vals(route, name)?))).collect();
    json!({
        "description": "The parameters. One that the route does not know is warned of.",
        "type": "object",
        "required": required(route),
        "properties": properties,
    })
}

fn required(route: Route) -> &'static [&'static str] {
    match route {
        Route::CreateData | Route::SearchData | Route::CallFunction => &["payload"],
        Route::UpdateData | Route::CreateUpdateData => &["search_key", "payload"],
        Route::DeleteData => &["search_key"],
    }
}

/// Of a route whose payload has parameters.
fn payload(route: Route) -> Option<Value> {
    let names = parameters(route).payload;
    let properties: Map<String, Value> =
        names.iter().filter_map(|name| Some(((*name).to_owned(), of_payload(name)?))).collect();
    let required: &[&str] = if route == Route::CallFunction { &["method"] } else { &[] };
    (!names.is_empty()).then(|| json!({"type": "object", "required": required, "properties": properties}))
}

/// The headers of requests, by name.
pub(super) fn headers() -> Value {
    let key = json!({"type": "string", "pattern": format!("^[!-~]{{1,{LONGEST_KEY}}}$")});
    let header = |name: &str, description: &str, schema: &Value, example: &str| json!({"name": name, "in": "header", "description": description, "schema": schema, "example": example});
    let accepted = StatusCode::ACCEPTED.as_u16();
    let mut headers = Map::new();
    headers.insert(
        IDEMPOTENCY_KEY.to_string(),
        header(
            "Idempotency-Key",
            "A text of the caller's own for this call. A repetition with the same key is not done again, and gets the first answer.",
            &key,
            "order-4711",
        ),
    );
    headers.insert(
        WEBHOOK_ID.to_string(),
        header(
            "webhook-id",
            "The same, as Standard Webhooks names it. `Idempotency-Key` goes before it.",
            &key,
            "msg-1",
        ),
    );
    headers.insert(
        PREFER.to_string(),
        header(
            "Prefer",
            &format!(
                "With `respond-async` the call is answered {accepted} as soon as it is stored, and made later. It takes a key of the \
                 gateway's own."
            ),
            &json!({"type": "string"}),
            "respond-async",
        ),
    );
    Value::Object(headers)
}
