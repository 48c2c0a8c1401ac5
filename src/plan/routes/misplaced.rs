//! Parameters that stand in the wrong place: those of `payload` in `vals`, those of `vals` in `payload`, a `payload` that is
//! not there.
//!
//! A search without its parameters reads the whole table, and a method without its own does something else than was meant, so
//! those calls are refused, with the place where each key belongs. In the payload of a write, a key may be a field of the model:
//! there, reading the payload decides.

use serde_json::{Map, Value};

use super::vals;
use crate::{
    plan::{Error, error::Misplaced},
    route::Route,
};

/// The number of misplaced keys that an error names.
const NAMED: usize = 5;

/// Checks that every known parameter stands where it is read.
///
/// # Errors
/// A parameter stands where nothing reads it, or the route needs a `payload` and there is none.
pub fn check_places(route: Route, sent: &Map<String, Value>) -> Result<(), Error> {
    let payload = sent.get("payload").filter(|payload| !matches!(payload, Value::Null | Value::Bool(false)));
    let is_missing = payload.is_none();
    let (in_vals, in_payload): (&[&str], &[&str]) = match route {
        Route::SearchData => (&vals::SEARCH, &vals::OF_SEARCH),
        Route::CallFunction => (&vals::CALL, &vals::OF_CALL),
        Route::DeleteData => (&vals::DELETE, &[]),
        Route::CreateData | Route::CreateUpdateData | Route::UpdateData => {
            let is_strange = |name: &&String| !vals::is_parameter(name, &vals::UPDATE);
            return match is_missing {
                true => Err(Error::NoPayload(named(sent.keys().filter(is_strange), "payload"))),
                false => Ok(()),
            };
        }
    };
    let belongs_in_vals = |name: &str| vals::is_parameter(name, in_vals) && name != "payload";
    let above =
        named(sent.keys().filter(|name| in_payload.contains(&name.as_str()) && !belongs_in_vals(name)), "payload");
    match route {
        Route::SearchData if is_missing => return Err(Error::NoPayload(above)),
        Route::SearchData if sent.contains_key("search_key") => {
            return Err(Error::Misplaced(vec![Misplaced {
                path: "search_key".to_owned(),
                home: "payload.search_domain",
            }]));
        }
        _ => {}
    }
    let below = payload.and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let below = below.filter(|name| belongs_in_vals(name) && !in_payload.contains(&name.as_str()));
    let below = named(below, "vals")
        .into_iter()
        .map(|misplaced| Misplaced { path: format!("payload.{}", misplaced.path), ..misplaced });
    let misplaced: Vec<Misplaced> = above.into_iter().chain(below).collect();
    if misplaced.is_empty() { Ok(()) } else { Err(Error::Misplaced(misplaced)) }
}

fn named<'n>(names: impl Iterator<Item = &'n String>, home: &'static str) -> Vec<Misplaced> {
    names.take(NAMED).map(|name| Misplaced { path: name.clone(), home }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(route: Route, sent: Value, expected: &str) {
        let Value::Object(sent) = sent else { unreachable!() };
        let refusal = check_places(route, &sent).err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(refusal, expected);
    }

    #[test]
    fn a_search_whose_parameters_stand_elsewhere_is_told_where_they_belong() {
        check(
            Route::SearchData,
            json!({"search_field": ["name"], "limit": 2}),
            "`payload` is missing in `vals`; `search_field` belongs in `payload`, `limit` belongs in `payload`",
        );
        check(
            Route::SearchData,
            json!({"limit": 2, "payload": {"dry_run": true}}),
            "`limit` belongs in `payload`, `payload.dry_run` belongs in `vals`",
        );
        check(
            Route::SearchData,
            json!({"search_key": {"id": 1}, "payload": {}}),
            "`search_key` belongs in `payload.search_domain`",
        );
        check(Route::SearchData, json!({"payload": {}, "strict": true}), "");
    }

    #[test]
    fn a_call_without_payload_lacks_its_method_and_a_write_its_values() {
        check(Route::CallFunction, json!({"search_key": {"id": 1}}), "");
        check(Route::CallFunction, json!({"method": "read"}), "`method` belongs in `payload`");
        check(Route::CallFunction, json!({"context": {}, "payload": {"context": {}, "method": "read"}}), "");
        check(Route::CreateData, json!({"name": "x"}), "`payload` is missing in `vals`; `name` belongs in `payload`");
        check(Route::UpdateData, json!({"search_key": {"id": 1}, "payload": null}), "`payload` is missing in `vals`");
        check(Route::CreateData, json!({"payload": {"strict": true}}), "");
    }
}
