//! What commands write into the configuration file.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::Path,
};

use anyhow::{Context, anyhow, bail, ensure};

use crate::config::Config;

/// So much of a client's name goes into that of its variables.
const VARIABLE: usize = 20;
/// The longest name of a client or a person.
const LONGEST_NAME: usize = 64;

/// Whether a name is good for a new entry: it stands in lines of the log, in addresses of the console and in labels of metrics.
///
/// # Errors
/// It is not. The message says what a name may be.
pub(super) fn check_name(name: &str) -> anyhow::Result<()> {
    ensure!(!name.is_empty(), "the name is empty");
    ensure!(
        name.chars().count() <= LONGEST_NAME,
        "the name is longer than the {LONGEST_NAME} characters that it may have"
    );
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let wrong = name.chars().find(|c| !is_plain(*c));
    if let Some(wrong) = wrong {
        bail!("the name has {wrong:?} in it; it may have the letters a to z, digits, and - _ . such as `webshop-2`");
    }
    ensure!(name.starts_with(|first: char| first.is_ascii_alphanumeric()), "a name begins with a letter or a digit");
    Ok(())
}

/// Writes a secret into a new file, which only its owner can read.
///
/// # Errors
/// The file is there already, or cannot be written.
pub(super) fn keep(path: &Path, secret: &str) -> anyhow::Result<()> {
    let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow!("`{}` is there already and is not overwritten", path.display()),
        _ => anyhow::Error::new(error).context(format!("cannot write `{}`", path.display())),
    })?;
    let written = file.write_all(format!("{secret}\n").as_bytes()).and_then(|()| file.sync_all());
    written.inspect_err(|_| drop(fs::remove_file(path))).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Puts an entry at the end of the configuration. What stands before it stays as it is.
///
/// # Errors
/// The entry does not fit into it, or the file cannot be replaced. Then nothing is changed.
pub(super) fn append(path: &Path, entry: &str) -> anyhow::Result<()> {
    let place = || format!("`{}` is not changed", path.display());
    let text = fs::read_to_string(path).with_context(place)?;
    replace(path, &format!("{}\n\n{entry}", text.trim_end())).with_context(place)
}

/// Puts the text in the place of the file, whole or not at all: a gateway may read the file at any moment. A link stays one.
///
/// # Errors
/// The file cannot be replaced, or the text is no configuration.
pub(super) fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let path = fs::canonicalize(path)?;
    Config::parse(text, &path)?;
    let mut file = tempfile::NamedTempFile::new_in(path.parent().context("it is in no folder")?)?;
    file.write_all(text.as_bytes())?;
    // The users who read the file now must be able to read it then: a gateway that cannot keeps its old configuration.
    let before = fs::metadata(&path)?;
    file.as_file().set_permissions(before.permissions())?;
    fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

/// The name of a client as a part of that of an environment variable.
pub(super) fn variable(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = name.chars().take(VARIABLE).map(letter).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_name_has_the_characters_that_it_may_have_everywhere() {
        for good in ["webshop", "Shop-2", "a.b_c", "7"] {
            check_name(good).unwrap();
        }
        for (bad, why) in [
            ("", "is empty"),
            ("web shop", "' '"),
            ("caf\u{e9}", "'\u{e9}'"),
            ("a/b", "'/'"),
            ("-x", "begins with a letter"),
            ("a\n", "'\\n'"),
            (&*"x".repeat(65), "64 characters"),
        ] {
            let said = check_name(bad).unwrap_err().to_string();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }

    #[test]
    fn a_secret_is_kept_in_a_new_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("webshop.key");
        keep(&path, "gw_1").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(keep(&path, "gw_2").unwrap_err().to_string().contains("is there already"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "gw_1\n");
    }

    #[test]
    fn an_entry_is_added_behind_what_is_there_or_nothing_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        let text = "# mine\n[upstream]\nurl = \"http://127.0.0.1:9\" # here\ndatabase = \"d\"\n";
        fs::write(&path, text).unwrap();
        append(&path, "[log]\ndirectory = \"x\"\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{text}\n[log]\ndirectory = \"x\"\n"));
        assert!(append(&path, "[lag]\n").unwrap_err().to_string().contains("is not changed"));
    }
}
