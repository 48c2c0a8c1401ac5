//! The parameters in a call's `vals`: which there are, and the kind that each must have.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::{
    odoo::Caller,
    plan::{
        Asked, Error, WarningCode, Warnings,
        error::Mistakes,
        field_list::{self, ListedField},
        hints::Meant,
        lookup::AutoCreate,
        name_limits,
        search_key::SearchKey,
        wording::wrong,
    },
    route::Route,
};

/// The parameters that every route reads; below, those that each kind of route reads besides.
const ALWAYS: [&str; 5] = ["payload", "strict", "dry_run", "batch", "context"];
pub(super) const CREATE: [&str; 3] = ["auto_create", "result_field", "atomic"];
pub(super) const UPDATE: [&str; 5] = ["search_key", "auto_create", "result_field", "atomic", "when"];
pub(super) const SEARCH: [&str; 0] = [];
pub(super) const CALL: [&str; 1] = ["search_key"];
pub(super) const DELETE: [&str; 1] = ["search_key"];
/// The parameters in the `payload` of a search, and of a call of a method.
pub(super) const OF_SEARCH: [&str; 8] =
    ["search_field", "search_domain", "limit", "offset", "order", "count", "group", "aggregates"];
pub(super) const OF_CALL: [&str; 5] = ["method", "parameter", "context", "on_model", "then"];

/// The parameters that a route reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// In `vals`.
    pub vals: Vec<&'static str>,
    /// In `vals.payload`; none where that holds the fields of records, or nothing.
    pub payload: &'static [&'static str],
}

/// The parameters that a route reads: what describes the interface walks this.
pub fn parameters(route: Route) -> Parameters {
    let (own, payload): (&[&str], &[&str]) = match route {
        Route::CreateData => (&CREATE, &[]),
        Route::UpdateData | Route::CreateUpdateData => (&UPDATE, &[]),
        Route::SearchData => (&SEARCH, &OF_SEARCH),
        Route::CallFunction => (&CALL, &OF_CALL),
        Route::DeleteData => (&DELETE, &[]),
    };
    Parameters { vals: own.iter().chain(&ALWAYS).copied().collect(), payload }
}

/// Whether a parameter stands in `vals`: one of every route, or of these.
pub(super) fn is_parameter(name: &str, parameters: &[&str]) -> bool {
    ALWAYS.contains(&name) || parameters.contains(&name)
}

/// The parameters of a call, besides the model's name.
#[derive(Debug)]
pub(super) struct Vals<'a> {
    /// Borrowed from what was sent, since it may be large.
    pub(super) payload: Cow<'a, Map<String, Value>>,
    search_key: Map<String, Value>,
    /// A domain that a record which is found must match to be changed.
    pub(super) when: Option<Vec<Value>>,
    pub(super) auto_create: AutoCreate,
    /// The plan is shown, and not executed.
    pub(super) dry_run: bool,
    pub(super) result_field: Vec<ListedField>,
    pub(super) warnings: Warnings,
}

impl<'a> Vals<'a> {
    /// Checks the kinds of the parameters, and the model's name. An unknown parameter is warned of, since it is most
    /// often misspelt.
    ///
    /// `"batch": false` keeps the caller's RPCs from being batched with those of others.
    ///
    /// # Errors
    /// Parameters are of the wrong kind, or the call is strict and parameters are unknown. All of them are told.
    pub(super) fn read(caller: &Caller, asked: Asked<'a>, parameters: &[&str]) -> Result<Self, Error> {
        let (vals, mistakes) = Self::read_all(caller, asked, parameters)?;
        mistakes.and(Ok(vals))
    }

