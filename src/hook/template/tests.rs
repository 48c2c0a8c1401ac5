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
    ] {
        assert_eq!(compiled(code).unwrap_err().to_string(), mistake, "{code}");
    }
}

fn ran(code: &str, body: &str) -> Result<Ran, Error> {
    let input = Input { body: body.to_owned().into(), variables: Default::default() };
    Template::compile(&compiled(code).unwrap()).unwrap().run(&input)
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
        assert!(compiled(code).is_err(), "{code}");
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

/// The one result of a filter, or its error.
fn one(code: &str, body: &str) -> Result<Value, String> {
    match ran(code, body) {
        Ok(Ran::Results(results)) if results.len() == 1 => Ok(serde_json::from_str(&results[0]).unwrap()),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn what_a_template_needs_is_there_or_named() {
    let body =
        r#"{"order": {"name": "S1", "note": null, "paid": false}, "lines": [{"sku": "A"}, {"qty": 1}], "odd key": 1}"#;
    for (code, value) in [
        ("need(.order.name)", json!("S1")),
        ("need(.order.paid)", json!(false)),
        ("need(.lines[0].sku)", json!("A")),
        (".order | need(.name)", json!("S1")),
        ("need(.order.name | ascii_downcase)", json!("s1")),
        ("\"x\" as $x | need($x)", json!("x")),
        ("need(.order.id // .order.name)", json!("S1")),
        ("[need(.lines[0, 1])] | length", json!(2)),
        ("try need(.x) catch .", json!(".x is missing")),
        (r#"need(."odd key")"#, json!(1)),
        ("[need(.lines[])] | length", json!(2)),
    ] {
        assert_eq!(one(code, body), Ok(value), "{code}");
    }
    for (code, told) in [
        ("need(.order.id)", ".order.id is missing"),
        ("need(.customer.email)", ".customer.email is missing"),
        ("need(.order.note)", ".order.note is null"),
        ("[need(.lines[].sku)]", ".lines[1].sku is missing"),
        ("need(.lines[7])", ".lines[7] is missing"),
        (r#"need(."an odd one".x)"#, r#".["an odd one"].x is missing"#),
        (".order | need(.id)", ".id is missing"),
        ("need($headers[\"x\"])", "`need` finds nothing"),
        ("need(empty)", "`need` finds nothing"),
        ("null | need(.)", ". is null"),
        ("need(.order.name.first)", "cannot index"),
        ("need(.order.name | tonumber)", "is not a number"),
    ] {
        let error = one(code, body).unwrap_err();
        assert!(error.contains(told), "{code}: {error}");
    }
}

#[test]
fn a_text_is_signed_as_senders_want_it() {
    // RFC 2202, case 2, and RFC 4231, case 2; NIST's examples of digests.
    for (code, value) in [
        (r#"hmac("sha1"; "Jefe"; "what do ya want for nothing?")"#, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (
            r#"hmac("sha256"; "Jefe"; "what do ya want for nothing?")"#,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            r#"hmac("sha256"; "Jefe"; "what do ya want for nothing?"; "base64")"#,
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
        ),
        (r#"hmac("sha512"; "Jefe"; "what do ya want for nothing?"; "hex") | .[:16]"#, "164b7a7bfcf819e2"),
        (
            r#""SmVmZQ==" | @base64d as $key | hmac("sha1"; $key; "what do ya want for nothing?")"#,
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
        (r#"digest("sha1"; "abc")"#, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (r#"digest("sha256"; "abc")"#, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (r#"digest("sha512"; ""; "base64") | .[:8]"#, "z4PhNX7v"),
    ] {
        assert_eq!(one(code, "{}"), Ok(json!(value)), "{code}");
    }
    for (code, told) in [
        (r#"hmac("md5"; "k"; "t")"#, r#"there is no algorithm "md5"; there are "sha1", "sha256" and "sha512""#),
        (r#"hmac("sha256"; "k"; "t"; "rot13")"#, r#"there is no encoding "rot13""#),
        (r#"hmac("sha256"; null; "t")"#, "the key of `hmac` is not a text"),
        (r#"hmac("sha256"; "k"; null)"#, "cannot use null as string"),
        (r#"digest("sha256"; 7)"#, "cannot use 7 as string"),
    ] {
        let error = one(code, "{}").unwrap_err();
        assert!(error.contains(told), "{code}: {error}");
    }
}

#[test]
fn times_are_read_as_senders_write_them() {
    for (time, seconds) in [
        ("2026-03-04T10:00:00Z", json!(1_772_618_400)),
        ("2026-03-04T10:00:00.500Z", json!(1_772_618_400.5)),
        ("2026-03-04T10:00:00.1234567Z", json!(1_772_618_400.123_456_7)),
        ("2026-03-04T17:00:00+07:00", json!(1_772_618_400)),
        ("2026-03-04T17:00:00+0700", json!(1_772_618_400)),
        ("2026-03-04T05:00:00.25-05:00", json!(1_772_618_400.25)),
        ("2026-03-04 10:00:00 UTC", json!(1_772_618_400)),
        ("2026-03-04 17:00:00 +0700", json!(1_772_618_400)),
        ("2026-03-04T10:00:00", json!(1_772_618_400)),
        ("2026-03-04T10:00", json!(1_772_618_400)),
        (" 2026-03-04 ", json!(1_772_582_400)),
        ("1969-12-31T23:59:58.5Z", json!(-1.5)),
    ] {
        assert_eq!(one("fromiso", &json!(time).to_string()), Ok(seconds), "{time}");
    }
    for time in [
        json!(""),
        json!("tomorrow"),
        json!("2026-13-01"),
        json!("2026-03-04T25:00:00Z"),
        json!(1_772_618_400),
        json!("1772618400"),
        json!("20260304"),
        json!(null),
        json!("2026-03-04T10:00:00[Europe/Brussels]"),
    ] {
        let error = one("fromiso", &time.to_string()).unwrap_err();
        assert!(error.contains("is not a time in ISO 8601"), "{time}: {error}");
    }
    for time in [
        json!("2026-03-04T17:00:00.9+07:00"),
        json!(1_772_618_400),
        json!(1_772_618_400_999_i64),
        json!("1772618400"),
        json!("1772618400000"),
        json!(1_772_618_400.75),
    ] {
        assert_eq!(one("odoo_datetime", &time.to_string()), Ok(json!("2026-03-04 10:00:00")), "{time}");
    }
    for time in [json!(null), json!(""), json!("now"), json!(1e300), json!([1])] {
        let error = one("odoo_datetime", &time.to_string()).unwrap_err();
        assert!(error.contains("is not a time"), "{time}: {error}");
    }
    assert_eq!(one("fromiso | todate", r#""2026-03-04T17:00:00+07:00""#), Ok(json!("2026-03-04T10:00:00Z")));
}

#[test]
fn functions_of_jq_that_templates_rely_on_are_there() {
    for (code, value) in [
        (r#""Ann" | @base64 | [., @base64d]"#, json!(["QW5u", "Ann"])),
        (r#""sha256=ab" | ltrimstr("sha256=")"#, json!("ab")),
        (r#""order 17" | test("\\d+")"#, json!(true)),
        (r#""order 17" | capture("(?<n>\\d+)").n | tonumber"#, json!(17)),
        (r#"@text "\(1) \("a")""#, json!("1 a")),
        (r#"@html "<b>\("<i>")</b>""#, json!("<b>&lt;i&gt;</b>")),
        (r#"@uri "q=\("a b&c")""#, json!("q=a%20b%26c")),
        (r#"{a: 1} | with_entries(.key |= ascii_upcase)"#, json!({"A": 1})),
        (r#""a,b" | split(",")"#, json!(["a", "b"])),
        (r#""x-1-y" | gsub("-"; " ")"#, json!("x 1 y")),
        (
            r#"[{k: 1, v: 2}, {k: 1, v: 3}] | group_by(.k) | map({k: .[0].k, v: map(.v) | add})"#,
            json!([{"k": 1, "v": 5}]),
        ),
        (r#"1772618400 | todate"#, json!("2026-03-04T10:00:00Z")),
        (r#""a" | IN("a", "b")"#, json!(true)),
        (r#"[{id: 1}] | INDEX(.id)"#, json!({"1": {"id": 1}})),
        (r#"[1, [2]] | map(toarray)"#, json!([[1], [2]])),
        (r#"{a: null} | .a // "none""#, json!("none")),
    ] {
        assert_eq!(one(code, "null"), Ok(value), "{code}");
    }
    for name in [
        "$ENV",
        "env",
        "input",
        "inputs",
        "debug",
        "debug(1)",
        "stderr",
        "input_filename",
        "$__prog_args",
        "$__loc__",
        "halt",
        "input_line_number",
        "get_search_list",
        "debug_empty",
        "stderr_empty",
    ] {
        assert!(compiled(name).is_err(), "{name}");
    }
}

#[test]
fn what_json_does_not_have_is_an_error_with_its_path() {
    for (code, told) in [
        ("{payload: {x: [0, (0 / 0)]}}", ".payload.x[1] is not a finite number, which JSON does not have"),
        ("infinite", ". is not a finite number"),
        ("{a: {(1): 2}}", ".a is an object with a key that is no text"),
        ("{a: ([255] | tobytes)}", ".a is bytes"),
        ("{a: (\"/w==\" | @base64d)}", ".a is a text that is not UTF-8"),
    ] {
        let error = one(code, "{}").unwrap_err();
        assert!(error.contains(told), "{code}: {error}");
    }
}

#[test]
fn definitions_come_from_modules_in_the_folder_of_the_template() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lib")).unwrap();
    for (name, text) in [
        ("names.jq", "include \"lib/texts\"; def full: [.first, .last] | clean;"),
        ("lib/texts.jq", "def clean: join(\" \") | trim;"),
        ("money.jq", "def cents: . / 100;"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let code = r#"include "names"; import "money" as money; {name: full, total: (.total | money::cents)}"#;
    let code = Code::compiled(code, folder.path()).unwrap();
    // What was read is kept: a worker has no files.
    assert!(!code.uses("results") && !code.uses("headers"));
    folder.close().unwrap();
    let input = Input { body: br#"{"first": "Ann", "total": 250}"#[..].into(), variables: Default::default() };
    let ran = Template::compile(&code).unwrap().run(&input);
    assert_eq!(ran, Ok(Ran::Results(vec![r#"{"name":"Ann","total":2.5}"#.to_owned()])));
}

#[test]
fn a_mistake_in_a_module_names_its_file_and_nothing_outside_of_the_folder_is_read() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("hooks");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in [
        ("../outside.jq", "def secret: 1;"),
        ("form.jq", "def a: 1;\ndef b: (;"),
        ("name.jq", "def a: 1;\n  def b: foo;"),
        ("circle.jq", "include \"back\";"),
        ("back.jq", "include \"circle\";"),
        ("large.jq", &format!("# {}", "x".repeat(1 << 20))),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::os::unix::fs::symlink("../outside.jq", folder.join("link.jq")).unwrap();
    let absolute = outer.path().join("outside").display().to_string();
    for (name, told) in [
        ("form", "form.jq:2:10: closing parenthesis is due"),
        ("name", "name.jq:2:10: there is no function `foo` without arguments\n 2 |   def b: foo;\n   |          ^"),
        ("../outside", "1:10: the module `../outside`: a module is a file in the folder of the template"),
        ("./../outside", "a module is a file in the folder"),
        (&*absolute, "a module is a file in the folder"),
        ("link", "leads out of the folder of the template"),
        ("nowhere", "cannot read `"),
        ("circle", "circular include/import"),
        ("large", "has more than 1048576 bytes"),
    ] {
        let told_so = Code::compiled(&format!("include \"{name}\"; ."), &folder).unwrap_err().to_string();
        assert!(told_so.contains(told), "{name}: {told_so}");
    }
    let mistake = Code::compiled("include \"name\"; .", &folder).unwrap_err();
    assert!(mistake.of(&folder.join("order.jq")).starts_with(&format!("{}:2:10: ", folder.join("name.jq").display())));
    let mistake = Code::compiled("foo", &folder).unwrap_err();
    assert!(mistake.of(&folder.join("order.jq")).starts_with(&format!("{}:1:1: ", folder.join("order.jq").display())));
    for (code, told) in [
        (r#"import "data" as $data; $data"#, "data cannot be imported"),
        (r#"include "form" {search: "/etc"}; ."#, "nothing stands behind its name"),
    ] {
        let told_so = Code::compiled(code, &folder).unwrap_err().to_string();
        assert!(told_so.contains(told), "{code}: {told_so}");
    }
}

#[test]
fn the_files_of_modules_are_known_also_where_they_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jq"), "include \"b\"; import \"c\" as c; def x: 1;").unwrap();
    std::fs::write(folder.path().join("b.jq"), "include \"a\"; def (").unwrap();
    let found = |code| files(code, folder.path()).into_iter().collect::<Vec<_>>();
    let expected = ["a.jq", "b.jq", "c.jq"].map(|name| folder.path().join(name));
    assert_eq!(found("module {}; include \"a\"; include \"../x\"; {include: \"y\"}"), expected);
    assert_eq!(found(". | \"include\" as $x | $x"), [] as [std::path::PathBuf; 0]);
    assert_eq!(found("include"), [] as [std::path::PathBuf; 0]);
}

#[test]
fn a_filter_tells_which_variables_it_uses_in_a_module_too() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("done.jq"), "def order: $results[0].id;").unwrap();
    let code = Code::compiled("include \"done\"; [{vals: {}, model: $vars.model}, {vals: {id: order}}]", folder.path())
        .unwrap();
    assert!(code.uses("results") && code.uses("vars") && !code.uses("headers"));
    assert!(!compiled("1 as $results | $results").unwrap().uses("results"));
}

/// What is said of a filter that fails, with its place.
fn failure(code: &str, body: &str) -> String {
    let code = compiled(code).unwrap();
    let input = Input { body: body.to_owned().into(), variables: Default::default() };
    let Err(Error::Failed(words)) = Template::compile(&code).unwrap().run(&input) else {
        return "no failure".to_owned();
    };
    with_place(&code, &input, &words).unwrap_or(words)
}

#[test]
fn a_failure_is_told_with_its_place() {
    let body = r#"{"name": "S1", "lines": [{"price": "1.5"}, {"price": ""}], "text": "x"}"#;
    // The mark » stands where the failure is.
    for marked in [
        r#".name».first"#,
        r#".name | ».first"#,
        r#".lines».price"#,
        r#".lines»["price"]"#,
        r#"{payload: {lines: [.lines[]
  | {price_unit: (.price | »tonumber)}]}}"#,
        r#"».name + 1"#,
        r#"{a: .name, b: (».text * {})}"#,
        r#"-».name"#,
        r#".lines | map(.price | »tonumber)"#,
        r#".name | »map(.)"#,
        r#"»error("no email")"#,
        r#".name | »error"#,
        r#"def price: .price | »tonumber; [.lines[] | price]"#,
        r#"def f(g): g; .lines | f(».price)"#,
        r#"»need(.order.id)"#,
        r#"»@base64d "\(.name)!""#,
        r#"try error("a") catch »error("a")"#,
        r#"(try error("a") catch 1) | »error("a")"#,
        r#"((error("a"))? // 1) | »error("a")"#,
        r#"».name.x |= 1"#,
        r#".lines[0].price |= tonumber | .lines[1].price |= »tonumber"#,
        r#"»del(.name.x)"#,
        r#".name as [»$a] | $a"#,
        r#".name as {a: »$a} | $a"#,
        r#"reduce .lines[] as $line (0; . + »$line.price)"#,
        r#"if .name then .name».x else 1 end"#,
        r#"# "ä
"ä" | »tonumber"#,
        r#"label $out | .lines[] | if .price == "" then (.price | »tonumber) else . end"#,
        r#"{"a\u00e4\n": 1, @html "b": 2, (.name): 3} | .x.y.z | »tonumber"#,
    ] {
        let (before, after) = marked.split_once('»').unwrap();
        let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
        let expected = format!("line {}, column {column}: ", before.matches('\n').count() + 1);
        let told = failure(&format!("{before}{after}"), body);
        assert!(told.starts_with(&expected), "{marked}: {told}");
    }
    assert_eq!(
        failure("{\n\tprice: (.lines[1].price | tonumber),\n}", body),
        "line 2, column 28: \"\" is not a number\n 2 | \tprice: (.lines[1].price | tonumber),\n   | \t                          ^"
    );
    // Nothing is claimed where jaq keeps no place.
    assert_eq!(failure(". - [.]", r#""a""#), "cannot calculate \"a\" - [\"a\"]");
}

#[test]
fn a_failure_in_a_module_names_its_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("money.jq"), "def cents:\n  (. | tonumber) / 100;").unwrap();
    for (code, told) in [
        ("import \"money\" as m; {a: (.total | m::cents)}", "money.jq, line 2, column 8: {} is not a number\n 2 | "),
        ("include \"money\"; {a: (.total | cents)}", "money.jq, line 2, column 8: {} is not a number\n 2 | "),
        ("include \"money\"; .total | .[0:1]", "line 1, column 29: cannot use {} as "),
    ] {
        let code = Code::compiled(code, folder.path()).unwrap();
        let input = Input { body: br#"{"total": {}}"#[..].into(), variables: Default::default() };
        let Err(Error::Failed(words)) = Template::compile(&code).unwrap().run(&input) else { unreachable!() };
        let placed = with_place(&code, &input, &words).unwrap_or(words);
        assert!(placed.starts_with(told), "{placed}");
    }
}

#[test]
fn a_traced_filter_gives_what_the_filter_gives() {
    let body = r#"{"name": "S1", "n": [3, 1, 2], "o": {"a": {"b": 1}}, "s": "x y"}"#;
    for code in [
        ".",
        "..",
        "[.n[]]",
        ".n[1:]",
        ".n[:2]",
        ".n[0:1]",
        ".n | sort",
        "{name}",
        "{\"name\"}",
        "{(.name): 1}",
        "{a: 1, b: (2, 3)}",
        ". as {name: $x, o: {a: $y}} | [$x, $y]",
        ". as {$name} | $name",
        ".n as [$a, $b] | $a + $b",
        ".o.a.b += 5",
        ".o.a |= {c: .b}",
        "[.n[] | select(. > 1)]",
        "reduce .n[] as $x (0; . + $x)",
        "[foreach .n[] as $x (0; . + $x; [$x, .])]",
        "del(.n[0])",
        "[paths]",
        "[path(.o.a, .n[0])]",
        "to_entries",
        "with_entries(.value |= tojson)",
        ".missing // \"none\"",
        "[.n[] as $x | $x * 2]",
        "if .n then 1 elif .s then 2 else 3 end",
        "if .missing then 1 end",
        "try (.name.x) catch \"caught\"",
        "[.name.x?]",
        "[.[] | .a?]",
        "\"\\(.name)-\\(.n | length)\\u00e4😀\\n\\\"\"",
        "@base64 \"x\\(.s)\"",
        "@json",
        "def f: .n; def g(f; $x): [f, $x]; g(f; 7)",
        "def loop: if . > 1000 then . else . + 1 | loop end; 0 | loop",
        "label $out | .n[] | if . == 1 then ., break $out else . end",
        "[limit(2; .n[])]",
        "first(.n[])",
        "[.n[] | -(.)]",
        "-1",
        "[.s | splits(\" \")]",
        ".s | test(\"x\")",
        "[.n[] | . as $x | $x]",
        "walk(if . == 1 then 2 else . end)",
        "[.n | .[] |= empty]",
        "{} | .a.b.c = 1",
        ".o[\"a\"][\"b\"]",
        ".o.\"a\"",
        "[..|numbers]",
        "[range(0; 10; 3)]",
        "[.n[] | if . == 1 then empty else . end]",
        "(.n | length) as $l | $l",
        "$vars",
        "1 - 2 - 3",
        "2 * 3 + 4 % 3",
        "true and false or true",
        "[.n[] | . <= 2]",
        "[.n[] | . != 2]",
        ".o.a.b //= 3",
        ".o.x //= 3",
        ".n[1] *= 3",
        "[splits(\"a\")?]",
        "reduce .n[] as [$x] (0; . + 1)",
        "isempty(.n[])",
        "[.n[1,2]]",
        ".[\"name\", \"s\"]",
        "{a: {b: [.n[]]}} | .a.b[2]",
    ] {
        let input = Input { body: body.to_owned().into(), variables: Default::default() };
        let code = compiled(code).unwrap();
        let traced = code.traced().unwrap();
        let filter = compile(&traced, &VARIABLES, functions::funs().chain(functions::of_traced())).unwrap();
        let (plain, traced) = (Template::compile(&code).unwrap().run(&input), Template(filter).run(&input));
        assert_eq!(plain, traced, "{}", code.main);
    }
}
