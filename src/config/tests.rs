//! What a configuration is read as, and what stops the start.

use super::*;

const LEAST: &str = "[upstream]\nurl = \"http://odoo:8069\"\ndatabase = \"shop\"\n";

fn refusal(text: &str) -> String {
    Config::parse(text, Path::new("gateway.toml")).unwrap_err().to_string()
}

#[test]
fn what_a_file_leaves_out_is_taken_from_the_defaults() {
    let config = Config::parse(LEAST, Path::new("gateway.toml")).unwrap();
    assert_eq!(config.upstream.url.as_str(), "http://odoo:8069/");
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.limits.body, ByteSize::mib(128));
}

#[test]
fn a_section_may_be_given_in_part() {
    let config = Config::parse(&format!("{LEAST}timeout = \"1m 30s\""), Path::new("gateway.toml")).unwrap();
    assert_eq!(config.upstream.timeout, Duration::from_secs(90));
    assert_eq!(config.upstream.connect_timeout, Duration::from_secs(5));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_known_ones() {
    let refusal = refusal(&format!("{LEAST}databse = \"x\"\n"));
    assert!(refusal.starts_with("gateway.toml:4: unknown field `databse`"), "{refusal}");
    assert!(refusal.contains("`database`"), "{refusal}");
}

#[test]
fn an_unknown_section_is_named() {
    assert!(refusal(&format!("{LEAST}[sever]\n")).contains("unknown field `sever`"));
}

#[test]
fn a_missing_database_is_named() {
    assert!(refusal("[upstream]\nurl = \"http://odoo:8069\"\n").contains("missing field `database`"));
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_line() {
    assert!(
        refusal(&format!("{LEAST}timeout = 3\n")).starts_with("gateway.toml:4: "),
        "{}",
        refusal(&format!("{LEAST}timeout = 3\n"))
    );
    assert!(refusal("[upstream]\nurl = \"odoo\"\ndatabase = \"x\"").starts_with("gateway.toml:2: `odoo` is no URL"));
}

#[test]
fn a_file_without_the_upstream_names_it() {
    assert_eq!(refusal("[server]\n"), "gateway.toml:1: missing field `url`");
    assert!(refusal(&LEAST.replace("shop", "")).contains("[upstream] database must not be empty"));
    assert!(refusal(&format!("{LEAST}timeout = \"0s\"")).contains("[upstream] timeout must be longer than nothing"));
    let ages = format!("{LEAST}[limits]\ncall_timeout = \"100000000000h\"");
    assert!(refusal(&ages).contains("[limits] call_timeout must not be longer than a day"), "{}", refusal(&ages));
    assert!(refusal(&format!("{LEAST}retry_budget = 2.0")).contains("retry_budget must be between 0 and 1"));
}

#[test]
fn what_is_no_toml_is_named_with_its_line() {
    assert!(refusal("[upstream]\nurl = \n").starts_with("gateway.toml:2: "));
}

#[test]
fn the_commented_example_has_every_default_as_it_is_compiled_in() {
    let example: toml::Table = toml::from_str(include_str!("../../gateway.toml")).unwrap();
    let mut compiled_in: toml::Table = toml::from_str(DEFAULTS).unwrap();
    let upstream = compiled_in["upstream"].as_table_mut().unwrap();
    for key in ["url", "database"] {
        assert_eq!(upstream.insert(key.to_owned(), example["upstream"][key].clone()), None, "{key} has a default");
    }
    assert_eq!(example, compiled_in);
}
