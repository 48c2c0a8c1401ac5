//! Where the parts of a filter begin in its text. jaq keeps the places of names, numbers and texts alone, and those tell where
//! most of the others are.
//!
//! What must stay true: a place that is not known is none, and not a guess.

use jaq_core::{
    load::{
        lex::StrPart,
        parse::{Pattern, Term},
    },
    path::{Opt, Part},
};

use super::place::offset_in;

/// Where a term begins.
pub(super) fn of_term(code: &str, term: &Term<&str>) -> Option<usize> {
    match term {
        Term::Id | Term::Recurse | Term::Arr(None) => None,
        Term::Num(text) | Term::Var(text) | Term::Break(text) | Term::Label(text, _) => offset_in(code, text),
        Term::Fold(text, ..) | Term::Call(text, _) | Term::Str(Some(text), _) => offset_in(code, text),
        Term::Str(None, parts) => match parts.first()? {
            StrPart::Str(text) => before(code, offset_in(code, text)?, '"'),
            StrPart::Term(_) | StrPart::Char(_) => None,
        },
        Term::Arr(Some(of)) | Term::Neg(of) | Term::TryCatch(of, _) => of_term(code, of),
        Term::Obj(members) => members.first().and_then(|(key, _)| of_term(code, key)),
        Term::BinOp(left, _, right) => of_term(code, left).or_else(|| of_term(code, right)),
        Term::IfThenElse(branches, _) => branches.first().and_then(|(condition, _)| of_term(code, condition)),
        Term::Def(defs, _) => defs.first().and_then(|def| offset_in(code, def.name)),
        Term::Path(of, parts) => of_path(code, of, &parts.0),
    }
}

pub(super) fn of_path(code: &str, of: &Term<&str>, parts: &[(Part<Term<&str>>, Opt)]) -> Option<usize> {
    of_term(code, of).or_else(|| parts.iter().find_map(|(part, _)| of_part(code, part)))
}

pub(super) fn of_part(code: &str, part: &Part<Term<&str>>) -> Option<usize> {
    match part {
        Part::Index(Term::Str(None, parts)) => {
            let [StrPart::Str(name)] = parts[..] else { return None };
            let name = before(code, offset_in(code, name)?, '"')?;
            before(code, before(code, name, '[')?, '.')
        }
        Part::Index(term) | Part::Range(Some(term), _) | Part::Range(None, Some(term)) => of_term(code, term),
        Part::Range(None, None) => None,
    }
}

/// The place of this character where it stands directly before.
fn before(code: &str, offset: usize, c: char) -> Option<usize> {
    let before = code.get(..offset)?;
    Some(if before.ends_with(c) { offset - c.len_utf8() } else { offset })
}

pub(super) fn of_pattern(code: &str, pattern: &Pattern<&str>) -> Option<usize> {
    match pattern {
        Pattern::Var(name) => offset_in(code, name),
        Pattern::Arr(items) => items.iter().find_map(|item| of_pattern(code, item)),
        Pattern::Obj(members) => members.iter().find_map(|(_, value)| of_pattern(code, value)),
    }
}
