//! Python literals, as `search_domain` carries them: what `ast.literal_eval` takes, read into JSON and never evaluated.
//!
//! Tuples and sets become arrays. What JSON cannot hold exactly (bytes, complex numbers, infinities, integers beyond 64
//! bits, lone surrogates) is refused, and so is every name but True, False and None. JSON's own true, false and null are
//! taken too, since callers who build domains from JSON write them. Errors name the character they were found at.
//! The grammar is that of the Python language reference, section 2.4 (literals) and 6.2 (displays).

mod number;
#[cfg(test)]
mod tests;
mod text;

use std::collections::HashSet;

use serde_json::{Map, Value};

/// Nested brackets beyond this are refused: no domain needs them, and the parser's stack is finite.
const MAX_DEPTH: usize = 100;

/// What is wrong with a literal, and at which character (counted from 1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at character {at}")]
pub struct Error {
    pub at: usize,
    pub what: String,
}

/// Reads one literal. The whole text must be that literal, comments and white space aside.
pub fn parse(text: &str) -> Result<Value, Error> {
    let chars: Vec<char> = text.chars().collect();
    let mut parser = Parser { chars: &chars, at: 0, depth: 0, is_hashable: true };
    parser.skip_lines();
    let value = parser.expression_list()?;
    parser.skip_lines();
    match parser.peek() {
        None => Ok(value),
        Some(c) => Err(parser.error(format!("unexpected `{c}`"))),
    }
}

