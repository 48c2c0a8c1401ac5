//! What filters give and how they fail, in one process.

mod of_functions;
mod of_modules;
mod of_places;

use serde_json::json;

use super::*;

/// A filter in a folder with nothing in it.
fn compiled(code: &str) -> Result<Code, Mistake> {
    let folder = tempfile::tempdir().unwrap();
    Code::compiled(code, folder.path())
}

fn run(code: &str, body: &str) -> Result<Vec<Value>, Error> {
    let input = Input { body: body.to_owned().into(), variables: Default::default() };
    let input = input.with("headers", json!({"x-topic": "orders/create"}));
    match Template::compile(&compiled(code).unwrap()).unwrap().run(&input)? {
        Ran::Results(results) => Ok(results.iter().map(|result| serde_json::from_str(result).unwrap()).collect()),
        Ran::Ignored(why) => Err(Error::Failed(why)),
    }
}

#[test]
fn a_body_becomes_what_the_filter_says_with_numbers_as_they_came() {
    let code = ".lines as $lines | {payload: {id, total: (.total | tonumber), lines: [$lines[] | {qty: .q}], topic: $headers[\"x-topic\"]}}";
    let body = r#"{"id": 820982911946154508, "total": "404.95", "lines": [{"q": 1}, {"q": 2.50}]}"#;
    let expected = json!({"payload": {"id": 820_982_911_946_154_508_i64, "total": 404.95, "lines": [{"qty": 1}, {"qty": 2.5}], "topic": "orders/create"}});
    assert_eq!(run(code, body).unwrap(), [expected]);
}

#[test]
fn what_a_sender_writes_into_a_text_stays_a_text() {
    let body = r#"{"name": "\", \"is_admin\": true, \"x\": \""}"#;
    assert_eq!(
        run("{payload: {name}}", body).unwrap(),
        [json!({"payload": {"name": "\", \"is_admin\": true, \"x\": \""}})]
    );
}

#[test]
fn no_result_and_several_can_be_told_and_an_endless_stream_is_not_followed() {
    assert_eq!(run("empty", "{}").unwrap(), [] as [Value; 0]);
    assert_eq!(run("repeat(1)", "{}").unwrap(), [json!(1), json!(1)]);
    assert!(run(".a.b", r#"{"a": [1]}"#).unwrap_err().to_string().contains("cannot"));
    assert!(run("error(\"no email\")", "{}").unwrap_err().to_string().contains("no email"));
}

fn ran(code: &str, body: &str) -> Result<Ran, Error> {
    let input = Input { body: body.to_owned().into(), variables: Default::default() };
    Template::compile(&compiled(code).unwrap()).unwrap().run(&input)
}

/// The one result of a filter, or its error.
fn one(code: &str, body: &str) -> Result<Value, String> {
    match ran(code, body) {
        Ok(Ran::Results(results)) if results.len() == 1 => Ok(serde_json::from_str(&results[0]).unwrap()),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn what_json_does_not_have_is_an_error_with_its_path() {
    for (code, told) in [
        ("{payload: {x: [0, (0 / 0)]}}", ".payload.x[1] is not a finite number, which JSON does not have"),
        ("infinite", ". is not a finite number"),
        ("{a: {(1): 2}}", ".a is an object with a key that is not text"),
        ("{a: ([255] | tobytes)}", ".a is bytes"),
        ("{a: (\"/w==\" | @base64d)}", ".a is a text that is not UTF-8"),
    ] {
        let error = one(code, "{}").unwrap_err();
        assert!(error.contains(told), "{code}: {error}");
    }
}
