//! What commands write into the configuration file.

use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, fchown},
    path::Path,
};

use anyhow::Context;

use crate::config::Config;

/// So much of a client's name goes into that of its variables.
const VARIABLE: usize = 20;

/// Puts the text in the place of the file, whole or not at all: a gateway may read the file at any moment. A link stays one.
///
/// # Errors
/// The file cannot be replaced, or the text is no configuration.
pub(super) fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let path = fs::canonicalize(path)?;
    let mut file = tempfile::NamedTempFile::new_in(path.parent().context("it is in no folder")?)?;
    file.write_all(text.as_bytes())?;
    Config::load(file.path())?;
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
