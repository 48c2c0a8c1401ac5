//! A jq filter, compiled once and run by jaq.

mod functions;
mod numbers;
mod place;
mod scene;

use std::sync::Arc;

use jaq_core::{
    Compiler, Ctx, Vars, compile,
    load::{self, Arena, File, Loader},
};
use jaq_json::{Val, read};
use serde::{Deserialize, Serialize};

use self::{
    place::{Place, offset_in},
    scene::{End, Kind, Scene},
};
use super::{
    Error,
    input::{Input, VARIABLES},
};

type Filter = jaq_core::Filter<Kind>;

/// The text of a filter that compiles.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Code {
    main: Arc<str>,
}

/// What a filter came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ran {
    /// Its results as JSON, two at most.
    Results(Vec<String>),
    /// It says that the delivery is to be ignored, for this reason.
    Ignored(String),
}

/// A compiled filter.
pub(super) struct Template(Filter);

/// Why a filter does not compile, with its place: `3:14: …`.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {what}{}", place.shown())]
pub struct Mistake {
    place: Place,
    what: String,
}

impl Code {
    /// # Errors
    /// It does not compile.
    pub(super) fn compiled(text: &str) -> Result<Self, Mistake> {
        let code = Self { main: text.into() };
        Template::compile(&code).map(|_| code)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code")
    }
}

impl Template {
    pub(super) fn compile(code: &Code) -> Result<Self, Mistake> {
        let code = &*code.main;
        let arena = Arena::default();
        let mistake =
            |at: &str, what: String| Mistake { place: Place::of(code, offset_in(code, at).unwrap_or(0)), what };
        let modules = Loader::new(functions::defs()).load(&arena, File { code, path: () }).map_err(|errors| {
            let error = errors.into_iter().next().map(|(_, error)| error);
            match error {
                Some(load::Error::Lex(errors)) => match errors.first() {
                    Some((expected, at)) => mistake(at, format!("{} is due", expected.as_str())),
                    None => mistake(code, "it cannot be read".to_owned()),
                },
                Some(load::Error::Parse(errors)) => match errors.first() {
                    Some((expected, at)) => mistake(at, format!("{} is due", expected.as_str())),
                    None => mistake(code, "it cannot be read".to_owned()),
                },
                _ => mistake(code, "a template cannot have others in it".to_owned()),
            }
        })?;
        let variables = VARIABLES.map(|name| format!("${name}"));
        let filter = Compiler::default()
            .with_funs(functions::funs())
            .with_global_vars(variables.iter().map(String::as_str))
            .compile(modules);
        let filter = filter.map_err(|errors| {
            match errors.into_iter().next().and_then(|(_, errors)| errors.into_iter().next()) {
                Some((name, kind)) => mistake(name, undefined(name, &kind)),
                None => mistake(code, "it cannot be compiled".to_owned()),
            }
        })?;
        Ok(Self(filter))
    }

    /// Runs the filter and returns its results as JSON. One result is expected, so no more than two are made. It is
    /// called in a worker, since a filter may take any amount of memory and time.
    ///
    /// # Errors
    /// The body is not JSON, or the filter fails.
    pub(super) fn run(&self, input: &Input) -> Result<Ran, Error> {
        let failed = |what: &dyn std::fmt::Display| Error::Failed(what.to_string().chars().take(300).collect());
        let body = read::parse_single(&input.body).map_err(|error| failed(&error))?;
        let variables = VARIABLES.iter().map(|name| match input.variables.get(name) {
            Some(value) => read::parse_single(value.to_string().as_bytes()).map_err(|error| failed(&error)),
            None => Ok(Val::Null),
        });
        let variables = variables.collect::<Result<Vec<_>, _>>()?;
        let scene = Scene::new(&self.0.lut);
        let context = Ctx::<Kind>::new(&scene, Vars::new(variables));
        let mut results = Vec::new();
        for result in self.0.id.run((context, body)).take(2) {
            match scene.result(result) {
                Ok(result) => results.push(result.to_string()),
                Err(End::Ignored(why)) => return Ok(Ran::Ignored(why)),
                Err(End::Failed(error)) => return Err(failed(&error)),
            }
        }
        Ok(Ran::Results(results))
    }
}

fn undefined(name: &str, kind: &compile::Undefined) -> String {
    let shown: String = name.chars().take(60).collect();
    match kind {
        compile::Undefined::Filter(0) => format!("there is no function `{shown}` without arguments"),
        compile::Undefined::Filter(1) => format!("there is no function `{shown}` with 1 argument"),
        compile::Undefined::Filter(arguments) => format!("there is no function `{shown}` with {arguments} arguments"),
        other => format!("there is no {} `{shown}`", other.as_str()),
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Template")
    }
}

#[cfg(test)]
mod tests;
