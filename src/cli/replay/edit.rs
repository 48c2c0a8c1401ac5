//! A payload that a person changes before it is sent again.

use std::{env, fs, io::Write, path::Path, process::Command};

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// The model and `vals` that are to be sent: from the file, or from the editor, which opens with those of the call.
pub(super) fn edited(file: Option<&Path>, model: String, vals: Value) -> anyhow::Result<(String, Value)> {
    let text = match file {
        Some(file) => fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?,
        None => return in_editor(model, vals),
    };
    let given: Value = serde_json::from_str(&text).context("what was given is no JSON")?;
    taken(given, model, vals)
}

/// A whole body, its `vals`, or the payload in them: told apart by their keys, as the interface names them.
fn taken(mut given: Value, model: String, mut vals: Value) -> anyhow::Result<(String, Value)> {
    if given["params"].is_object() {
        given = given["params"].take();
    }
    let Some(entries) = given.as_object() else { bail!("what was given is no JSON object") };
    if entries.get("vals").is_some_and(Value::is_object) {
        let model = entries.get("model").and_then(Value::as_str).map_or(model, str::to_owned);
        return Ok((model, given["vals"].take()));
    }
    if ["payload", "search_key"].iter().any(|key| entries.contains_key(*key)) {
        return Ok((model, given));
    }
    vals["payload"] = given;
    Ok((model, vals))
}

fn in_editor(model: String, vals: Value) -> anyhow::Result<(String, Value)> {
    let before = serde_json::to_string_pretty(&json!({"model": model, "vals": vals}))?;
    let mut file = tempfile::Builder::new().prefix("odoo-gateway-").suffix(".json").tempfile()?;
    file.write_all(before.as_bytes())?;
    let editor = env::var("VISUAL").or_else(|_| env::var("EDITOR")).unwrap_or_else(|_| "vi".to_owned());
    // As git does it: the variable may have arguments in it.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file.path()).status();
    let status = status.with_context(|| format!("cannot run the editor `{editor}`"))?;
    if !status.success() {
        bail!("the editor `{editor}` failed, so nothing was sent");
    }
    // Many editors write a new file in the place of the old one.
    let text = fs::read_to_string(file.path()).context("cannot read what was edited")?;
    if text.trim_end() == before {
        bail!("nothing was changed in the editor, so nothing was sent");
    }
    let edited = serde_json::from_str(&text).map_err(anyhow::Error::from).and_then(|given| taken(given, model, vals));
    edited.or_else(|error| {
        let (_, kept) = file.keep()?;
        Err(error.context(format!("what was edited cannot be sent; it is in `{}`, for --edit FILE", kept.display())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: Value, expected: (&str, Value)) {
        let vals = json!({"payload": {"name": "old"}, "result_field": ["name"]});
        let (model, vals) = taken(given, "res.partner".to_owned(), vals).unwrap();
        assert_eq!((model.as_str(), vals), expected);
    }

    #[test]
    fn a_body_its_vals_or_the_payload_alone_may_be_given() {
        let vals = json!({"payload": {"name": "new"}});
        check(json!({"params": {"model": "m", "vals": vals}}), ("m", vals.clone()));
        check(json!({"vals": vals}), ("res.partner", vals.clone()));
        check(vals.clone(), ("res.partner", vals));
        let whole = json!({"payload": {"name": "new"}, "result_field": ["name"]});
        check(json!({"name": "new"}), ("res.partner", whole));
        assert!(taken(json!([1]), "m".to_owned(), json!({})).is_err());
    }
}
