//! The `vals` of a call, taken apart: which parameters there are, and of what kind each must be.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::{
    odoo::Caller,
    plan::{
        Asked, Error, WarningCode, Warnings,
        field_list::{self, ListedField},
        lookup::AutoCreate,
        name_limits,
        wording::wrong,
    },
};

/// What each kind of route reads in `vals`, besides what all of them do.
const ALWAYS: [&str; 4] = ["payload", "strict", "dry_run", "batch"];
pub(super) const CREATE: [&str; 2] = ["auto_create", "result_field"];
pub(super) const UPDATE: [&str; 3] = ["search_key", "auto_create", "result_field"];
pub(super) const SEARCH: [&str; 0] = [];
pub(super) const CALL: [&str; 1] = ["search_key"];

/// What a caller sent beside the model's name.
#[derive(Debug)]
pub(super) struct Vals<'a> {
    /// As it was sent, since it may be large.
    pub(super) payload: Cow<'a, Map<String, Value>>,
    search_key: Map<String, Value>,
    pub(super) auto_create: AutoCreate,
    /// Plan only, and show the plan.
    pub(super) dry_run: bool,
    pub(super) result_field: Vec<ListedField>,
    pub(super) warnings: Warnings,
}

impl<'a> Vals<'a> {
    /// Checks the kinds, and the model's name. A parameter that nobody reads is said, since it is most often a misspelt one.
    ///
    /// `"batch": false` has the caller go alone from here on.
    pub(super) fn read(caller: &Caller, asked: Asked<'a>, parameters: &[&str]) -> Result<Self, Error> {
        let Asked { model, vals, compat } = asked;
        name_limits::check(model, "model")?;
        name_limits::check_keys(vals, "")?;
        if flag(vals, "batch")? == Some(false) {
            caller.go_alone();
        }
        let mut warnings = Warnings::new(flag(vals, "strict")?.unwrap_or(compat.strict));
        let search_key = object(vals, "search_key")?;
        name_limits::check_keys(&search_key, "search_key")?;
        note_unread(vals, &[&ALWAYS, parameters].concat(), "", &mut warnings)?;
        Ok(Self {
            payload: object(vals, "payload")?,
            auto_create: AutoCreate::read(vals.get("auto_create"))?,
            dry_run: flag(vals, "dry_run")?.unwrap_or(false),
            search_key: search_key.into_owned(),
            result_field: field_list::parse(vals.get("result_field").unwrap_or(&Value::Null))
                .map_err(|source| Error::FieldList { parameter: "result_field", source })?,
            warnings,
        })
    }

    /// The search key, which some routes cannot do without. An empty one would match every record, so it counts as none.
    pub(super) fn search_key(&self) -> Result<&Map<String, Value>, Error> {
        if self.search_key.is_empty() { Err(Error::NoSearchKey) } else { Ok(&self.search_key) }
    }

    /// The search key as a domain: every field must be equal, or among the values where a list is given.
    pub(super) fn search_domain(&self) -> Result<Value, Error> {
        let mut terms = Vec::new();
        for (field, value) in self.search_key()? {
            let path = || format!("search_key.{field}");
            let operator = match value {
                // A sender's missing value would match every record that has none.
                Value::Null => return Err(wrong(path(), "a value (false where none is meant)", value)),
                Value::Object(_) => return Err(wrong(path(), "a value or a list of values", value)),
                Value::Array(values) => {
                    if let Some(inner) = values.iter().find(|value| value.is_array() || value.is_object()) {
                        return Err(wrong(path(), "a value or a list of values", inner));
                    }
                    "in"
                }
                _ => "=",
            };
            terms.push(serde_json::json!([field, operator, value]));
        }
        Ok(Value::Array(terms))
    }
}

pub(super) fn note_unread(
    object: &Map<String, Value>,
    read: &[&str],
    within: &str,
    warnings: &mut Warnings,
) -> Result<(), Error> {
    for name in object.keys().filter(|name| !read.contains(&name.as_str())) {
        let path = format!("{within}{name}");
        let message =
            format!("`{path}` is not a parameter of this call and was ignored; there are: {}", read.join(", "));
        warnings.note(WarningCode::UnknownParameter, path, message)?;
    }
    Ok(())
}

/// True or false; `None` where it is not given.
pub(super) fn flag(vals: &Map<String, Value>, name: &str) -> Result<Option<bool>, Error> {
    match vals.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(wrong(name, "true or false", other)),
    }
}

/// An object, or an empty one where there is none.
fn object<'a>(vals: &'a Map<String, Value>, name: &str) -> Result<Cow<'a, Map<String, Value>>, Error> {
    match vals.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Cow::Owned(Map::new())),
        Some(Value::Object(object)) => Ok(Cow::Borrowed(object)),
        Some(other) => Err(wrong(name, "an object", other)),
    }
}