struct Parser<'t> {
    chars: &'t [char],
    at: usize,
    /// How many brackets are open: between them, line ends are white space.
    depth: usize,
    /// The value read last can stand in a set: it holds no list, dict or set.
    is_hashable: bool,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn error(&self, what: impl Into<String>) -> Error {
        Error { at: self.at + 1, what: what.into() }
    }

    fn error_at(&self, at: usize, what: impl Into<String>) -> Error {
        Error { at: at + 1, what: what.into() }
    }

    /// White space and comments; line ends too where a bracket is open.
    fn skip(&mut self) {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\x0c' => self.at += 1,
                '\n' | '\r' if self.depth > 0 => self.at += 1,
                '\\' if matches!(self.peek_at(1), Some('\n' | '\r')) => {
                    self.at += if self.peek_at(1) == Some('\r') && self.peek_at(2) == Some('\n') { 3 } else { 2 };
                }
                '#' => {
                    while self.peek().is_some_and(|c| c != '\n' && c != '\r') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// White space, comments and line ends around the whole literal.
    fn skip_lines(&mut self) {
        self.skip();
        while matches!(self.peek(), Some('\n' | '\r')) {
            self.at += 1;
            self.skip();
        }
    }

    /// A value, or several with commas between them: a tuple that needs no brackets.
    fn expression_list(&mut self) -> Result<Value, Error> {
        let first = self.value()?;
        self.skip();
        if self.peek() != Some(',') {
            return Ok(first);
        }
        let mut items = vec![first];
        let mut is_hashable = self.is_hashable;
        while self.peek() == Some(',') {
            self.at += 1;
            self.skip();
            if matches!(self.peek(), None | Some(')' | '\n' | '\r')) {
                break;
            }
            items.push(self.value()?);
            is_hashable &= self.is_hashable;
            self.skip();
        }
        self.is_hashable = is_hashable;
        Ok(Value::Array(items))
    }

    fn value(&mut self) -> Result<Value, Error> {
        self.skip();
        self.is_hashable = true;
        match self.peek() {
            None => Err(self.error("the literal ends where a value is due")),
            Some('[') => self.bracketed(Self::list),
            Some('(') => self.bracketed(Self::tuple),
            Some('{') => self.bracketed(Self::dict_or_set),
            Some('+' | '-') => self.signed(),
            Some(c) if c.is_ascii_digit() => self.number(""),
            Some('.') if self.peek_at(1).is_some_and(|c| c.is_ascii_digit()) => self.number(""),
            Some('"' | '\'') => self.strings(),
            Some(c) if c.is_alphabetic() || c == '_' => {
                if self.string_prefix().is_some() {
                    self.strings()
                } else {
                    self.name()
                }
            }
            Some(c) => Err(self.error(format!("unexpected `{c}`"))),
        }
    }

    fn bracketed(&mut self, inside: fn(&mut Self) -> Result<Value, Error>) -> Result<Value, Error> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(format!("more than {MAX_DEPTH} brackets inside one another")));
        }
        self.at += 1;
        self.depth += 1;
        let value = inside(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Value, Error> {
        let items = self.items(']')?;
        self.is_hashable = false;
        Ok(Value::Array(items))
    }

    /// `()`, `(1,)` and `(1, 2)` are tuples; `(1)` is 1.
    fn tuple(&mut self) -> Result<Value, Error> {
        self.skip();
        if self.peek() == Some(')') {
            self.at += 1;
            return Ok(Value::Array(Vec::new()));
        }
        let value = self.expression_list()?;
        self.close(')')?;
        Ok(value)
    }

    fn dict_or_set(&mut self) -> Result<Value, Error> {
        self.skip();
        if self.peek() == Some('}') {
            self.at += 1;
            self.is_hashable = false;
            return Ok(Value::Object(Map::new()));
        }
        let start = self.at;
        let first = self.value()?;
        self.skip();
        if self.peek() != Some(':') {
            return self.set(first, start);
        }
        let mut entries = Map::new();
        let (mut key, mut key_at) = (first, start);
        loop {
            self.skip();
            if self.next() != Some(':') {
                self.at -= 1;
                return Err(self.error("`:` is due after a key"));
            }
            let Value::String(name) = key else { return Err(self.error_at(key_at, "a key must be a text")) };
            entries.insert(name, self.value()?);
            self.is_hashable = false;
            self.skip();
            if self.peek() == Some(',') {
                self.at += 1;
                self.skip();
            } else {
                self.close('}')?;
                return Ok(Value::Object(entries));
            }
            if self.peek() == Some('}') {
                self.at += 1;
                return Ok(Value::Object(entries));
            }
            key_at = self.at;
            key = self.value()?;
        }
    }

    /// `set()`, the one call that literal_eval takes.
    fn empty_set(&mut self, start: usize) -> Result<Value, Error> {
        self.skip();
        if self.peek() == Some('(') {
            self.at += 1;
            self.depth += 1;
            self.skip();
            self.depth -= 1;
            if self.peek() == Some(')') {
                self.at += 1;
                self.is_hashable = false;
                return Ok(Value::Array(Vec::new()));
            }
        }
        Err(self.error_at(start, "only `set()` can be called, without arguments"))
    }

    /// A set holds each value once, and none that can change.
    fn set(&mut self, first: Value, start: usize) -> Result<Value, Error> {
        let mut items = self.rest_of_items(first, '}')?;
        let mut seen = HashSet::new();
        items.retain(|item| seen.insert(item.to_string()));
        if !self.is_hashable {
            return Err(self.error_at(start, "a set cannot hold a list, a dict or a set"));
        }
        self.is_hashable = false;
        Ok(Value::Array(items))
    }

    fn items(&mut self, close: char) -> Result<Vec<Value>, Error> {
        self.skip();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(Vec::new());
        }
        let first = self.value()?;
        self.rest_of_items(first, close)
    }

    fn rest_of_items(&mut self, first: Value, close: char) -> Result<Vec<Value>, Error> {
        let mut items = vec![first];
        let mut is_hashable = self.is_hashable;
        loop {
            self.skip();
            if self.peek() != Some(',') {
                self.close(close)?;
                break;
            }
            self.at += 1;
            self.skip();
            if self.peek() == Some(close) {
                self.at += 1;
                break;
            }
            items.push(self.value()?);
            is_hashable &= self.is_hashable;
        }
        self.is_hashable = is_hashable;
        Ok(items)
    }

    fn close(&mut self, bracket: char) -> Result<(), Error> {
        self.skip();
        match self.peek() {
            Some(c) if c == bracket => {
                self.at += 1;
                Ok(())
            }
            Some(c) => Err(self.error(format!("`,` or `{bracket}` is due, not `{c}`"))),
            None => Err(self.error(format!("`{bracket}` is missing"))),
        }
    }

    fn name(&mut self) -> Result<Value, Error> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            self.at += 1;
        }
        let name: String = self.chars[start..self.at].iter().collect();
        match name.as_str() {
            "True" | "true" => Ok(Value::Bool(true)),
            "False" | "false" => Ok(Value::Bool(false)),
            "None" | "null" => Ok(Value::Null),
            // The one call that literal_eval takes.
            "set" => self.empty_set(start),
            _ => Err(self.error_at(start, format!("`{name}` is a name, not a value: write the value itself"))),
        }
    }
}
