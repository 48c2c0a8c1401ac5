//! Limits on the names that a caller sends: of models, methods, fields, arguments, context keys, languages. They are
//! checked before anything is sent.
//!
//! Names go into URLs, queries and messages. Odoo keeps the names of models and fields below PostgreSQL's 63 bytes, so
//! Odoo has no name that is longer than this limit, while a name of a megabyte would be copied into each of them.

use serde_json::{Map, Value};

use super::{Error, wording::shown};

/// The longest name in bytes, also of a method or a context key, which PostgreSQL does not limit.
const MAX_NAME: usize = 200;
/// The longest path through relations (`partner_id.country_id.code`), and the longest order.
const MAX_PATH: usize = 2_000;

/// Checks a name.
///
/// # Errors
/// `invalid_value` at `path` where the name is too long. The message shows only its beginning.
pub(super) fn check(name: &str, path: &str) -> Result<(), Error> {
    bound(name, MAX_NAME, path)
}

/// Checks a dotted path of names.
pub(super) fn check_dotted(names: &str, path: &str) -> Result<(), Error> {
    bound(names, MAX_PATH, path)?;
    names.split('.').try_for_each(|name| check(name, path))
}

/// Checks the keys of an object, which are names.
pub(super) fn check_keys(object: &Map<String, Value>, path: &str) -> Result<(), Error> {
    object.keys().try_for_each(|name| check_dotted(name, path))
}

/// Checks a context: its keys, and the language and time zone, which are names too.
pub(super) fn check_context(context: &Map<String, Value>, path: &str) -> Result<(), Error> {
    check_keys(context, path)?;
    let named = ["lang", "tz"].into_iter().filter_map(|key| Some((key, context.get(key)?.as_str()?)));
    named.into_iter().try_for_each(|(key, name)| check(name, &format!("{path}.{key}")))
}

/// Checks the fields of a domain's conditions, at every depth. Other parts are left to the readers of the domain.
pub(super) fn check_domain(domain: &Value, path: &str) -> Result<(), Error> {
    let Value::Array(items) = domain else { return Ok(()) };
    if let [Value::String(field), Value::String(operator), _] = &items[..] {
        check_dotted(field, path)?;
        check(operator, path)?;
    }
    items.iter().try_for_each(|item| check_domain(item, path))
}

/// Checks an order of records.
pub(super) fn check_order(order: &str, path: &str) -> Result<(), Error> {
    bound(order, MAX_PATH, path)
}

fn bound(name: &str, most: usize, path: &str) -> Result<(), Error> {
    if name.len() <= most {
        return Ok(());
    }
    let problem =
        format!("holds a name of {} bytes, where at most {most} may be: `{}`", name.len(), shown(&Value::from(name)));
    Err(Error::WrongKind { path: path.to_owned(), problem })
}
