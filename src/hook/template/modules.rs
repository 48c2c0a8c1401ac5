//! The modules that a filter includes: which ones it names, and their files.
//!
//! What must stay true: a module is a file within the folder of the template, also behind symbolic links.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Component, Path, PathBuf},
};

use jaq_core::load::{
    Lexer,
    lex::{StrPart, Tok, Token},
};

/// The most modules of a filter, and the most text of them all.
pub(super) const MAX_MODULES: usize = 64;
pub(super) const MAX_TEXT: usize = 1 << 20;
/// A longer text in quotation marks is no name of a module.
const LONGEST_NAME: usize = 200;

/// What stands before the filter itself: the number of its tokens, and the modules that it names.
pub(super) fn header<'s>(tokens: &[Token<&'s str>]) -> (usize, Vec<&'s str>) {
    let (mut done, mut names) = (0, Vec::new());
    while let [Token(word @ ("module" | "include" | "import"), Tok::Word), rest @ ..] = &tokens[done..] {
        let Some(end) = rest.iter().position(|token| token.0 == ";") else { break };
        if let ("include" | "import", Some(Token(_, Tok::Str(parts)))) = (*word, rest.first())
            && let [StrPart::Str(name)] = parts[..]
        {
            names.push(name);
        }
        done += end + 2;
    }
    (done, names)
}

/// The files of all modules of a filter, those of modules too, whether or not they can be read: where one changes, the filter
/// is another.
pub(in crate::hook) fn files(text: &str, folder: &Path) -> BTreeSet<PathBuf> {
    let named = |text: &str| -> Vec<String> {
        let tokens = Lexer::new(text).lex().unwrap_or_default();
        header(&tokens).1.into_iter().filter(|name| is_within(name)).map(str::to_owned).collect()
    };
    let (mut files, mut left) = (BTreeSet::new(), named(text));
    while let Some(name) = left.pop().filter(|_| files.len() < MAX_MODULES) {
        if files.insert(file_of(folder, &name)) {
            left.extend(read(folder, &name).iter().flat_map(|text| named(text)));
        }
    }
    files
}

/// The names in quotation marks that are modules of this folder.
pub(super) fn quoted(folder: &Path, text: &str) -> Vec<String> {
    let names: BTreeSet<&str> = text.split('"').filter(|name| name.len() < LONGEST_NAME && is_within(name)).collect();
    names.into_iter().filter(|name| file_of(folder, name).is_file()).map(str::to_owned).collect()
}

/// The text of a module in this folder.
///
/// # Errors
/// It cannot be read, is larger than a module may be, or not in the folder.
pub(super) fn read(folder: &Path, name: &str) -> Result<String, String> {
    if !is_within(name) {
        return Err(
            "a module is a file in the folder of the template; its name has no `..` and no `/` before it".to_owned()
        );
    }
    let file = file_of(folder, name);
    let unreadable = |error: io::Error| format!("cannot read `{}`: {error}", file.display());
    let (real, root) = (file.canonicalize().map_err(unreadable)?, folder.canonicalize().map_err(unreadable)?);
    if !real.starts_with(&root) {
        return Err(format!("`{}` leads out of the folder of the template", file.display()));
    }
    if fs::metadata(&real).map_err(unreadable)?.len() > MAX_TEXT as u64 {
        return Err(format!("`{}` has more than {MAX_TEXT} bytes", file.display()));
    }
    fs::read_to_string(&real).map_err(unreadable)
}

pub(super) fn file_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.jq"))
}

fn is_within(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}
