//! The text of a filter, with the modules that it includes, and the reasons why it does not compile.
//!
//! `include "shared";` and `import "shared" as shared;` take definitions from `shared.jq` in the folder of the template. They are
//! read when the filter is loaded, so that a worker needs no files.
//!
//! What must stay true: the text of a filter and its modules is bounded.

use std::{path::Path, sync::Arc};

use jaq_core::{
    compile,
    load::{self, Arena, File, Import, Loader, Modules},
};
use serde::{Deserialize, Serialize};

use super::{
    functions,
    modules::{self, MAX_MODULES, MAX_TEXT},
    place::{Place, offset_in},
    traced,
};

/// The text of a filter, and those of its modules.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in crate::hook) struct Code {
    pub(super) main: Arc<str>,
    pub(super) modules: Arc<[Module]>,
}

/// A file of definitions.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Module {
    /// As it is included, without `.jq`.
    pub(super) name: String,
    pub(super) text: String,
}

/// Why a filter does not compile, with its place: `3:14: …`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(Box<Cause>);

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("{module}{place}: {what}{}", place.shown())]
    Placed { module: ModuleName, place: Place, what: String },
    #[error("{0}")]
    Unplaced(String),
}

/// The file of a place where it is not the filter's own.
#[derive(Debug)]
struct ModuleName(Option<String>);

impl std::fmt::Display for ModuleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |name| write!(f, "{name}.jq:"))
    }
}

/// The number of a text in a filter's: 0 is jq's own definitions, [`MAIN`] the filter, the others its modules from 1 on.
type TextId = usize;
const MAIN: TextId = usize::MAX;

