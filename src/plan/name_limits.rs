//! Names that a caller sends: of models, methods, fields, arguments, context keys, languages. They are bounded before anything
//! is sent.
//!
//! A name goes into URLs, queries and messages. Odoo keeps the names of models and fields below PostgreSQL's 63 bytes; a name
//! that is longer than this bound is none that Odoo has, and one of a megabyte would be carried along by each of them.

use serde_json::{Map, Value};

use super::{Error, wording::shown};

/// The longest name, in bytes: of a method or a context key too, which PostgreSQL does not bound.
const NAME: usize = 200;
/// The longest way through relations (`partner_id.country_id.code`), and the longest order.
const PATH: usize = 2_000;

/// # Errors
/// `invalid_value` at `path` where the name is too long. The message shows the beginning alone.
pub(super) fn check(name: &str, path: &str) -> Result<(), Error> {
    bound(name, NAME, path)
}

/// The same of names with dots between them.
pub(super) fn check_dotted(names: &str, path: &str) -> Result<(), Error> {
    bound(names, PATH, path)?;
    names.split('.').try_for_each(|name| check(name, path))
}

/// The keys of an object are names.
pub(super) fn check_keys(object: &Map<String, Value>, path: &str) -> Result<(), Error> {
    object.keys().try_for_each(|name| check_dotted(name, path))
}

/// A context: its keys, and the language and time zone, which are names too.
pub(super) fn check_context(context: &Map<String, Value>, path: &str) -> Result<(), Error> {
    check_keys(context, path)?;
    let named = ["lang", "tz"].into_iter().filter_map(|key| Some((key, context.get(key)?.as_str()?)));
    named.into_iter().try_for_each(|(key, name)| check(name, &format!("{path}.{key}")))
}

/// The fields of a domain's conditions, at every depth. What is not a condition is left to the readers of the domain.
pub(super) fn check_domain(domain: &Value, path: &str) -> Result<(), Error> {
    let Value::Array(items) = domain else { return Ok(()) };
    if let [Value::String(field), Value::String(operator), _] = &items[..] {
        check_dotted(field, path)?;
        check(operator, path)?;
    }
    items.iter().try_for_each(|item| check_domain(item, path))
}

/// What records are sorted by.
pub(super) fn check_order(order: &str, path: &str) -> Result<(), Error> {
    bound(order, PATH, path)
}

fn bound(name: &str, most: usize, path: &str) -> Result<(), Error> {
    if name.len() <= most {
        return Ok(());
    }
    let problem =
        format!("holds a name of {} bytes, where at most {most} may be: `{}`", name.len(), shown(&Value::from(name)));
    Err(Error::WrongKind { path: path.to_owned(), problem })
}
