use std::{collections::HashMap, sync::Arc};

use serde_json::json;

use super::*;
use crate::odoo::Schema;

fn redaction() -> Redaction {
    let patterns = ["*passw*", "*token*", "*.vat", "bank_ids.acc_*", "pin", "ir.config_parameter:value"];
    Redaction::new(&patterns.map(str::to_owned))
}

#[track_caller]
fn check(value: Value, expected: Value) {
    check_on("res.partner", value, expected);
}

#[track_caller]
fn check_on(model: &str, mut value: Value, expected: Value) {
    redaction().hide_vals(model, &mut value, &mut Secrets::default());
    assert_eq!(value, expected);
}

#[test]
fn secrets_are_hidden_at_any_depth_by_their_key_in_any_case() {
    check(
        json!({"name": "a", "New_Password": "x", "lines": [{"access_token": {"deep": 1}, "ref": "r"}], "password": false}),
        json!({"name": "a", "New_Password": "***", "lines": [{"access_token": "***", "ref": "r"}], "password": false}),
    );
}

#[test]
fn secrets_are_hidden_by_the_path_that_leads_to_them() {
    check(
        json!({"vat": "top", "payload": {"vat": "BE1", "pin": 1234, "pinned": 1, "bank_ids": [[0, 0, {"acc_number": "BE2"}]], "acc_number": "x"}}),
        json!({"vat": "top", "payload": {"vat": "***", "pin": "***", "pinned": 1, "bank_ids": [[0, 0, {"acc_number": "***"}]], "acc_number": "x"}}),
    );
    check(json!({"domain": [["parent_id.vat", "=", "BE1"]]}), json!({"domain": [["parent_id.vat", "=", "***"]]}));
    check(json!({"search_key": {"parent_id.vat": "BE1"}}), json!({"search_key": {"parent_id.vat": "***"}}));
}

#[test]
fn what_merely_reads_like_a_secret_is_left_in_its_place() {
    let payload = json!({"name": "Azure", "method": "unlink", "my_token": "***", "note": "by Azure, unlink"});
    check(
        json!({"payload": {"name": "Azure", "method": "unlink", "my_token": ["Azure", "unlink", "name"], "note": "by Azure, unlink"}}),
        json!({"payload": payload}),
    );
}

#[test]
fn the_ids_under_a_secret_key_are_no_secret() {
    check(
        json!({"payload": {"token_id": 7, "token_ids": [[6, 0, [1, 2]], [0, 0, {"name": "x", "sequence": 3}]], "pin": 1234}}),
        json!({"payload": {"token_id": 7, "token_ids": [[6, 0, [1, 2]], [0, 0, {"name": "***", "sequence": 3}]], "pin": "***"}}),
    );
    check(
        json!({"payload": {"token_id": {"code": "c"}, "my_token_id": "text"}}),
        json!({"payload": {"token_id": {"code": "***"}, "my_token_id": "***"}}),
    );
}

#[test]
fn a_pattern_may_be_for_one_model() {
    let vals = json!({"payload": {"key": "a.b", "value": "v", "search_domain": "[('value', '=', 'v')]"}});
    check(vals.clone(), vals.clone());
    let hidden = json!({"payload": {"key": "a.b", "value": "***", "search_domain": "***"}});
    check_on("ir.config_parameter", vals, hidden);
    let mut call = json!({"model": "ir.config_parameter", "method": "create", "args": {"vals_list": [{"key": "k", "value": "v"}]}});
    redaction().hide_call(&mut call, &mut Secrets::default());
    let hidden = json!({"model": "ir.config_parameter", "method": "create", "args": {"vals_list": [{"key": "k", "value": "***"}]}});
    assert_eq!(call, hidden);
}

#[test]
fn the_parameters_of_a_call_are_never_hidden_as_a_whole() {
    let mut vals = json!({"search_key": {"name": "n", "api_key": "k"}, "payload": {"name": "n"}, "a_key": "x"});
    Redaction::new(&["*key".to_owned(), "pay*".to_owned()]).hide_vals("m", &mut vals, &mut Secrets::default());
    assert_eq!(vals, json!({"search_key": {"name": "n", "api_key": "***"}, "payload": {"name": "n"}, "a_key": "***"}));
}

