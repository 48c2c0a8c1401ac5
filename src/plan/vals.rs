//! The `vals` of a call, taken apart: which parameters there are, and of what kind each must be.

use serde_json::{Map, Value};

use super::{
    Error, Rules, Warnings, kind_of,
    picks::{self, Pick},
};

const PARAMETERS: [&str; 4] = ["payload", "search_key", "result_field", "strict"];

/// What a caller sent beside the model's name.
#[derive(Debug)]
pub struct Vals {
    pub(super) payload: Map<String, Value>,
    search_key: Map<String, Value>,
    pub(super) result_field: Vec<Pick>,
    pub(super) warnings: Warnings,
}

impl Vals {
    /// Checks the kinds. A parameter that nobody reads is said, since it is most often a misspelt one.
    pub fn read(vals: &Map<String, Value>, rules: Rules<'_>) -> Result<Self, Error> {
        let strict = match vals.get("strict") {
            None | Some(Value::Null) => rules.compat.strict,
            Some(Value::Bool(strict)) => *strict,
            Some(other) => return Err(wrong("strict", "true or false", other)),
        };
        let mut warnings = Warnings::new(strict);
        note_unread(vals, &PARAMETERS, "", &mut warnings)?;
        Ok(Self {
            payload: object(vals, "payload")?,
            search_key: object(vals, "search_key")?,
            result_field: picks::parse(vals.get("result_field").unwrap_or(&Value::Null))
                .map_err(|source| Error::Picks { parameter: "result_field", source })?,
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
                Value::Object(_) => return Err(wrong(&path(), "a value or a list of values", value)),
                Value::Array(values) => {
                    if let Some(inner) = values.iter().find(|value| value.is_array() || value.is_object()) {
                        return Err(wrong(&path(), "a value or a list of values", inner));
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
        warnings.note("unknown_parameter", path, message)?;
    }
    Ok(())
}

/// An object, or an empty one where there is none.
fn object(vals: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, Error> {
    match vals.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object.clone()),
        Some(other) => Err(wrong(name, "an object", other)),
    }
}

pub(super) fn wrong(path: &str, due: &str, value: &Value) -> Error {
    Error::WrongKind { path: path.to_owned(), problem: format!("must be {due}, not {}", kind_of(value)) }
}
