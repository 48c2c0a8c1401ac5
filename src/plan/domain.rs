//! The values of a domain by the types of the fields that they are compared with.
//!
//! Only what is compared for equality or order is converted. Texts behind `like` are patterns, and a relation is compared by ids or by
//! name. Values that need no conversion whatever the type do not ask for the model's fields.

use serde_json::Value;

use super::{
    Error,
    policy_check::denied,
    schema_view::SchemaView,
    value::{self, Use},
};

const COMPARING: [&str; 9] = ["=", "!=", "<>", "<", ">", "<=", ">=", "in", "not in"];

/// Whether a value in the domain may have to be converted: a text, or a number that is no id.
pub(super) fn may_be_converted(domain: &Value) -> bool {
    let may_be = |value: &Value| match value {
        Value::String(_) => true,
        Value::Number(_) => value::id(value).is_none(),
        _ => false,
    };
    domain.as_array().into_iter().flatten().any(|item| match item.as_array().map(Vec::as_slice) {
        Some([Value::String(_), Value::String(operator), value]) => match value {
            Value::Array(_) if operator.contains("any") => may_be_converted(value),
            Value::Array(values) => values.iter().any(may_be),
            value => may_be(value),
        },
        _ => false,
    })
}

/// Converts the values of a domain over `model` that stands at `at`.
///
/// # Errors
/// The policy denies a field, or a value is of another type than its field.
pub(super) fn convert(schemas: &SchemaView<'_>, model: &str, domain: &mut Value, at: &str) -> Result<(), Error> {
    for (index, item) in domain.as_array_mut().into_iter().flatten().enumerate() {
        let Some([Value::String(name), Value::String(operator), value]) = item.as_array_mut().map(Vec::as_mut_slice)
        else {
            continue;
        };
        let at = format!("{at}[{index}]");
        let operator = operator.to_lowercase();
        let is_any = operator.contains("any");
        if !is_any && !COMPARING.contains(&operator.as_str()) {
            continue;
        }
        let Some(field) = schemas.path(model, name).map_err(denied(&at))? else { continue };
        match (field.kind.relation(), value) {
            (Some(relation), value) if is_any => convert(schemas, relation, value, &at)?,
            (Some(_), _) => {}
            (None, Value::Array(values)) => {
                for value in values {
                    *value = value::converted(field, value, Use::Compare, &at)?.into_owned();
                }
            }
            (None, value) => *value = value::converted(field, value, Use::Compare, &at)?.into_owned(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_needs_no_conversion_asks_for_no_fields() {
        for (domain, expected) in [
            (json!([]), false),
            (json!([["id", "=", 5], ["active", "=", false]]), false),
            (json!(["|", ["id", "in", [5, 6]], [1, "=", 1]]), false),
            (json!([["name", "=", "x"]]), true),
            (json!([["color", ">", 3.5]]), true),
            (json!([["line_ids", "any", [["name", "in", ["x"]]]]]), true),
        ] {
            assert_eq!(may_be_converted(&domain), expected, "{domain}");
        }
    }
}