#[test]
fn secrets_are_hidden_in_domains() {
    check(
        json!({"domain": [["access_token", "=", "S3cret"], ["name", "=", "n"]]}),
        json!({"domain": [["access_token", "=", "***"], ["name", "=", "n"]]}),
    );
    for (domain, is_hidden) in [
        ("[('access_token', '=', 'S')]", true),
        ("['|', ('name', '=', 'a'), ('partner_id.vat', 'not any', ['S'])]", true),
        // What the caller says beside is nothing to hide.
        ("[('name', '=', 'my access_token')]", false),
        ("[('name', '=', 'a'), ('ref', 'ilike', 'password')]", false),
        // Half a domain.
        ("[('access_token', '=', 'S'", true),
    ] {
        let expected = if is_hidden { "***" } else { domain };
        check(json!({"payload": {"search_domain": domain}}), json!({"payload": {"search_domain": expected}}));
    }
}

#[test]
fn a_list_of_texts_is_no_condition() {
    check(json!({"fields": ["access_token", "name", "email"]}), json!({"fields": ["access_token", "name", "email"]}));
}

#[test]
fn of_a_plan_and_of_calls_the_values_alone_are_hidden() {
    let mut secrets = Secrets::default();
    let mut vals =
        json!({"payload": {"bank_ids": [{"acc_number": "BE12 3456"}], "x_token": ["create", "res.partner.bank"]}});
    redaction().hide_vals("res.partner", &mut vals, &mut secrets);
    let call = |args: Value| json!({"model": "res.partner.bank", "method": "create", "ids": [7], "args": args});
    // It stands at another path there, but under its key.
    let mut plan = json!({
        "lookups": [
            {"model": "res.partner.bank", "field": "acc_number", "value": "BE12 3456", "ids": []},
            {"model": "res.users", "field": "password", "value": "x", "ids": [1]},
            {"model": "res.partner", "field": "name", "value": "BE12 3456", "ids": [1]},
        ],
        "calls": [call(json!({"domain": [["acc_number", "in", ["BE12 3456", "other"]]], "value": "create", "field": "x_token"}))],
    });
    redaction().hide_plan(&mut plan, &mut secrets);
    assert_eq!(
        plan,
        json!({
            "lookups": [
                {"model": "res.partner.bank", "field": "acc_number", "value": "***", "ids": []},
                {"model": "res.users", "field": "password", "value": "***", "ids": [1]},
                {"model": "res.partner", "field": "name", "value": "BE12 3456", "ids": [1]},
            ],
            "calls": [call(json!({"domain": [["acc_number", "in", ["***", "other"]]], "value": "create", "field": "x_token"}))],
        })
    );
    let long = "x".repeat(300);
    redaction().hide_vals("m", &mut json!({"payload": {"bank_ids": {"acc_id": long}}}), &mut secrets);
    let mut shown = call(json!({"vals": {"acc_id": format!("{}… (300 bytes)", &long[..200]), "ref": long}}));
    redaction().hide_call(&mut shown, &mut secrets);
    assert_eq!(shown, call(json!({"vals": {"acc_id": "***", "ref": long}})));
}

#[test]
fn sentences_are_without_what_stood_under_a_field_and_keep_every_name() {
    let mut secrets = Secrets::default();
    let vals = json!({"payload": {
        "password": "hunter22", "access_token": "res.partner", "pin": "1234", "x_token": ["found no match", "ordinary"],
        "token_id": {"code": "name"}, "new_password": "part",
    }});
    redaction().hide_vals("res.users", &mut vals.clone(), &mut secrets);
    let sentence =
        "`res.partner(1234,)` has no field `name`: hunter22, '1234x', part of partner_id, found no match, ordinary";
    let said = |secrets: &Secrets| {
        let mut said = json!(sentence);
        secrets.sentences().mask(&mut said);
        said
    };
    // Nothing is known to be a field.
    assert_eq!(said(&secrets), sentence);
    let fields = ["password", "access_token", "pin", "token_id", "new_password", "name", "partner_id"];
    let fields = fields.map(|name| (name.to_owned(), json!({"type": "char"})));
    secrets.note_fields(vec![Arc::new(Schema::new("res.users", HashMap::from(fields)))]);
    secrets.note_name("res.partner");
    secrets.note_name("1234");
    assert_eq!(
        said(&secrets),
        "`res.partner(1234,)` has no field `name`: ***, '***x', *** of partner_id, found no match, ordinary"
    );
    // The sender's own words, in the error of a template.
    secrets.note_sender();
    assert!(said(&secrets).as_str().unwrap().ends_with("partner_id, ***, ***"));
}

