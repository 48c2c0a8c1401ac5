//! A jq filter, compiled once and run by jaq.

use std::sync::Arc;

use jaq_core::{
    Compiler, Ctx, Vars, compile, data,
    load::{self, Arena, File, Loader},
    unwrap_valr,
};
use jaq_json::{Val, read};
use serde::{Deserialize, Serialize};

use super::{
    Error,
    input::{Input, VARIABLES},
};

/// Filters that would reveal something of this machine, or act on this process.
const FORBIDDEN: [&str; 5] = ["env", "halt", "halt_error", "debug", "stderr"];
type Filter = jaq_core::Filter<data::JustLut<Val>>;

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

/// Why a filter does not compile, with its line: `3: …`.
#[derive(Debug, thiserror::Error)]
#[error("{line}: {what}")]
pub struct Mistake {
    line: usize,
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
        let is_allowed = |name: &str| !FORBIDDEN.contains(&name);
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).filter(|def| is_allowed(def.name));
        let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs()).filter(|fun| is_allowed(fun.0));
        let arena = Arena::default();
        let mistake = |at: &str, what: String| {
            let start = load::span(code, at).start;
            let line = code.get(..start).map_or(1, |before| before.matches('\n').count() + 1);
            Mistake { line, what }
        };
        let modules = Loader::new(defs).load(&arena, File { code, path: () }).map_err(|errors| {
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
        let filter =
            Compiler::default().with_funs(funs).with_global_vars(variables.iter().map(String::as_str)).compile(modules);
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
        let context = Ctx::<data::JustLut<Val>>::new(&self.0.lut, Vars::new(variables));
        let mut results = Vec::new();
        for result in self.0.id.run((context, body)).map(unwrap_valr).take(2) {
            let result = result.map_err(|error| failed(&error))?;
            results.push(result.to_string());
        }
        Ok(Ran::Results(results))
    }
}

fn undefined(name: &str, kind: &compile::Undefined) -> String {
    let shown: String = name.chars().take(60).collect();
    format!("there is no {} `{shown}`", kind.as_str())
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Template")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run(code: &str, body: &str) -> Result<Vec<Value>, Error> {
        let input = Input { body: body.to_owned().into(), variables: Default::default() };
        let input = input.with("headers", json!({"x-topic": "orders/create"}));
        let Ran::Results(results) = Template::compile(&Code { main: code.into() }).unwrap().run(&input)? else {
            panic!("ignored")
        };
        Ok(results.iter().map(|result| serde_json::from_str(result).unwrap()).collect())
    }

    #[test]
    fn a_body_becomes_what_the_filter_says_with_numbers_as_they_came() {
        let code = ".lines as $lines | {payload: {id, total: (.total | tonumber), lines: [$lines[] | {qty: .q}], topic: $headers[\"x-topic\"]}}";
        let body = r#"{"id": 820982911946154508, "total": "404.95", "lines": [{"q": 1}, {"q": 2.50}]}"#;
        let expected = json!({"payload": {"id": 820_982_911_946_154_508_i64, "total": 404.95, "lines": [{"qty": 1}, {"qty": 2.5}], "topic": "orders/create"}});
        assert_eq!(run(code, body).unwrap(), [expected]);
    }

    #[test]
    fn what_a_sender_writes_into_a_text_stays_a_text() {
        let body = r#"{"name": "\", \"is_admin\": true, \"x\": \""}"#;
        assert_eq!(
            run("{payload: {name}}", body).unwrap(),
            [json!({"payload": {"name": "\", \"is_admin\": true, \"x\": \""}})]
        );
    }

    #[test]
    fn no_result_and_several_can_be_told_and_an_endless_stream_is_not_followed() {
        assert_eq!(run("empty", "{}").unwrap(), [] as [Value; 0]);
        assert_eq!(run("repeat(1)", "{}").unwrap(), [json!(1), json!(1)]);
        assert!(run(".a.b", r#"{"a": [1]}"#).unwrap_err().to_string().contains("cannot"));
        assert!(run("error(\"no email\")", "{}").unwrap_err().to_string().contains("no email"));
    }

    #[test]
    fn a_filter_sees_nothing_of_this_machine_and_its_mistakes_have_a_line() {
        for (code, mistake) in [
            ("env", "1: there is no filter `env`"),
            ("$ENV", "1: there is no variable `$ENV`"),
            ("{a: 1}\n| halt", "2: there is no filter `halt`"),
            ("input", "1: there is no filter `input`"),
            ("{a:\n 1", "2: closing brace is due"),
            ("", "1: term is due"),
            ("import \"x\" as x; .", "1: a template cannot have others in it"),
        ] {
            assert_eq!(Code::compiled(code).unwrap_err().to_string(), mistake, "{code}");
        }
    }
}
