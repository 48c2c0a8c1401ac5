//! Modules, and mistakes when a filter is loaded.

use super::*;

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
