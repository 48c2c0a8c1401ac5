//! The places of failures.

use super::*;

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
