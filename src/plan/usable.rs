//! The fields of a model as a caller may use them, for who describes them: `schema_view` and the policy decide, as for a call.

use super::{
    Error, name_limits,
    policy_check::denied,
    schema_view::{SchemaView, with_schemas},
};
use crate::{
    odoo::{Caller, Field},
    policy::Touch,
};

/// A field that the caller may read or write.
#[derive(Debug, Clone)]
pub struct UsableField {
    pub name: String,
    pub field: Field,
    pub is_readable: bool,
    pub is_writable: bool,
}

/// The fields of a model that the caller may read or write, by name.
///
/// # Errors
/// The policy denies the model, or Odoo does not tell its fields.
pub async fn usable_fields(caller: &Caller, model: &str) -> Result<Vec<UsableField>, Error> {
    name_limits::check(model, "model")?;
    caller.policy().decide(Touch::Model(model)).map_err(denied("model"))?;
    with_schemas(caller, |schemas| usable(schemas, model)).await
}

fn usable(schemas: &SchemaView<'_>, model: &str) -> Result<Vec<UsableField>, Error> {
    let Some(view) = schemas.model(model).map_err(denied("model"))? else { return Ok(Vec::new()) };
    let mut names: Vec<&str> = view.names().collect();
    names.sort_unstable();
    let mut fields = Vec::with_capacity(names.len());
    for name in names {
        // What a relation leads to is read and written through it.
        let is_hidden = view.relation(name).is_some_and(|model| schemas.policy().decide(Touch::Model(model)).is_err());
        let is_readable = matches!(view.read(name), Ok(Some(_)));
        let written = view.write(name);
        let is_writable = matches!(written, Ok(Some(_))) && !is_hidden;
        let Some(field) = schemas.schema(model).and_then(|schema| schema.field(name)) else { continue };
        if is_readable || is_writable {
            fields.push(UsableField { name: name.to_owned(), field: field.clone(), is_readable, is_writable });
        }
    }
    Ok(fields)
}
