//! The text of a filter in which each part that may fail says where it stands: `.total | tonumber` becomes
//! `__at(1; …) | __at(9; tonumber)`. jaq's own errors have no place.
//!
//! What must stay true: the traced filter is run for its place alone, after the filter itself has failed. So it may be slower, and
//! where it does not compile or fails otherwise, no place is told. A call of the filter's own functions is left as it is, since
//! jaq would no longer see that it is the last thing that a function does, and endless loops would need endless memory.

use jaq_core::load::{
    Lexer, Parser,
    lex::StrPart,
    parse::{BinaryOp, Def, Pattern, Term},
};
use jaq_core::path::{Opt, Part};

use super::{modules::header, place::offset_in, starts};

/// The functions of a traced filter: `__at(place; f)` and `__caught`. A filter that is not traced cannot call them.
pub(super) const AT: &str = "__at";
pub(super) const CAUGHT: &str = "__caught";
/// The bits of a place that count bytes; those above are the number of the text.
const OFFSET_BITS: u32 = 32;

/// A place in one of the texts of a filter, as a number in the traced filter.
pub(super) fn number(text: usize, offset: usize) -> usize {
    (text << OFFSET_BITS) | offset
}

/// The text and the byte in it of such a number.
pub(super) fn text_and_offset(number: usize) -> (usize, usize) {
    (number >> OFFSET_BITS, number & ((1 << OFFSET_BITS) - 1))
}

/// The traced text of a filter, which is the text of this number.
pub(super) fn filter(code: &str, text: usize, functions: &[String]) -> Option<String> {
    let tokens = Lexer::new(code).lex().ok()?;
    let (head, _) = header(&tokens);
    let term = Parser::new(&tokens[head..]).parse(|parser| parser.term()).ok()?;
    let mut traced = Traced::new(code, text, functions);
    traced.keep_head(tokens.get(head).map(|token| token.0));
    traced.term(&term);
    Some(traced.written)
}

/// The traced text of a module, which is the text of this number.
pub(super) fn module(code: &str, text: usize, functions: &[String]) -> Option<String> {
    let tokens = Lexer::new(code).lex().ok()?;
    let (head, _) = header(&tokens);
    let defs = Parser::new(&tokens[head..]).parse(|parser| parser.defs()).ok()?;
    let mut traced = Traced::new(code, text, functions);
    traced.keep_head(tokens.get(head).map(|token| token.0));
    traced.defs(&defs);
    Some(traced.written)
}

/// The names of the functions that a module defines.
pub(super) fn functions(code: &str) -> Vec<String> {
    let tokens = Lexer::new(code).lex().unwrap_or_default();
    let (head, _) = header(&tokens);
    let defs = Parser::new(&tokens[head..]).parse(|parser| parser.defs()).unwrap_or_default();
    defs.into_iter().map(|def| def.name.to_owned()).collect()
}

struct Traced<'s> {
    code: &'s str,
    text: usize,
    /// The names of functions that are the filter's own.
    own: Vec<&'s str>,
    /// The number of definitions that this place is within.
    depth: usize,
    written: String,
}

impl<'s> Traced<'s> {
    fn new(code: &'s str, text: usize, functions: &'s [String]) -> Self {
        let own = functions.iter().map(String::as_str).collect();
        Self { code, text, own, depth: 0, written: String::new() }
    }

    /// The `include`s stay as they are.
    fn keep_head(&mut self, first: Option<&str>) {
        let end = first.and_then(|first| offset_in(self.code, first)).unwrap_or(self.code.len());
        self.put(&self.code[..end]);
        self.put("\n");
    }

    fn put(&mut self, text: &str) {
        self.written.push_str(text);
    }

    /// What is written between, with its place where that is known.
    fn at(&mut self, offset: Option<usize>, write: impl FnOnce(&mut Self)) {
        match offset {
            Some(offset) => {
                self.put(&format!("{AT}({}; ", number(self.text, offset)));
                write(self);
                self.put(")");
            }
            None => self.grouped(write),
        }
    }

    fn grouped(&mut self, write: impl FnOnce(&mut Self)) {
        self.put("(");
        write(self);
        self.put(")");
    }

