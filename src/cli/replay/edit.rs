//! Editing a payload before it is sent again: from a file, or in an editor.

use std::{env, fs, io::Write, path::Path, process::Command};

use anyhow::{Context, bail};
use serde_json::json;

use crate::operations::replay::Draft;

/// Changes the draft by what the file has, or by what comes out of the editor, which opens with the draft.
pub(super) fn edit(file: Option<&Path>, draft: &mut Draft) -> anyhow::Result<()> {
    let Some(file) = file else { return in_editor(draft) };
    let text = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    Ok(draft.edit(serde_json::from_str(&text).context("what was given is no JSON")?)?)
}

fn in_editor(draft: &mut Draft) -> anyhow::Result<()> {
    let before = serde_json::to_string_pretty(&json!({"model": draft.model, "vals": draft.vals}))?;
    let mut file = tempfile::Builder::new().prefix("odoo-gateway-").suffix(".json").tempfile()?;
    file.write_all(before.as_bytes())?;
    let editor = env::var("VISUAL").or_else(|_| env::var("EDITOR")).unwrap_or_else(|_| "vi".to_owned());
    // As git does it: the variable may contain arguments.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file.path()).status();
    let status = status.with_context(|| format!("cannot run the editor `{editor}`"))?;
    if !status.success() {
        bail!("the editor `{editor}` failed, so nothing was sent");
    }
    // Many editors replace the file by a new one.
    let text = fs::read_to_string(file.path()).context("cannot read what was edited")?;
    if text.trim_end() == before {
        bail!("nothing was changed in the editor, so nothing was sent");
    }
    let edited = serde_json::from_str(&text).map_err(anyhow::Error::from).and_then(|given| Ok(draft.edit(given)?));
    edited.or_else(|error| {
        let (_, kept) = file.keep()?;
        Err(error.context(format!("what was edited cannot be sent; it is in `{}`, for --edit FILE", kept.display())))
    })
}