    /// The same, with what is wrong with parameters: a caller learns of it together with what is wrong with the payload.
    ///
    /// # Errors
    /// The name of the model, or that of a parameter, is too long.
    pub(super) fn read_all(caller: &Caller, asked: Asked<'a>, parameters: &[&str]) -> Result<(Self, Mistakes), Error> {
        let Asked { model, vals, compat, noted, .. } = asked;
        name_limits::check(model, "model")?;
        name_limits::check_keys(vals, "")?;
        let mut mistakes = Mistakes::default();
        if mistakes.take(flag(vals, "batch")).flatten() == Some(false) {
            caller.go_alone();
        }
        let strict = mistakes.take(flag(vals, "strict")).flatten().unwrap_or(compat.strict);
        let mut warnings = Warnings::noting(strict, noted.clone());
        let search_key = object(vals, "search_key").and_then(|search_key| {
            name_limits::check_keys(&search_key, "search_key")?;
            Ok(search_key)
        });
        let search_key = mistakes.take(search_key).unwrap_or_default();
        mistakes.take(note_unread(vals, &[&ALWAYS, parameters].concat(), "", &mut warnings));
        let result_field = field_list::parse(vals.get("result_field").unwrap_or(&Value::Null));
        let result_field = result_field.map_err(|source| Error::FieldList { parameter: "result_field", source });
        let read = Self {
            payload: mistakes.take(object(vals, "payload")).unwrap_or_default(),
            auto_create: mistakes.take(AutoCreate::read(vals.get("auto_create"))).unwrap_or_default(),
            dry_run: mistakes.take(flag(vals, "dry_run")).flatten().unwrap_or(false),
            search_key: search_key.into_owned(),
            when: mistakes.take(domain(vals, "when")).flatten(),
            result_field: mistakes.take(result_field).unwrap_or_default(),
            warnings,
        };
        Ok((read, mistakes))
    }

    /// The parameters of one record of several. What the records have in common stays with the request.
    pub(super) fn of_record(&self, payload: &'a Map<String, Value>) -> Self {
        Self {
            payload: Cow::Borrowed(payload),
            search_key: Map::new(),
            when: None,
            auto_create: AutoCreate::default(),
            dry_run: self.dry_run,
            result_field: Vec::new(),
            warnings: self.warnings.anew(),
        }
    }

    /// The search key, which some routes require.
    ///
    /// # Errors
    /// There is none, or a value of it is empty or cannot be searched for.
    pub(super) fn search_key(&self) -> Result<SearchKey, Error> {
        SearchKey::read(self.search_key.clone())
    }
}

pub(super) fn note_unread(
    object: &Map<String, Value>,
    read: &[&str],
    within: &str,
    warnings: &mut Warnings,
) -> Result<(), Error> {
    let mut mistakes = Mistakes::default();
    for name in object.keys().filter(|name| !read.contains(&name.as_str())) {
        let path = format!("{within}{name}");
        let message =
            format!("`{path}` is not a parameter of this call and was ignored; there are: {}", read.join(", "));
        let meant = Meant::among(read.iter().copied(), name);
        mistakes.take(warnings.note_meant(WarningCode::UnknownParameter, path, message, meant));
    }
    mistakes.and(Ok(()))
}

/// Reads a boolean parameter; `None` where it is not given.
pub(super) fn flag(vals: &Map<String, Value>, name: &str) -> Result<Option<bool>, Error> {
    match vals.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(wrong(name, "true or false", other)),
    }
}

/// Reads a domain parameter; `None` where it is not given.
fn domain(vals: &Map<String, Value>, name: &str) -> Result<Option<Vec<Value>>, Error> {
    match vals.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(terms)) => Ok(Some(terms.clone()).filter(|terms| !terms.is_empty())),
        Some(other) => Err(wrong(name, "a domain, such as [[\"state\", \"=\", \"draft\"]]", other)),
    }
}

/// Reads an object parameter; an empty one where it is not given.
fn object<'a>(vals: &'a Map<String, Value>, name: &str) -> Result<Cow<'a, Map<String, Value>>, Error> {
    match vals.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Cow::Owned(Map::new())),
        Some(Value::Object(object)) => Ok(Cow::Borrowed(object)),
        Some(other) => Err(wrong(name, "an object", other)),
    }
}
