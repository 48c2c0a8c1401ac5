//! Files in a payload: `"attachment_ids": [{"name": "order.pdf", "datas": "<base64>"}]`, on a record or a line.
//!
//! They are checked before anything is written, since Odoo skips some characters that are not allowed in base64, and
//! would store another file than was sent.

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::{
    content::{self, Content, Remote, as_base64},
    form::{are_commands, are_files},
};
use crate::{
    odoo::{Field, Kept, Kind},
    plan::{Error, WarningCode, Warnings, attachment::MODEL, error::Mistakes, kind_of},
};

/// A file that is to be created: its name and its content in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) struct File {
    name: String,
    content: Content,
    path: String,
    /// The field for the content: `datas`, or `raw` where Odoo has no other.
    content_field: &'static str,
}

impl File {
    /// The values of the attachment, without the record it belongs to.
    pub(in crate::plan) fn values(self) -> Map<String, Value> {
        let content = (self.content_field.to_owned(), self.content.to_value());
        Map::from_iter([("name".to_owned(), json!(self.name)), content])
    }

    /// Where the content is to be fetched from.
    pub(in crate::plan) fn remote(&self) -> Option<Remote> {
        match &self.content {
            Content::Given(_) => None,
            Content::At(url) => Some(Remote { url: url.clone(), path: format!("{}.url", self.path) }),
        }
    }

    /// Puts in the content that was fetched.
    pub(in crate::plan) fn give(&mut self, base64: String) {
        self.content = Content::Given(base64);
    }
}

/// Whether files are created by themselves and attached to their record, since none of the record's fields takes them.
///
/// `field` is the field of the record's model that has their name. A one2many takes files where it is stored and its
/// inverse is the record's id; a computed one drops them silently (`project.task` in Odoo 14-19, models of `hr`). A
/// many2many takes files where it is stored, or is related to a stored one.
pub(super) fn are_standalone(field: Option<&Field>, value: &Value) -> bool {
    let Some(field) = field else { return true };
    match &field.kind {
        Kind::One2many(model) if model == MODEL => {
            !(are_commands(value) || field.is_stored && field.inverse.as_deref() == Some("res_id"))
        }
        Kind::Many2many(model) if model == MODEL => {
            are_files(value) && !field.is_stored && (field.related.is_none() || field.kept != Kept::Yes)
        }
        _ => false,
    }
}

/// Reads the files at `path`, whose content goes into `content_field`; none where the value is empty.
///
/// # Errors
/// A file has no name, no content, or content that is not base64.
pub(super) fn read(
    value: &Value,
    path: &str,
    content_field: &'static str,
    warnings: &mut Warnings,
) -> Result<Vec<File>, Error> {
    match value {
        Value::Null | Value::Bool(false) => Ok(Vec::new()),
        Value::Array(files) => {
            let (mut read, mut wrong) = (Vec::with_capacity(files.len()), Mistakes::default());
            for (n, file) in files.iter().enumerate() {
                read.extend(wrong.take(read_one(file, &format!("{path}[{n}]"), content_field, warnings)));
            }
            wrong.and(Ok(read))
        }
        other => Err(wrong(path, &format!("must be a list of files, not {}", kind_of(other)))),
    }
}

fn read_one(file: &Value, path: &str, content_field: &'static str, warnings: &mut Warnings) -> Result<File, Error> {
    let Value::Object(file) = file else {
        return Err(wrong(
            path,
            &format!("must be {{\"name\": …, \"datas\": …}} or {{\"url\": …}}, not {}", kind_of(file)),
        ));
    };
    for other in file.keys().filter(|key| !matches!(key.as_str(), "name" | "datas" | "url")) {
        let path = format!("{path}.{other}");
        let message = format!("`{path}` was ignored: a file has `name`, and `datas` or `url`");
        warnings.note(WarningCode::UnknownParameter, path, message)?;
    }
    let text = |key: &str| match file.get(key) {
        Some(Value::String(text)) => Ok(text),
        None => Err(wrong(&format!("{path}.{key}"), "is missing")),
        Some(other) => Err(wrong(&format!("{path}.{key}"), &format!("must be a text, not {}", kind_of(other)))),
    };
    let (content, default_name) = match (file.get("url"), file.contains_key("datas")) {
        (None, _) => (Content::Given(String::new()), None),
        (Some(_), true) => return Err(wrong(&format!("{path}.url"), "stands beside `datas`: one of them is meant")),
        (Some(url), false) => {
            let url = content::url(url, &format!("{path}.url"))?;
            let name = last_segment(&url);
            (Content::At(url), name)
        }
    };
    let name = match (file.get("name"), default_name) {
        (None | Some(Value::Null | Value::Bool(false)), Some(name)) => name,
        _ => text("name")?.clone(),
    };
    if name.trim().is_empty() {
        return Err(wrong(&format!("{path}.name"), "must not be empty"));
    }
    let content = match content {
        Content::Given(_) => Content::Given(as_base64(text("datas")?, &format!("{path}.datas"))?),
        at @ Content::At(_) => at,
    };
    Ok(File { name, content, path: path.to_owned(), content_field })
}

/// The name of a file by its URL: the last part of the path, where there is one.
fn last_segment(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    let name = percent_encoding::percent_decode_str(last).decode_utf8().ok()?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}

fn wrong(path: &str, problem: &str) -> Error {
    Error::WrongKind { path: path.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_name_or_content_is_named_by_its_place() {
        let refusal = |value: Value| {
            read(&value, "payload.attachment_ids", "datas", &mut Warnings::new(false)).unwrap_err().to_string()
        };
        assert_eq!(
            refusal(json!([{"name": "a", "datas": "QQ=="}, {"name": "b"}])),
            "`payload.attachment_ids[1].datas` is missing"
        );
        assert_eq!(refusal(json!([{"name": " ", "datas": ""}])), "`payload.attachment_ids[0].name` must not be empty");
        assert!(refusal(json!([{"name": "a", "datas": "!"}])).contains("is not base64"));
        assert_eq!(refusal(json!({"name": "a"})), "`payload.attachment_ids` must be a list of files, not an object");
    }
}
