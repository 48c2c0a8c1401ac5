//! `message_post` through `call_function`: its files and its HTML, alike for all versions.
//!
//! Odoo takes the content of `attachments` as bytes, which no protocol of its own carries: a text in base64 would become the
//! content of the file as it stands (14-19). So the files are created before, with their content decoded, and their ids are
//! passed. They belong to `mail.compose.message` until Odoo ties them to the message's record, as it does with the files of its
//! web client.
//!
//! A body is HTML before Odoo 17, and text from 17 on unless `body_is_html` says otherwise. Where the caller says which it is, it
//! is that for every version; where it does not, Odoo's version decides.

use serde_json::{Map, Value, json};

use super::vals::flag;
use crate::{
    config::Compat,
    odoo::Caller,
    plan::{
        Error, Warnings,
        error::Mistakes,
        lookup::{Filter, Questions},
        read::Reader,
        schema_view::with_schemas,
        wording::wrong,
    },
};

/// The method of Odoo's mail threads.
pub(super) const METHOD: &str = "message_post";
/// The first version whose `message_post` has `body_is_html`, and takes a body for text without it.
const BODY_IS_TEXT: u16 = 17;
/// The owner of files that are not attached to a record yet.
const PENDING: &str = "mail.compose.message";
const FILES: &str = "payload.parameter.attachments";

/// Reads the files out of the arguments, as values of new attachments, and settles the body.
///
/// # Errors
/// A file is not of its form, or the policy does not let the caller create files.
pub(super) async fn read(
    caller: &Caller,
    compat: &Compat,
    arguments: &mut Map<String, Value>,
    warnings: &mut Warnings,
) -> Result<Vec<Value>, Error> {
    settle_body(caller, arguments).await?;
    let files = match arguments.shift_remove("attachments") {
        None | Some(Value::Null | Value::Bool(false)) => return Ok(Vec::new()),
        Some(Value::Array(files)) => files.into_iter().enumerate().map(as_object).collect::<Result<Value, _>>()?,
        Some(other) => return Err(wrong(FILES, "a list of files", &other)),
    };
    if !matches!(arguments.get("attachment_ids"), None | Some(Value::Null | Value::Bool(false) | Value::Array(_))) {
        return Err(wrong("payload.parameter.attachment_ids", "a list of ids", &arguments["attachment_ids"]));
    }
    let (files, noted) = with_schemas(caller, |schemas| {
        let (mut noted, mut mistakes) = (warnings.anew(), Mistakes::default());
        let (filter, questions) = (Filter::of(compat), Questions::default());
        let mut reader = Reader { schemas, filter, questions, warnings: &mut noted, mistakes: &mut mistakes };
        let files = reader.files(&files, FILES);
        Ok((mistakes.and(files)?, noted))
    })
    .await?;
    warnings.extend(noted);
    let pending = [("res_model".to_owned(), json!(PENDING)), ("res_id".to_owned(), json!(0))];
    let values = |values: Map<String, Value>| Value::Object(values.into_iter().chain(pending.clone()).collect());
    Ok(files.into_iter().map(|file| values(file.values())).collect())
}

/// A file in the form of `attachment_ids`; Odoo's own is a pair of name and content.
fn as_object((number, file): (usize, Value)) -> Result<Value, Error> {
    match file {
        Value::Object(_) => Ok(file),
        Value::Array(pair) if pair.len() == 2 => Ok(json!({"name": pair[0], "datas": pair[1]})),
        other => {
            Err(wrong(format!("{FILES}[{number}]"), "[name, content in base64] or {\"name\": …, \"datas\": …}", &other))
        }
    }
}

async fn settle_body(caller: &Caller, arguments: &mut Map<String, Value>) -> Result<(), Error> {
    let said = flag(arguments, "body_is_html")
        .map_err(|_| wrong("payload.parameter.body_is_html", "true or false", &arguments["body_is_html"]))?;
    let Some(is_html) = said else { return Ok(()) };
    if caller.version().await? >= BODY_IS_TEXT {
        return Ok(());
    }
    arguments.shift_remove("body_is_html");
    if let (false, Some(Value::String(body))) = (is_html, arguments.get_mut("body")) {
        *body = escaped(body);
    }
    Ok(())
}

/// A text as HTML, with its lines.
fn escaped(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;");
    escaped.replace('\n', "<br/>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_pair_or_an_object() {
        let file = json!({"name": "a.txt", "datas": "QQ=="});
        assert_eq!(as_object((0, json!(["a.txt", "QQ=="]))).unwrap(), file);
        assert_eq!(as_object((0, file.clone())).unwrap(), file);
        let refused = as_object((1, json!(["a.txt", "QQ==", {"cid": "x"}]))).unwrap_err();
        assert_eq!(refused.path(), Some("payload.parameter.attachments[1]"));
    }

    #[test]
    fn a_text_has_its_signs_and_lines_in_html() {
        assert_eq!(escaped("1 < 2 & \"x\"\n<b>"), "1 &lt; 2 &amp; &#34;x&#34;<br/>&lt;b&gt;");
    }
}
