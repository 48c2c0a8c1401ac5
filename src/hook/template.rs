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
mod times;

use std::path::Path;

use jaq_core::{Compiler, Ctx, Vars, load::Arena};
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
        compile(self, &others).is_err()
    }
}

impl Template {
    /// # Errors
    /// It does not compile.
    pub(super) fn compile(code: &Code) -> Result<Self, Mistake> {
        compile(code, &VARIABLES).map(Self)
    }

    /// Runs the filter and returns its results as JSON. One result is expected, so no more than two are made. It is
    /// called in a worker, since a filter may take any amount of memory and time.
    ///
    /// # Errors
    /// The body is not JSON, or the filter fails.
    pub(super) fn run(&self, input: &Input) -> Result<Ran, Error> {
        let (body, variables) = values(input)?;
        let secret = input.variables.get("secret").and_then(Value::as_str);
        let scene = Scene::new(&self.0.lut);
        let context = Ctx::<Kind>::new(&scene, Vars::new(variables));
        let mut results = Vec::new();
        for result in self.0.id.run((context, body)).take(2) {
            match scene.result(result) {
                Ok(result) => results.push(result::json(&result).map_err(Error::Failed)?),
                Err(End::Ignored(why)) => return Ok(Ran::Ignored(why)),
                Err(End::Failed(error)) => return Err(Error::Failed(failure::words(error, secret))),
            }
        }
        Ok(Ran::Results(results))
    }
}

fn compile(code: &Code, variables: &[&str]) -> Result<Filter, Mistake> {
    let arena = Arena::default();
    let modules = code.load(&arena)?;
    let variables: Vec<String> = variables.iter().map(|name| format!("${name}")).collect();
    let compiler = Compiler::default().with_funs(functions::funs());
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
