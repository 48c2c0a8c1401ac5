//! What becomes of a value, type by type.

use std::collections::HashMap;

use super::*;
use crate::odoo::Schema;

/// A field as `fields_get` describes it.
fn field(described: Value) -> Field {
    Schema::new("m", HashMap::from([("f".to_owned(), described)])).field("f").unwrap().clone()
}

fn of_type(kind: &str) -> Field {
    let selection =
        json!([["delivery", "Delivery Address"], ["invoice", "Invoice"], ["other", "Same"], ["o2", "Same"]]);
    let described = match kind {
        "selection" => json!({"type": "selection", "selection": selection}),
        "priority" => json!({"type": "selection", "selection": [["1", "Low"], ["2", "High"]]}),
        "code" => json!({"type": "char", "size": 2}),
        kind => json!({"type": kind}),
    };
    field(described)
}

#[test]
fn a_value_becomes_what_its_field_takes() {
    for (kind, value, expected) in [
        ("boolean", json!("false"), json!(false)),
        ("boolean", json!("No"), json!(false)),
        ("boolean", json!("0"), json!(false)),
        ("boolean", json!("TRUE"), json!(true)),
        ("boolean", json!(1), json!(true)),
        ("boolean", json!(0.0), json!(false)),
        ("boolean", json!(""), json!(false)),
        ("integer", json!("20"), json!(20)),
        ("integer", json!(" -007 "), json!(-7)),
        ("integer", json!(3.0), json!(3)),
        ("integer", json!("3.0"), json!(3)),
        ("integer", json!("1e2"), json!(100)),
        ("float", json!("12.50"), json!(12.5)),
        ("float", json!("+0012.5"), json!(12.5)),
        ("float", json!("00.5"), json!(0.5)),
        ("float", json!("0"), json!(0)),
        ("monetary", json!("1e2"), json!(100.0)),
        ("float", json!(""), json!(false)),
        ("char", json!(17), json!("17")),
        ("char", json!(12.5), json!("12.5")),
        ("char", json!(""), json!("")),
        ("char", json!(null), json!(false)),
        ("code", json!("BE"), json!("BE")),
        ("html", json!("<p>5</p>"), json!("<p>5</p>")),
        ("date", json!("2026-03-04"), json!("2026-03-04")),
        ("date", json!("2026-03-04T10:00:00"), json!("2026-03-04")),
        ("date", json!("2026-03-04 23:59:59"), json!("2026-03-04")),
        ("date", json!("2026-03-04T10:00:00Z"), json!("2026-03-04")),
        ("date", json!("2026-03-04T10:00:00-05:00"), json!("2026-03-04")),
        ("datetime", json!("2026-03-04"), json!("2026-03-04 00:00:00")),
        ("datetime", json!("2026-03-04 10:00:00"), json!("2026-03-04 10:00:00")),
        ("datetime", json!("2026-03-04T10:00"), json!("2026-03-04 10:00:00")),
        ("datetime", json!("2026-03-04T10:00:00Z"), json!("2026-03-04 10:00:00")),
        ("datetime", json!("2026-03-04T10:00:00.987Z"), json!("2026-03-04 10:00:00")),
        ("datetime", json!("2026-03-04T01:30:00+02:00"), json!("2026-03-03 23:30:00")),
        ("datetime", json!("2026-03-04 10:00:00 -0530"), json!("2026-03-04 15:30:00")),
        ("datetime", json!("2026-03-04 10:00:00 UTC"), json!("2026-03-04 10:00:00")),
        ("selection", json!("delivery"), json!("delivery")),
        ("selection", json!("Delivery Address"), json!("delivery")),
        ("selection", json!(""), json!(false)),
        ("priority", json!(2), json!("2")),
        ("reference", json!("res.partner,7"), json!("res.partner,7")),
        ("json", json!({"a": [1]}), json!({"a": [1]})),
    ] {
        let got = convert(&of_type(kind), &value, Use::Write);
        assert_eq!(got.as_deref(), Ok(&expected), "{kind} {value}");
    }
}