    /// A term that can stand anywhere.
    fn term(&mut self, term: &Term<&'s str>) {
        match term {
            Term::Id => self.put("."),
            Term::Recurse => self.put(".."),
            Term::Num(number) => self.grouped(|traced| traced.put(number)),
            Term::Var(name) => self.put(name),
            Term::Break(label) => self.grouped(|traced| traced.put(&format!("break {label}"))),
            Term::Str(None, parts) => self.string(parts),
            Term::Str(Some(format), parts) => self.at(starts::of_term(self.code, term), |traced| {
                traced.put(format);
                traced.put(" ");
                traced.string(parts);
            }),
            Term::Arr(None) => self.put("[]"),
            Term::Arr(Some(items)) => {
                self.put("[");
                self.term(items);
                self.put("]");
            }
            Term::Obj(members) => self.object(members),
            Term::Neg(of) => self.at(starts::of_term(self.code, of), |traced| {
                traced.put("- ");
                traced.term(of);
            }),
            Term::BinOp(left, op, right) => self.operation(left, op, right),
            Term::Label(name, body) => self.grouped(|traced| {
                traced.put(&format!("label {name} | "));
                traced.term(body);
            }),
            Term::Fold(name, of, pattern, args) => self.grouped(|traced| {
                traced.put(name);
                traced.put(" ");
                traced.term(of);
                traced.put(" as ");
                traced.pattern(pattern);
                traced.args(args);
            }),
            Term::TryCatch(of, catch) => self.grouped(|traced| {
                traced.put("try ");
                traced.term(of);
                traced.put(&format!(" catch ({CAUGHT} | "));
                match catch {
                    Some(catch) => traced.term(catch),
                    None => traced.put("{}[]"),
                }
                traced.put(")");
            }),
            Term::IfThenElse(branches, last) => self.grouped(|traced| {
                for (at, (condition, then)) in branches.iter().enumerate() {
                    traced.put(if at == 0 { "if " } else { " elif " });
                    traced.term(condition);
                    traced.put(" then ");
                    traced.term(then);
                }
                if let Some(last) = last {
                    traced.put(" else ");
                    traced.term(last);
                }
                traced.put(" end");
            }),
            Term::Def(defs, body) => {
                let known = self.own.len();
                self.grouped(|traced| {
                    traced.defs(defs);
                    traced.term(body);
                });
                self.own.truncate(known);
            }
            Term::Call(name, args) => {
                let is_own = name.contains("::") || self.own.contains(name);
                let place = if is_own { None } else { offset_in(self.code, name) };
                self.at(place, |traced| {
                    traced.put(name);
                    traced.args(args);
                });
            }
            Term::Path(of, path) => self.path(of, &path.0),
        }
    }

