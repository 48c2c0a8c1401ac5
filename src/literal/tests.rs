//! What is read as a literal, and what is refused.

use serde_json::json;

use super::*;

#[track_caller]
fn check(text: &str, expected: Value) {
    assert_eq!(parse(text), Ok(expected), "{text}");
}

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
}

#[test]
fn lists_tuples_sets_and_dicts_nest_and_may_end_in_a_comma() {
    check("[('a', '=', 1), ['b', 'in', (1, 2,)], ]", json!([["a", "=", 1], ["b", "in", [1, 2]]]));
    check("{'k': [1], 'l': {}, }", json!({"k": [1], "l": {}}));
    check("{1, 2}", json!([1, 2]));
    check("set()", json!([]));
    check("((1), (1,), ())", json!([1, [1], []]));
    check("1, 2", json!([1, 2]));
}

#[test]
fn numbers_come_in_every_base_with_underscores_and_exponents() {
    check("[0x1F, 0o17, 0b101, 1_000, 00]", json!([31, 15, 5, 1000, 0]));
    check("[1.5, .5, 1., 1e3, 1_0.5E-1, -2, +3, - 4, -(5)]", json!([1.5, 0.5, 1.0, 1000.0, 1.05, -2, 3, -4, -5]));
    check("[9223372036854775807, -9223372036854775808, 18446744073709551615]", json!([i64::MAX, i64::MIN, u64::MAX]));
}

#[test]
fn strings_come_with_every_prefix_quote_and_escape_and_are_joined() {
    check(r#"'it\'s ' "a" u'b' R'\n' "#, json!("it's ab\\n"));
    check(
        r"'\x41\u00e9\U0001F600\101\t\q\
end'",
        json!("A\u{e9}\u{1F600}A\t\\qend"),
    );
    check("'''two\r\nlines 'quoted' '''", json!("two\nlines 'quoted' "));
    check("\"\"\"x\"\"\"", json!("x"));
    check("''", json!(""));
}

#[test]
fn comments_and_line_ends_may_stand_between() {
    check("\n[ # one\n 1, \\\n 2 # two\n]\n# done\n", json!([1, 2]));
}

#[test]
fn the_constants_are_pythons_and_jsons() {
    check("[True, False, None, true, false, null]", json!([true, false, null, true, false, null]));
}

#[test]
fn what_is_no_literal_is_named_with_its_place() {
    check_refused(
        "[('name', '=', __import__('os').getcwd())]",
        "`__import__` is a name, not a value: write the value itself at character 16",
    );
    check_refused("[('a', '=', 'x'", "`)` is missing at character 16");
    check_refused("[1 2]", "`,` or `]` is due, not `2` at character 4");
    check_refused("", "the literal ends where a value is due at character 1");
    check_refused("[1]]", "unexpected `]` at character 4");
    check_refused("'abc", "a string that does not end at character 1");
    check_refused("--1", "a number is due after a sign at character 2");
    check_refused("1+2", "unexpected `+` at character 2");
    check_refused("[uid]", "`uid` is a name, not a value: write the value itself at character 2");
    check_refused("b'x'", "bytes have no place here: write a text at character 1");
    check_refused("f'x'", "a string cannot begin with `f` at character 1");
    check_refused("012", "an integer with a leading zero at character 1");
    check_refused("1__0", "unexpected `_` in a number at character 2");
    check_refused("99999999999999999999", "an integer beyond 64 bits at character 1");
    check_refused("1e999", "a number too large at character 1");
    check_refused("2j", "a complex number has no place here at character 1");
    check_refused(r"'\ud800'", "no character: half of a pair, or beyond Unicode at character 2");
    check_refused("{(1, []), 2}", "a set cannot hold a list, a dict or a set at character 2");
    check_refused("{1: 2}", "a key must be a text at character 2");
}

#[test]
fn brackets_beyond_the_limit_are_refused_not_overflown() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(parse(&deep(100)).is_ok());
    assert!(parse(&deep(100_000)).unwrap_err().what.starts_with("more than 100 brackets"));
}