#[test]
fn a_credential_is_in_no_sentence_and_a_secret_is_hidden_to_its_end() {
    let mut secrets = Secrets::default();
    secrets.note_credential("correct horse".into());
    redaction().hide_vals("m", &mut json!({"payload": {"a_token": "abcd", "b_token": "abcdef"}}), &mut secrets);
    secrets.note_sender();
    let mut said = json!("abcdef abcd abc: correct horse");
    secrets.sentences().mask(&mut said);
    assert_eq!(said, "*** *** abc: ***");
    assert!(!format!("{secrets:?}").contains("abcd"));
}

#[test]
fn a_great_many_secrets_are_hidden_in_a_moment_and_told_in_short() {
    let rows: Vec<Value> = (0..50_000).map(|n| json!({"access_token": format!("token-{n}"), "name": "x"})).collect();
    let mut value = json!({"payload": rows});
    let mut secrets = Secrets::default();
    redaction().hide_vals("m", &mut value, &mut secrets);
    assert_eq!(value["payload"][49_999], json!({"access_token": "***", "name": "x"}));
    let mut shown = json!({"model": "m", "args": {"acc": rows, "vals_list": (0..50_000).map(|n| format!("see token-{n}.")).collect::<Vec<_>>()}});
    redaction().hide_call(&mut shown, &mut secrets);
    assert_eq!(shown["args"]["vals_list"][49_999], "see token-49999.");
    secrets.note_sender();
    let mut said = json!((0..50_000).map(|n| format!("see token-{n}.")).collect::<String>());
    secrets.sentences().mask(&mut said);
    assert_eq!(said, "see ***.".repeat(50_000));
    let mut wide =
        json!({"k".repeat(100_000): (0..1_000).map(|n| json!({format!("token{n}"): 1})).collect::<Vec<_>>()});
    redaction().hide_vals("m", &mut wide, &mut secrets);
    assert!(secrets.paths.len() <= 101 && secrets.paths.iter().all(|path| path.len() < 200));
}

#[test]
fn a_star_stands_for_any_run_of_characters_in_one_key() {
    for (key, pattern, expected) in [
        ("vat", "vat", true),
        ("my_vat", "*vat", true),
        ("vats", "*vat", false),
        ("a", "*", true),
        ("é_x", "*_*", true),
        ("", "*", true),
    ] {
        assert_eq!(is_match(key, pattern), expected, "{key} {pattern}");
    }
}

#[test]
fn what_a_lookup_was_for_is_hidden_where_its_key_is_secret() {
    let redaction = Redaction::new(&["*token*".to_owned(), "shop.account:code".to_owned()]);
    let looked_up = |model: &str, key: &str, value: &str| json!({"code": "no_match", "model": model, "key": {key: value}, "value": value});
    let no_match = |model: &str, key: &str| looked_up(model, key, "hush-hush");
    let listed =
        [no_match("shop.account", "code"), looked_up("res.country", "code", "BE"), no_match("res.users", "api_token")];
    let mut error = no_match("shop.account", "code");
    error["errors"] = json!(listed);
    let mut answer = json!({"is_success": false, "messages": "m", "error": error});
    redaction.hide_answer("res.partner", &mut answer, &mut Secrets::default());
    let told = |mistake: &Value| {
        (mistake["key"].as_object().unwrap().values().next().unwrap().clone(), mistake["value"].clone())
    };
    let hidden = (json!(HIDDEN), json!(HIDDEN));
    let error = &answer["error"];
    assert_eq!(told(error), hidden);
    let listed: Vec<_> = error["errors"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(listed, [hidden.clone(), (json!("BE"), json!("BE")), hidden.clone()]);
    // Of a list, each record has an answer of its own.
    let record = json!({"is_success": false, "messages": "m", "error": no_match("res.users", "api_token")});
    let mut answer = json!({"is_success": false, "result": [record]});
    redaction.hide_answer("res.partner", &mut answer, &mut Secrets::default());
    assert_eq!(told(&answer["result"][0]["error"]), hidden);
}