    /// Each part of a path with a place of its own: `.a.b` is `(.a).b`.
    fn path(&mut self, of: &Term<&'s str>, parts: &[(Part<Term<&'s str>>, Opt)]) {
        let Some(((part, optional), before)) = parts.split_last() else { return self.term(of) };
        let place = starts::of_part(self.code, part).or_else(|| starts::of_path(self.code, of, before));
        self.at(place, |traced| {
            traced.path(of, before);
            traced.put("[");
            match part {
                Part::Index(index) => traced.term(index),
                Part::Range(None, None) => {}
                Part::Range(from, to) => {
                    from.iter().for_each(|from| traced.term(from));
                    traced.put(":");
                    to.iter().for_each(|to| traced.term(to));
                }
            }
            traced.put(if matches!(optional, Opt::Optional) { "]?" } else { "]" });
        });
    }

    fn string(&mut self, parts: &[StrPart<&'s str, Term<&'s str>>]) {
        self.put("\"");
        for part in parts {
            match part {
                StrPart::Str(text) => self.put(text),
                // An escape of four digits is all that jaq reads, and all that such a character can have been.
                StrPart::Char(c) => self.put(&format!("\\u{:04x}", u32::from(*c))),
                StrPart::Term(term) => {
                    self.put("\\(");
                    self.term(term);
                    self.put(")");
                }
            }
        }
        self.put("\"");
    }

    fn object(&mut self, members: &[(Term<&'s str>, Option<Term<&'s str>>)]) {
        self.put("{");
        for (at, (key, value)) in members.iter().enumerate() {
            self.put(if at == 0 { "" } else { ", " });
            match value {
                Some(value) => {
                    self.grouped(|traced| traced.term(key));
                    self.put(": ");
                    self.grouped(|traced| traced.term(value));
                }
                // `{a}`, `{"a"}` and `{$a}`.
                None => match key {
                    Term::Str(format, parts) => {
                        format.iter().for_each(|format| self.put(&format!("{format} ")));
                        self.string(parts);
                    }
                    key => self.term(key),
                },
            }
        }
        self.put("}");
    }

    fn operation(&mut self, left: &Term<&'s str>, op: &BinaryOp<&'s str>, right: &Term<&'s str>) {
        let place = match op {
            BinaryOp::Pipe(None | Some(Pattern::Var(_)))
            | BinaryOp::Comma
            | BinaryOp::Alt
            | BinaryOp::Or
            | BinaryOp::And
            | BinaryOp::Cmp(_) => None,
            // What takes a value apart may fail; within a function, the rest may call it again.
            BinaryOp::Pipe(Some(_)) if self.depth > 0 => None,
            BinaryOp::Pipe(Some(pattern)) => starts::of_pattern(self.code, pattern),
            BinaryOp::Math(_) | BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                starts::of_term(self.code, left).or_else(|| starts::of_term(self.code, right))
            }
        };
        self.at(place, |traced| {
            traced.term(left);
            match op {
                BinaryOp::Pipe(None) => traced.put(" | "),
                BinaryOp::Pipe(Some(pattern)) => {
                    traced.put(" as ");
                    traced.pattern(pattern);
                    traced.put(" | ");
                }
                BinaryOp::Comma => traced.put(", "),
                BinaryOp::Alt => traced.put(" // "),
                BinaryOp::Or => traced.put(" or "),
                BinaryOp::And => traced.put(" and "),
                BinaryOp::Math(op) => traced.put(&format!(" {} ", op.as_str())),
                BinaryOp::Cmp(op) => traced.put(&format!(" {} ", op.as_str())),
                BinaryOp::Assign => traced.put(" = "),
                BinaryOp::Update => traced.put(" |= "),
                BinaryOp::UpdateMath(op) => traced.put(&format!(" {}= ", op.as_str())),
                BinaryOp::UpdateAlt => traced.put(" //= "),
            }
            traced.term(right);
        });
    }

    fn pattern(&mut self, pattern: &Pattern<&'s str>) {
        match pattern {
            Pattern::Var(name) => self.put(name),
            Pattern::Arr(items) => {
                self.put("[");
                for (at, item) in items.iter().enumerate() {
                    self.put(if at == 0 { "" } else { ", " });
                    self.pattern(item);
                }
                self.put("]");
            }
            Pattern::Obj(members) => {
                self.put("{");
                for (at, (key, value)) in members.iter().enumerate() {
                    self.put(if at == 0 { "" } else { ", " });
                    self.grouped(|traced| traced.term(key));
                    self.put(": ");
                    self.pattern(value);
                }
                self.put("}");
            }
        }
    }

    fn args(&mut self, args: &[Term<&'s str>]) {
        for (at, arg) in args.iter().enumerate() {
            self.put(if at == 0 { "(" } else { "; " });
            self.term(arg);
        }
        self.put(if args.is_empty() { "" } else { ")" });
    }

    /// Definitions, whose names are known behind them.
    fn defs(&mut self, defs: &[Def<&'s str>]) {
        for Def { name, args, body } in defs {
            self.own.push(name);
            let known = self.own.len();
            self.own.extend(args);
            self.depth += 1;
            let list = if args.is_empty() { String::new() } else { format!("({})", args.join("; ")) };
            self.put(&format!("def {name}{list}: "));
            self.term(body);
            self.put("; ");
            self.depth -= 1;
            self.own.truncate(known);
        }
    }
}
