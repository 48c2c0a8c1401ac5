//! `odoo-gateway hook new`: what it writes works at once, and it changes nothing that is there.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use super::signing;
use crate::support::{
    gateway::{PROGRAM, configuration, run_in},
    odoo::{Odoo, odoo},
};

fn folder(odoo: &Odoo) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("# ours\n{}", configuration(&odoo.url, &odoo.database, "retries = 1 # no more"));
    fs::write(folder.path().join("gateway.toml"), &text).unwrap();
    (folder, text)
}

fn new(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    run_in(folder, &[&["hook", "new"], args].concat())
}

fn presets(folder: &Path) -> Vec<String> {
    let (status, out, _) = new(folder, &[]);
    assert_eq!(status, Some(0));
    let (named, purposes): (Vec<_>, Vec<_>) =
        out.lines().map(|line| line.split_once(' ').unwrap()).map(|(name, purpose)| (name.to_owned(), purpose)).unzip();
    assert!(purposes.iter().all(|purpose| purpose.contains(" become")), "{out}");
    named
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut files: Vec<_> = entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// A shell where the program is found, with all secrets in its environment.
fn shell(odoo: &Odoo, folder: &Path, names: &[String], line: &str) -> (Option<i32>, String, String) {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(folder);
    let programs = Path::new(PROGRAM).parent().unwrap().display();
    shell.env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap())).env("MOLLIE_API_KEY", "live_x");
    for name in names {
        let upper = name.to_ascii_uppercase();
        shell.env(format!("{upper}_SECRET"), signing::secret(name)).env(format!("{upper}_ODOO_KEY"), &odoo.key);
    }
    let run = shell.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (run.status.code(), text(&run.stdout), text(&run.stderr))
}

#[tokio::test]
async fn every_preset_passes_check_and_the_commands_that_are_named_work() {
    let odoo = odoo().await;
    let (folder, before) = folder(odoo);
    let folder = folder.path();
    let names = presets(folder);
    assert_eq!(names.len(), 21, "{names:?}");
    let mut commands = Vec::new();
    for name in &names {
        let (status, out, said) = new(folder, &[name, "--login", &odoo.login]);
        assert_eq!(status, Some(0), "{name}: {said}");
        let upper = name.to_ascii_uppercase();
        assert!(out.contains(&format!("https://GATEWAY/hooks/{name}")) || name == "postmark", "{out}");
        assert!(out.contains(&format!("{upper}_SECRET")) && out.contains(&format!("{upper}_ODOO_KEY")), "{out}");
        let named: Vec<_> = out.lines().filter_map(|line| line.strip_prefix("    odoo-gateway ")).collect();
        assert!(
            matches!(&named[..], [check, test] if check.starts_with("check") && test.starts_with("hook test")),
            "{out}"
        );
        commands.push((name, format!("odoo-gateway {}", named[1])));
    }
    fs::write(folder.join("xero.token"), "token").unwrap();
    let text = fs::read_to_string(folder.join("gateway.toml")).unwrap();
    assert!(text.starts_with(before.trim_end()), "{text}");

    let (status, out, said) = shell(odoo, folder, &names, "odoo-gateway check --config gateway.toml");
    assert_eq!(status, Some(0), "{out}{said}");
    // Of two, what is to be fetched stands at their senders.
    for (name, command) in commands.iter().filter(|(name, _)| !matches!(&***name, "mollie" | "xero")) {
        let (_, out, said) = shell(odoo, folder, &names, command);
        // As it is published, Stripe's payment is for nothing that Odoo knows.
        let due = if *name == "stripe" { "ignored" } else { "\"payload\"" };
        assert!(out.contains(due), "{command}: {out}{said}");
    }
}

#[tokio::test]
async fn what_is_there_is_not_overwritten_and_a_second_one_has_another_name() {
    let odoo = odoo().await;
    let (folder, _) = folder(odoo);
    let folder = folder.path();
    assert_eq!(new(folder, &["xero"]).0, Some(0));
    let before = files(folder);
    for (args, why) in [
        (&["xero"][..], "--client gives this one another name"),
        (&["xero", "--client", "second", "--path", "/hooks/xero"], "--path gives this one another"),
        (&["shop"], "there is no preset `shop`"),
        (&["slack", "--path", "/hooks/a b"], "must be /hooks/ and segments"),
        (&["slack", "--client", ""], "is not changed"),
    ] {
        let (status, _, said) = new(folder, args);
        assert!(status == Some(1) && said.contains(why), "{args:?}: {said}");
        assert_eq!(files(folder), before, "{args:?}");
    }
    fs::write(folder.join("mine.jq"), ".").unwrap();
    let (status, _, said) = new(folder, &["slack", "--path", "mine"]);
    assert!(status == Some(1) && said.contains("is it there already?"), "{said}");
    assert_eq!(fs::read_to_string(folder.join("mine.jq")).unwrap(), ".");

    let (status, out, said) =
        new(folder, &["xero", "--client", "books 2", "--path", "/hooks/books/second", "--login", "a@b.example"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(out.contains("https://GATEWAY/hooks/books/second") && out.contains("BOOKS_2_SECRET"), "{out}");
    let text = fs::read_to_string(folder.join("gateway.toml")).unwrap();
    for line in [
        "name = \"books 2\"",
        "client = \"books 2\"",
        "odoo_login = \"a@b.example\"",
        "odoo_key_env = \"BOOKS_2_ODOO_KEY\"",
        "secret_env = \"BOOKS_2_SECRET\"",
        "path = \"/hooks/books/second\"",
        "template = \"books-second.jq\"",
        "secret_file = \"books-second.token\"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
