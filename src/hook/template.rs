//! A jq filter, compiled once and run by jaq.

mod code;
mod digests;
mod failure;
mod functions;
mod modules;
mod need;
mod numbers;
mod place;
mod result;
mod scene;
mod starts;
mod times;
mod traced;

use std::path::Path;

use jaq_core::{Compiler, Ctx, Vars, load::Arena, native::Fun};
use jaq_json::{Val, read};
use serde_json::Value;

pub use self::code::Mistake;
use self::scene::{End, Kind, Scene};
pub(super) use self::{code::Code, modules::files};
use super::{
    Error,
    input::{Input, VARIABLES},
};

type Filter = jaq_core::Filter<Kind>;
/// One result is expected of a filter. That there are more is all that is to be known of them.
const MOST_RESULTS: usize = 2;

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

impl Code {
    /// A filter whose modules are in this folder.
    ///
    /// # Errors
    /// It does not compile, or a module cannot be read.
    pub(super) fn compiled(text: &str, folder: &Path) -> Result<Self, Mistake> {
        let code = Self::read(text, folder)?;
        Template::compile(&code).map(|_| code)
    }

    /// Whether the filter uses this variable, without its dollar.
    pub(super) fn uses(&self, variable: &str) -> bool {
        let others: Vec<_> = VARIABLES.into_iter().filter(|name| *name != variable).collect();
        compile(self, &others, functions::funs()).is_err()
    }
}

impl Template {
    /// # Errors
    /// It does not compile.
    pub(super) fn compile(code: &Code) -> Result<Self, Mistake> {
        compile(code, &VARIABLES, functions::funs()).map(Self)
    }

    /// Runs the filter and returns its results as JSON. One result is expected, so no more than two are made. It is
    /// called in a worker, since a filter may take any amount of memory and time.
    ///
    /// # Errors
    /// The body is not JSON, or the filter fails.
    pub(super) fn run(&self, input: &Input) -> Result<Ran, Error> {
        let (body, variables) = values(input)?;
        let scene = Scene::new(&self.0.lut);
        let context = Ctx::<Kind>::new(&scene, Vars::new(variables));
        let mut results = Vec::new();
        for result in self.0.id.run((context, body)).take(MOST_RESULTS) {
            match scene.result(result) {
                Ok(result) => results.push(result::json(&result).map_err(Error::Failed)?),
                Err(End::Ignored(why)) => return Ok(Ran::Ignored(why)),
                Err(End::Failed(error)) => return Err(Error::Failed(failure::words(error, secret(input)))),
            }
        }
        Ok(Ran::Results(results))
    }
}

/// What is said of a filter that failed with these words, with the place where that can be found: it is run once more, traced.
/// It is called in a worker, as [`Template::run`] is.
pub(super) fn with_place(code: &Code, input: &Input, words: &str) -> Option<String> {
    let filter = compile(&code.traced()?, &VARIABLES, functions::funs().chain(functions::of_traced())).ok()?;
    let (body, variables) = values(input).ok()?;
    let scene = Scene::new(&filter.lut);
    let context = Ctx::<Kind>::new(&scene, Vars::new(variables));
    let mut results = filter.id.run((context, body)).take(MOST_RESULTS);
    let End::Failed(error) = results.find_map(|result| scene.result(result).err())? else { return None };
    let (place, shown) = code.place(scene.place_of(&error)?)?;
    // Another error than the filter's own has nothing to say of its place.
    (failure::words(error, secret(input)) == words).then(|| format!("{place}: {words}{shown}"))
}

fn secret(input: &Input) -> Option<&str> {
    input.variables.get("secret").and_then(Value::as_str)
}

fn compile(code: &Code, variables: &[&str], functions: impl Iterator<Item = Fun<Kind>>) -> Result<Filter, Mistake> {
    let arena = Arena::default();
    let modules = code.load(&arena)?;
    let variables: Vec<String> = variables.iter().map(|name| format!("${name}")).collect();
    let compiler = Compiler::default().with_funs(functions);
    let filter = compiler.with_global_vars(variables.iter().map(String::as_str)).compile(modules);
    filter.map_err(|errors| code.undefined(&errors))
}

/// What a filter sees, as its values.
fn values(input: &Input) -> Result<(Val, Vec<Val>), Error> {
    let value = |json: &[u8]| read::parse_single(json).map_err(|error| Error::Failed(error.to_string()));
    let variable = |name| match input.variables.get(name) {
        Some(variable) => value(variable.to_string().as_bytes()),
        None => Ok(Val::Null),
    };
    Ok((value(&input.body)?, VARIABLES.iter().copied().map(variable).collect::<Result<_, _>>()?))
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Template")
    }
}

#[cfg(test)]
mod tests;
