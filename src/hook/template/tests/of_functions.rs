//! The functions of filters.

use super::*;

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
