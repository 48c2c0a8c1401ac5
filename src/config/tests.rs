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
    assert!(
        refusal.starts_with("gateway.toml:4:1: unknown key `databse` in [upstream]; did you mean `database`?"),
        "{refusal}"
    );
}

#[test]
fn an_unknown_section_is_named() {
    assert!(refusal(&format!("{LEAST}[sever]\n")).contains("unknown section [sever]; did you mean [server]?"));
}

#[test]
fn a_missing_database_is_named() {
    assert!(
        refusal("[upstream]\nurl = \"http://odoo:8069\"\n")
            .contains("gateway.toml:1:1: [upstream] database is missing; it is the name")
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_line() {
    assert!(
        refusal(&format!("{LEAST}timeout = 3\n"))
            .starts_with("gateway.toml:4:11: [upstream] timeout: 3 has no unit; write \"150s\""),
        "{}",
        refusal(&format!("{LEAST}timeout = 3\n"))
    );
    assert!(
        refusal("[upstream]\nurl = \"odoo\"\ndatabase = \"x\"")
            .starts_with("gateway.toml:2:7: [upstream] url: `odoo` is no URL")
    );
}

#[test]
fn a_file_without_the_upstream_names_it() {
    let lacks = refusal("[server]\n");
    assert!(lacks.starts_with("gateway.toml:1:1: [upstream] url is missing; it is the address of Odoo"), "{lacks}");
    assert!(lacks.contains("\ngateway.toml:1:1: [upstream] database is missing"), "{lacks}");
    assert!(refusal(&LEAST.replace("shop", "")).contains("[upstream] database must not be empty"));
    assert!(refusal(&format!("{LEAST}timeout = \"0s\"")).contains("[upstream] timeout must be longer than nothing"));
    let ages = format!("{LEAST}[limits]\ncall_timeout = \"100000000000h\"");
    assert!(refusal(&ages).contains("[limits] call_timeout must not be longer than a day"), "{}", refusal(&ages));
    assert!(refusal(&format!("{LEAST}retry_budget = 2.0")).contains("retry_budget must be between 0 and 1"));
}

#[test]
fn what_is_no_toml_is_named_with_its_line() {
    assert!(refusal("[upstream]\nurl = \n").starts_with("gateway.toml:2:"));
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

#[test]
fn all_mistakes_of_a_file_are_told_at_once_with_their_places() {
    let told = refusal(include_str!("tests/mistaken.toml"));
    assert_eq!(told, include_str!("tests/mistaken.txt").trim_end(), "{told}");
}

#[test]
fn a_mistake_brings_no_others_along() {
    for (text, due) in [
        // The section is read under the name that was meant.
        (
            LEAST.replace("upstream", "upstreem"),
            "gateway.toml:1:2: unknown section [upstreem]; did you mean [upstream]?",
        ),
        // A value that is not read is not compared.
        (
            format!("{LEAST}timeout = \"much\"\nconnect_timeout = \"200s\"\n"),
            "gateway.toml:4:11: [upstream] timeout: this is not a duration; write \"150s\" \
             (a number and its unit in quotes; units: ms, s, m, h)",
        ),
        // The hook's client is there.
        (
            format!(
                "{LEAST}[[client]]\nname = \"shop\"\nkey_sha256 = \"2c\"\nodoo_login = \"bot\"\nodoo_key_env = \"A\"\n\
                 [[hook]]\npath = \"/hooks/shop\"\nclient = \"shop\"\nroute = \"create_data\"\nmodel = \"a\"\n\
                 template = \"a.jq\"\n"
            ),
            "gateway.toml:6:14: [[client]] key_sha256: a SHA-256 has 64 hexadecimal digits; `odoo-gateway client new` prints one",
        ),
        (
            format!(
                "{LEAST}[client]\nname = \"shop\"\nsignature = {{ scheme = \"github\", secret_env = \"A\" }}\n\
                  odoo_login = \"bot\"\nodoo_key_env = \"B\"\n"
            ),
            "gateway.toml:4:1: [client] may be there several times; write it as [[client]]",
        ),
        (
            format!("[{LEAST}").replacen("[upstream]", "[upstream]]", 1),
            "gateway.toml:1:1: [[upstream]] may be there once alone; write it as [upstream]",
        ),
    ] {
        assert_eq!(refusal(&text), due, "{text}");
    }
}

#[test]
fn a_secret_in_the_file_is_not_repeated() {
    let entry = "[[client]]\nname = \"shop\"\nsignature = { scheme = \"github\", secret = \"c0ffee1\" }\n\
                 odoo_login = \"bot\"\nodoo_key = \"c0ffee2\"\n[cluster]\nurl = 3\n";
    let error = Config::parse(&format!("{LEAST}{entry}"), Path::new("gateway.toml")).unwrap_err();
    assert!(
        error.to_string().contains("secrets do not stand in this file: give `odoo_key_env` or `odoo_key_file`"),
        "{error}"
    );
    assert!(!format!("{error:?}{error}").contains("c0ffee"), "{error:?}");
}

#[test]
fn a_file_of_mistakes_alone_has_an_end() {
    let keys: String = (0..200).map(|number| format!("x{number} = {number}\n")).collect();
    let told = refusal(&format!("{LEAST}{keys}"));
    assert_eq!(told.lines().count(), 51, "{told}");
    assert!(told.ends_with("gateway.toml: there may be more mistakes"), "{told}");
}