#[test]
fn what_is_not_unambiguous_is_refused() {
    for (kind, value) in [
        ("boolean", json!("maybe")),
        ("boolean", json!(2)),
        ("integer", json!(3.7)),
        ("integer", json!("3.7")),
        ("integer", json!(99_999_999_999_i64)),
        ("integer", json!("2147483648")),
        ("integer", json!(1e300)),
        ("integer", json!(true)),
        ("float", json!("12,50")),
        ("float", json!("1_000")),
        ("float", json!("nan")),
        ("float", json!("Infinity")),
        ("float", json!("1e999")),
        ("float", json!("- 5")),
        ("float", json!("--5")),
        ("float", json!("-")),
        ("float", json!(true)),
        ("monetary", json!("€ 5")),
        ("char", json!(true)),
        ("char", json!("a\0b")),
        ("code", json!("BEL")),
        ("code", json!(123)),
        ("html", json!(5)),
        ("html", json!("\0")),
        ("date", json!("04/03/2026")),
        ("date", json!("2026-02-30")),
        ("date", json!("0026-02-03")),
        ("date", json!("20260304")),
        ("date", json!("2026-03-04T23:30:00-05:00")),
        ("date", json!(20_260_304)),
        ("datetime", json!(1_772_618_400)),
        ("datetime", json!("1772618400")),
        ("datetime", json!("2026-03-04T10:00:00[Europe/Brussels]")),
        ("datetime", json!("2026-03-04 25:00:00")),
        ("datetime", json!("tomorrow")),
        ("selection", json!("nowhere")),
        ("selection", json!("Same")),
        ("selection", json!(true)),
        ("priority", json!(3)),
        ("reference", json!(7)),
        ("reference", json!("res.partner")),
        ("reference", json!("res.partner,x")),
        ("binary", json!(5)),
        ("json", json!({"a": ["\0"]})),
    ] {
        assert!(convert(&of_type(kind), &value, Use::Write).is_err(), "{kind} {value}");
    }
}

#[test]
fn a_refusal_names_the_type_and_the_choices() {
    let refusal =
        |kind: &str, value: Value| converted(&of_type(kind), &value, Use::Write, "payload.f").unwrap_err().to_string();
    assert_eq!(refusal("float", json!("12,50")), "`payload.f` must be a number such as 12.50, not \"12,50\"");
    assert_eq!(
        refusal("priority", json!("9")),
        "`payload.f` is \"9\", which is no choice of this field; the choices are: \"1\" (Low), \"2\" (High)"
    );
    assert!(refusal("date", json!("2026-03-04T23:30:00-05:00")).contains("the 2026-03-05 in UTC"));
}

#[test]
fn a_condition_may_compare_with_what_could_not_be_written() {
    for (kind, value) in [
        ("integer", json!(3.5)),
        ("char", json!("")),
        ("selection", json!("gone")),
        ("reference", json!("res.partner")),
        ("code", json!("BEL")),
    ] {
        assert_eq!(convert(&of_type(kind), &value, Use::Compare).as_deref(), Ok(&value), "{kind} {value}");
    }
}

#[test]
fn an_id_is_a_whole_number_in_any_form() {
    for (value, expected) in [
        (json!(20), Some(20)),
        (json!(20.0), Some(20)),
        (json!("20"), Some(20)),
        (json!("20.0"), None),
        (json!(20.5), None),
        (json!(-1), None),
        (json!(0), None),
        (json!("x"), None),
        (json!(true), None),
        (json!(99_999_999_999_i64), None),
    ] {
        assert_eq!(id(&value), expected, "{value}");
    }
}

#[test]
fn a_key_is_empty_where_it_could_stand_for_a_missing_value() {
    for empty in
        [json!(null), json!(""), json!(" "), json!([]), json!({}), json!([""]), json!(["a", null]), json!([[]])]
    {
        assert!(is_empty_key(&empty), "{empty}");
    }
    for key in [json!(false), json!(0), json!("a"), json!(["a", false]), json!({"a": ""})] {
        assert!(!is_empty_key(&key), "{key}");
    }
}
