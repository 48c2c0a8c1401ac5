use serde_json::{Value, json};

use super::*;

fn run(code: &str, body: &str) -> Result<Vec<Value>, Error> {
    let input = Input { body: body.to_owned().into(), variables: Default::default() };
    let input = input.with("headers", json!({"x-topic": "orders/create"}));
    let Ran::Results(results) = Template::compile(&Code { main: code.into() }).unwrap().run(&input)? else {
        panic!("ignored")
    };
    Ok(results.iter().map(|result| serde_json::from_str(result).unwrap()).collect())
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

#[test]
fn a_filter_sees_nothing_of_this_machine_and_its_mistakes_have_a_line() {
    for (code, mistake) in [
        ("env", "1:1: there is no function `env` without arguments\n 1 | env\n   | ^"),
        ("$ENV", "1:1: there is no variable `$ENV`\n 1 | $ENV\n   | ^"),
        ("{a: 1}\n| halt", "2:3: there is no function `halt` without arguments\n 2 | | halt\n   |   ^"),
        ("input", "1:1: there is no function `input` without arguments\n 1 | input\n   | ^"),
        ("{a:\n\t1", "2:3: closing brace is due\n 2 | \t1\n   | \t ^"),
        ("", "1:1: term is due\n 1 | \n   | ^"),
        ("\"ä\" | foo(1; 2)", "1:7: there is no function `foo` with 2 arguments\n 1 | \"ä\" | foo(1; 2)\n   |       ^"),
        ("import \"x\" as x; .", "1:1: a template cannot have others in it\n 1 | import \"x\" as x; .\n   | ^"),
    ] {
        assert_eq!(Code::compiled(code).unwrap_err().to_string(), mistake, "{code}");
    }
}

fn ran(code: &str, body: &str) -> Result<Ran, Error> {
    let input = Input { body: body.to_owned().into(), variables: Default::default() };
    Template::compile(&Code { main: code.into() }).unwrap().run(&input)
}

#[test]
fn ignore_ends_the_filter_wherever_it_stands_and_nothing_swallows_it() {
    for code in [
        r#"ignore("a draft")"#,
        r#"if .draft then ignore("a draft") else {} end"#,
        r#"{a: {b: [1, ignore("a draft")]}}"#,
        r#"try ignore("a draft") catch 1"#,
        r#"ignore("a draft")?"#,
        r#"ignore("a draft") // 1"#,
        r#"(.x | ignore("a draft")?) // {}"#,
        r#"[.[]? | ignore("a draft")]"#,
        r#"first(ignore("a draft"), 1)"#,
        r#"any(ignore("a draft"); .)"#,
        r#"reduce (1, 2) as $x (0; ignore("a draft"))"#,
        r#"def f: ignore("a draft"); [1, 2] | map(f)"#,
        r#"[1, 2] | sort_by(ignore("a draft"))"#,
        r#"[1, 2] | min_by(ignore("a draft"))"#,
        r#"ignore("a draft") |= 1"#,
        r#".draft |= ignore("a draft")"#,
        r#"[path(ignore("a draft"))]"#,
        r#"label $out | ignore("a draft")"#,
        r#".[ignore("a draft")]?"#,
        r#"[limit(1; ignore("a draft"))]"#,
        r#"{}, ignore("a draft")"#,
        r#"ignore("\n  a draft ")"#,
        r#"ignore(("a draft", "b"))"#,
    ] {
        assert_eq!(ran(code, r#"{"draft": true}"#).unwrap(), Ran::Ignored("a draft".to_owned()), "{code}");
    }
    assert_eq!(
        ran(r#"if .draft then 1 else ignore("a draft") end"#, r#"{"draft": true}"#),
        Ok(Ran::Results(vec!["1".to_owned()]))
    );
    assert_eq!(ran("ignore(.a)", &json!({"a": "ä".repeat(1000)}).to_string()), Ok(Ran::Ignored("ä".repeat(300))));
}

#[test]
fn ignore_needs_a_reason_and_no_error_of_a_sender_is_taken_for_it() {
    for code in [r#"ignore("")"#, r#"ignore(" ")"#, "ignore(null)", "ignore({})"] {
        assert!(ran(code, "{}").unwrap_err().to_string().contains("`ignore` needs a text that says why"), "{code}");
    }
    for body in [r#""ignore""#, r#"{"ignored": "x"}"#, "null", "0", r#"{"halt": 0}"#, r#""i""#] {
        assert!(matches!(ran("error(.)", body), Err(Error::Failed(_))), "{body}");
    }
    for code in ["halt", "halt(0)", "ignore", "halt_error(1)", "\"x\" | halt_error"] {
        assert!(Code::compiled(code).is_err(), "{code}");
    }
}

#[test]
fn a_text_becomes_one_value_or_an_error() {
    for (code, body, value) in [
        ("tonumber", r#""12.50""#, "12.50"),
        ("tonumber", r#"" 12 ""#, "12"),
        ("tonumber", r#""+7""#, "7"),
        ("tonumber", r#""-0.5""#, "-0.5"),
        ("tonumber", r#""007""#, "7"),
        ("tonumber", r#""000""#, "0"),
        ("tonumber", r#""1e3""#, "1e3"),
        ("tonumber", "12.50", "12.50"),
        ("tonumber", r#""820982911946154508""#, "820982911946154508"),
        ("toboolean", r#"" true ""#, "true"),
        ("toboolean", "false", "false"),
        ("fromjson", r#"" {\"a\": [1]} ""#, r#"{"a":[1]}"#),
        ("fromjson", r#""null""#, "null"),
    ] {
        assert_eq!(ran(code, body), Ok(Ran::Results(vec![value.to_owned()])), "{body} | {code}");
    }
    for (code, bodies) in [
        (
            "tonumber",
            &[
                "\"\"",
                "\" \"",
                "\"\\t\\n\"",
                "\"12 34\"",
                "\"12,50\"",
                "\"1.\"",
                "\".5\"",
                "\"NaN\"",
                "\"1e999\"",
                "\"Infinity\"",
                "\"-\"",
                "\"0x10\"",
                "\"1 # 2\"",
                "\"null\"",
                "null",
                "true",
                "[1]",
                "\"[1]\"",
                "\"--1\"",
            ][..],
        ),
        ("toboolean", &["\"\"", "\"true false\"", "\"yes\"", "1", "null"]),
        ("fromjson", &["\"\"", "\" \"", "\"1 2\"", "\"{} {}\"", "\"NaN\"", "\"[1] # x\"", "\"{1: 2}\"", "null", "1"]),
    ] {
        for body in bodies {
            let told = ran(code, body).unwrap_err().to_string();
            assert!(told.contains(" is not "), "{body} | {code}: {told}");
        }
    }
    // What is an error can be caught.
    assert_eq!(ran(r#"try tonumber catch 0"#, r#""""#), Ok(Ran::Results(vec!["0".to_owned()])));
}

#[test]
fn what_is_missing_is_an_empty_text_where_texts_are_joined() {
    let body = r#"["Ann", null, "", 7, true]"#;
    assert_eq!(ran(r#"join(" ")"#, body), Ok(Ran::Results(vec![r#""Ann   7 true""#.to_owned()])));
    assert_eq!(ran(r#"join(", ")"#, "[]"), Ok(Ran::Results(vec![r#""""#.to_owned()])));
    assert_eq!(ran(r#"join(", ")"#, "[null, 1]"), Ok(Ran::Results(vec![r#"", 1""#.to_owned()])));
}
