//! Strings of a Python literal (language reference, section 2.4.1): prefixes, quotes, escapes, and strings side by side.

use serde_json::Value;

use super::{Error, Parser};

impl Parser<'_> {
    /// How long a string's prefix is, if a string with a prefix begins here.
    pub(super) fn string_prefix(&self) -> Option<usize> {
        let length = (0..3).find(|&ahead| matches!(self.peek_at(ahead), Some('"' | '\'')))?;
        (0..length).all(|ahead| self.peek_at(ahead).is_some_and(|c| c.is_ascii_alphabetic())).then_some(length)
    }

    /// One or more strings side by side, which Python joins.
    pub(super) fn strings(&mut self) -> Result<Value, Error> {
        let mut joined = String::new();
        loop {
            joined.push_str(&self.string()?);
            self.skip();
            if self.string_prefix().is_none() {
                return Ok(Value::String(joined));
            }
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        let start = self.at;
        let prefix_length = self.string_prefix().unwrap_or(0);
        let prefix: String = self.chars[start..start + prefix_length].iter().collect::<String>().to_ascii_lowercase();
        let raw = match prefix.as_str() {
            "" | "u" => false,
            "r" => true,
            "b" | "br" | "rb" => return Err(self.error("bytes have no place here: write a text")),
            _ => return Err(self.error(format!("a string cannot begin with `{prefix}`"))),
        };
        self.at += prefix_length;
        let Some(quote) = self.next() else { return Err(self.error("a string is due")) };
        let triple = self.peek() == Some(quote) && self.peek_at(1) == Some(quote);
        if triple {
            self.at += 2;
        }
        let mut text = String::new();
        loop {
            let at = self.at;
            match self.next() {
                None => return Err(self.error_at(start, "a string that does not end")),
                Some('\n' | '\r') if !triple => {
                    return Err(self.error_at(start, "a string that does not end on its line"));
                }
                Some('\r') => {
                    // Python reads every line end as \n.
                    if self.peek() == Some('\n') {
                        self.at += 1;
                    }
                    text.push('\n');
                }
                Some('\0') => return Err(self.error_at(at, "a NUL character")),
                Some(c) if c == quote && !triple => return Ok(text),
                Some(c) if c == quote && self.peek() == Some(quote) && self.peek_at(1) == Some(quote) => {
                    self.at += 2;
                    return Ok(text);
                }
                Some('\\') if raw => {
                    text.push('\\');
                    match self.peek() {
                        Some('\r') => {}
                        Some(c) => {
                            self.at += 1;
                            text.push(c);
                        }
                        None => {}
                    }
                }
                Some('\\') => self.escape(at, &mut text)?,
                Some(c) => text.push(c),
            }
        }
    }

    /// What follows a backslash (Python language reference, 2.4.1.1). An unknown escape keeps its backslash.
    fn escape(&mut self, at: usize, text: &mut String) -> Result<(), Error> {
        let Some(c) = self.next() else { return Err(self.error_at(at, "a string that does not end")) };
        match c {
            '\n' => {}
            '\r' => {
                if self.peek() == Some('\n') {
                    self.at += 1;
                }
            }
            '\\' | '\'' | '"' => text.push(c),
            'a' => text.push('\x07'),
            'b' => text.push('\x08'),
            'f' => text.push('\x0c'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'v' => text.push('\x0b'),
            'x' => text.push(self.hex(at, 2)?),
            'u' => text.push(self.hex(at, 4)?),
            'U' => text.push(self.hex(at, 8)?),
            'N' => return Err(self.error_at(at, "a character by its name: write the character itself")),
            '0'..='7' => {
                let mut code = c.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
                    code = code * 8 + digit;
                    self.at += 1;
                }
                text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            other => {
                text.push('\\');
                text.push(other);
            }
        }
        Ok(())
    }

    fn hex(&mut self, at: usize, length: usize) -> Result<char, Error> {
        let mut code: u32 = 0;
        for _ in 0..length {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) else {
                return Err(self.error_at(at, format!("{length} hexadecimal digits are due")));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        char::from_u32(code).ok_or_else(|| self.error_at(at, "no character: half of a pair, or beyond Unicode"))
    }
}