impl Code {
    /// Reads the modules of a filter, from this folder.
    ///
    /// # Errors
    /// The filter or a module cannot be read, or has a mistake in its form.
    pub(super) fn read(text: &str, folder: &Path) -> Result<Self, Mistake> {
        let (mut read, mut size) = (Vec::<Module>::new(), text.len());
        let find = |import: Import<'_, &str, TextId>| {
            let name = *import.path;
            if import.meta.is_some() {
                return Err("it is read from the folder of the template; nothing stands behind its name".to_owned());
            }
            if let Some(at) = read.iter().position(|module| module.name == name) {
                return Ok(File { code: read[at].text.clone(), path: at + 1 });
            }
            let text = modules::read(folder, name)?;
            size += text.len();
            if read.len() == MAX_MODULES || size > MAX_TEXT {
                return Err(format!("a template has {MAX_MODULES} modules at most, and {MAX_TEXT} bytes with them"));
            }
            read.push(Module { name: name.to_owned(), text: text.clone() });
            Ok(File { code: text, path: read.len() })
        };
        let arena = Arena::default();
        let loaded = Loader::new(functions::defs()).with_read(find).load(&arena, File { code: text, path: MAIN });
        let loaded = loaded.map(drop);
        let code = Self { main: text.into(), modules: read.into() };
        loaded.map_err(|errors| code.unreadable(&errors)).map(|()| code)
    }

    /// A filter of which nothing is known, with the modules that it may include; they are found by their names in its text.
    /// It is neither read nor compiled here: a person wrote it, and that may take any amount of stack.
    ///
    /// # Errors
    /// A module cannot be read, or there is too much text.
    pub(in crate::hook) fn unread(text: &str, folder: &Path) -> Result<Self, String> {
        let (mut modules, mut size) = (Vec::<Module>::new(), text.len());
        let mut texts = vec![text.to_owned()];
        while let Some(text) = texts.pop() {
            for name in modules::quoted(folder, &text) {
                if modules.iter().any(|module| module.name == name) {
                    continue;
                }
                let text = modules::read(folder, &name)?;
                size += text.len();
                if modules.len() == MAX_MODULES {
                    return Err(format!("a template has {MAX_MODULES} modules at most"));
                }
                texts.push(text.clone());
                modules.push(Module { name, text });
            }
        }
        if size > MAX_TEXT {
            return Err(format!("a template has {MAX_TEXT} bytes at most, with its modules"));
        }
        Ok(Self { main: text.into(), modules: modules.into() })
    }

    /// The filter and its modules as jaq has them.
    ///
    /// # Errors
    /// One has a mistake in its form.
    pub(super) fn load<'a>(&'a self, arena: &'a Arena) -> Result<Modules<&'a str, TextId>, Mistake> {
        let read = |import: Import<'_, &str, TextId>| {
            let found = self.modules.iter().position(|module| module.name == *import.path);
            let at = found.ok_or_else(|| "it was not read".to_owned())?;
            Ok(File { code: self.modules[at].text.clone(), path: at + 1 })
        };
        let modules = Loader::new(functions::defs()).with_read(read).load(arena, File { code: &self.main, path: MAIN });
        let modules = modules.map_err(|errors| self.unreadable(&errors))?;
        let no_data =
            |_: Import<'_, &str, TextId>| Err("data cannot be imported; `[hook.vars]` has constants".to_owned());
        load::import(&modules, no_data).map_err(|errors| self.unreadable(&errors))?;
        Ok(modules)
    }

    /// The code with the place of each part in it; none where it cannot be had.
    pub(super) fn traced(&self) -> Option<Self> {
        let own: Vec<String> = self.modules.iter().flat_map(|module| traced::functions(&module.text)).collect();
        let modules = self.modules.iter().enumerate().map(|(at, module)| {
            let text = traced::module(&module.text, at + 1, &own)?;
            Some(Module { name: module.name.clone(), text })
        });
        let modules = modules.collect::<Option<Vec<_>>>()?;
        Some(Self { main: traced::filter(&self.main, 0, &own)?.into(), modules: modules.into() })
    }

    /// Where this number of a place is, and the line with a marker.
    pub(super) fn place(&self, number: usize) -> Option<(String, String)> {
        let (text, offset) = traced::text_and_offset(number);
        let (name, text) = match text.checked_sub(1) {
            None => (String::new(), &*self.main),
            Some(at) => self.modules.get(at).map(|module| (format!("{}.jq, ", module.name), &*module.text))?,
        };
        let place = Place::of(text, offset);
        Some((format!("{name}line {}, column {}", place.line, place.column), place.shown()))
    }

    fn unreadable(&self, errors: &load::Errors<&str, TextId>) -> Mistake {
        // A module that cannot be read has no text to have an error of its own, and so the first error is the deepest.
        let Some((file, error)) = errors.last() else { return unplaced("it cannot be read") };
        let (at, what) = match error {
            load::Error::Io(errors) => match errors.first() {
                Some((name, why)) => (*name, format!("the module `{}`: {why}", shown(name))),
                None => return unplaced("a module cannot be read"),
            },
            load::Error::Lex(errors) => match errors.first() {
                Some((expected, at)) => (*at, format!("{} is due", expected.as_str())),
                None => return unplaced("it cannot be read"),
            },
            load::Error::Parse(errors) => match errors.first() {
                Some((expected, at)) => (*at, format!("{} is due", expected.as_str())),
                None => return unplaced("it cannot be read"),
            },
        };
        self.mistake(file, at, what)
    }

    /// What is undefined.
    pub(super) fn undefined(&self, errors: &compile::Errors<&str, TextId>) -> Mistake {
        match errors.first().and_then(|(file, errors)| Some((file, errors.first()?))) {
            Some((file, (name, kind))) => self.mistake(file, name, undefined(name, kind)),
            None => unplaced("it cannot be compiled"),
        }
    }

    fn mistake(&self, file: &File<&str, TextId>, at: &str, what: String) -> Mistake {
        let module = file.path.checked_sub(1).and_then(|at| self.modules.get(at));
        let Some(offset) = offset_in(file.code, at) else { return Mistake(Box::new(Cause::Unplaced(what))) };
        let module = ModuleName(module.map(|module| module.name.clone()));
        Mistake(Box::new(Cause::Placed { module, place: Place::of(file.code, offset), what }))
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code")
    }
}

impl Mistake {
    /// The mistake with the file that it is in, where the filter is in this one.
    pub(in crate::hook) fn of(&self, template: &Path) -> String {
        match &*self.0 {
            Cause::Placed { module: ModuleName(Some(_)), .. } => match template.parent() {
                Some(folder) => format!("{}", folder.join(self.to_string()).display()),
                None => self.to_string(),
            },
            Cause::Placed { .. } => format!("{}:{self}", template.display()),
            Cause::Unplaced(what) => format!("{}: {what}", template.display()),
        }
    }
}

fn unplaced(what: &str) -> Mistake {
    Mistake(Box::new(Cause::Unplaced(what.to_owned())))
}

fn shown(name: &str) -> String {
    name.chars().take(60).collect()
}

fn undefined(name: &str, kind: &compile::Undefined) -> String {
    let shown = shown(name);
    match kind {
        compile::Undefined::Filter(0) => format!("there is no function `{shown}` without arguments"),
        compile::Undefined::Filter(1) => format!("there is no function `{shown}` with 1 argument"),
        compile::Undefined::Filter(arguments) => format!("there is no function `{shown}` with {arguments} arguments"),
        other => format!("there is no {} `{shown}`", other.as_str()),
    }
}
