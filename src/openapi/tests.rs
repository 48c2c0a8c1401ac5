//! The document against the tables of the code: nothing of them is missing in it, and no reference leads nowhere.

use serde_json::Value;

use super::{About, Document};
use crate::{
    config::Config,
    errors::{Code, Section},
    plan::parameters,
    route::Route,
    wire::status::status,
};

fn document() -> Value {
    Document::new(About::default()).0
}

fn at<'d>(document: &'d Value, pointer: &str) -> &'d Value {
    let found = document.pointer(pointer);
    assert!(found.is_some(), "the document has nothing at {pointer}");
    found.unwrap_or(&Value::Null)
}

#[test]
fn each_route_stands_there_with_every_parameter_that_it_reads() {
    let document = document();
    for route in Route::ALL {
        let name = route.name();
        assert!(at(&document, &format!("/paths/~1api~1{name}/post/requestBody")).is_object());
        let parameters = parameters(route);
        for parameter in parameters.vals {
            let schema = at(&document, &format!("/components/schemas/{name}.vals/properties/{parameter}"));
            assert!(schema.is_object(), "{name}: {parameter}");
        }
        for parameter in parameters.payload {
            let schema = at(&document, &format!("/components/schemas/{name}.payload/properties/{parameter}"));
            assert!(schema["description"].is_string(), "{name}: {parameter}");
        }
    }
    let served = document["paths"].as_object().unwrap().len();
    assert_eq!(served, Route::ALL.len() + 1, "the routes and the state of a call");
}

#[test]
fn each_error_stands_there_with_its_status_retry_and_cause() {
    let document = document();
    for code in Code::ALL {
        let known = at(&document, "/components/schemas/ErrorCode/oneOf").as_array().unwrap();
        assert_eq!(known.iter().filter(|known| known["const"] == code.as_str()).count(), 1, "{}", code.as_str());
        // Warnings are errors of strict calls, which are answered with 200.
        if matches!(code.row().section, Section::Hooks | Section::Warnings) {
            continue;
        }
        for status in code.row().classes.iter().map(|class| status(*class)).filter(|status| status.as_u16() != 200) {
            let reference =
                at(&document, &format!("/paths/~1api~1create_data/post/responses/{}/$ref", status.as_u16()));
            let response = at(&document, reference.as_str().unwrap().trim_start_matches('#'));
            let rows = response["x-codes"].as_array().unwrap();
            let is_there = |row: &Value| row["code"] == code.as_str() && row["cause"] == code.row().cause;
            assert!(rows.iter().any(is_there), "{} under {status}", code.as_str());
        }
    }
}

#[test]
fn every_reference_leads_to_something() {
    fn walk(document: &Value, value: &Value, count: &mut usize) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    at(document, reference.trim_start_matches('#'));
                    *count += 1;
                }
                members.values().for_each(|member| walk(document, member, count));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(document, item, count)),
            _ => {}
        }
    }
    let (document, mut count) = (document(), 0);
    walk(&document, &document, &mut count);
    assert!(count > 100, "{count}");
}

#[test]
fn hooks_stand_there_where_they_are_asked_for_with_the_body_that_they_take() {
    let text = "[upstream]\nurl = \"http://o\"\ndatabase = \"d\"\n\
        [[client]]\nname = \"c\"\nodoo_login = \"l\"\nodoo_key_env = \"K\"\nroutes = [\"create_data\"]\n\
        [client.signature]\nscheme = \"token\"\npath = true\nsecret_env = \"S\"\n\
        [[hook]]\npath = \"/hooks/forms/{token}\"\nclient = \"c\"\nroute = \"create_data\"\nmodel = \"m\"\n\
        template = \"t.jq\"\nbody = \"form\"\nmethods = [\"POST\", \"GET\"]\n";
    let config = Config::parse(text, "gateway.toml".as_ref()).unwrap();
    let document = Document::new(About { hooks: &config.hooks, ..About::default() }).0;
    let hook = at(&document, "/paths/~1hooks~1forms~1{token}");
    assert_eq!(hook["parameters"][0]["name"], "token");
    assert!(hook["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"].is_object(), "{hook}");
    assert!(hook["get"]["requestBody"].is_null() && hook["get"]["responses"]["422"].is_object(), "{hook}");
    let others = self::document();
    let paths = others["paths"].as_object().unwrap();
    assert!(paths.keys().all(|path| !path.contains("/hooks/")), "nobody else is told of hooks");
}
