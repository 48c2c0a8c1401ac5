//! Numbers of a Python literal (language reference, sections 2.4.4 to 2.4.6), exactly or not at all.

use serde_json::{Number, Value};

use super::{Error, Parser};

impl Parser<'_> {
    /// A sign stands before a number only, and only one: `--1` and `-True` are expressions, not literals.
    pub(super) fn signed(&mut self) -> Result<Value, Error> {
        let sign = if self.next() == Some('-') { "-" } else { "" };
        self.skip();
        match self.peek() {
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(sign),
            // `-(1)` is a number in brackets, which literal_eval takes.
            Some('(') => {
                let at = self.at;
                let value = self.bracketed(Self::tuple)?;
                match (&value, sign) {
                    (Value::Number(_), "") => Ok(value),
                    (Value::Number(number), _) => {
                        negated(number).ok_or_else(|| self.error_at(at, "a number is due after a sign"))
                    }
                    _ => Err(self.error_at(at, "a number is due after a sign")),
                }
            }
            _ => Err(self.error("a number is due after a sign")),
        }
    }

    pub(super) fn number(&mut self, sign: &str) -> Result<Value, Error> {
        let start = self.at;
        let value = match (self.peek(), self.peek_at(1).map(|c| c.to_ascii_lowercase())) {
            (Some('0'), Some('x')) => self.radix(sign, 16)?,
            (Some('0'), Some('o')) => self.radix(sign, 8)?,
            (Some('0'), Some('b')) => self.radix(sign, 2)?,
            _ => self.decimal(sign)?,
        };
        match self.peek() {
            Some('j' | 'J') => Err(self.error_at(start, "a complex number has no place here")),
            Some(c) if c.is_alphanumeric() || c == '_' => Err(self.error(format!("unexpected `{c}` in a number"))),
            _ => Ok(value),
        }
    }

    fn radix(&mut self, sign: &str, radix: u32) -> Result<Value, Error> {
        let start = self.at;
        self.at += 2;
        if self.peek() == Some('_') {
            self.at += 1;
        }
        let digits = self.digits(radix)?;
        if digits.is_empty() {
            return Err(self.error("a digit is due"));
        }
        let magnitude = u128::from_str_radix(&digits, radix).ok();
        magnitude.and_then(|m| integer(sign, m)).ok_or_else(|| self.error_at(start, "an integer beyond 64 bits"))
    }

    fn decimal(&mut self, sign: &str) -> Result<Value, Error> {
        let start = self.at;
        let whole = self.digits(10)?;
        let mut text = whole.clone();
        let mut is_float = false;
        if self.peek() == Some('.') {
            self.at += 1;
            is_float = true;
            text.push('.');
            text.push_str(&self.digits(10)?);
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.at += 1;
            is_float = true;
            text.push('e');
            if let Some(sign @ ('+' | '-')) = self.peek() {
                self.at += 1;
                text.push(sign);
            }
            let exponent = self.digits(10)?;
            if exponent.is_empty() {
                return Err(self.error("a digit is due"));
            }
            text.push_str(&exponent);
        }
        if is_float {
            let float: f64 = format!("{sign}{text}").parse().map_err(|_| self.error_at(start, "no number"))?;
            return Number::from_f64(float)
                .map(Value::Number)
                .ok_or_else(|| self.error_at(start, "a number too large"));
        }
        if whole.len() > 1 && whole.starts_with('0') && whole.bytes().any(|digit| digit != b'0') {
            return Err(self.error_at(start, "an integer with a leading zero"));
        }
        let magnitude: Option<u128> = whole.parse().ok();
        magnitude.and_then(|m| integer(sign, m)).ok_or_else(|| self.error_at(start, "an integer beyond 64 bits"))
    }

    /// Digits with single underscores between them, which are left out.
    fn digits(&mut self, radix: u32) -> Result<String, Error> {
        let mut digits = String::new();
        while let Some(c) = self.peek() {
            if c.is_digit(radix) {
                digits.push(c);
            } else if c == '_' && !digits.is_empty() {
                if !self.peek_at(1).is_some_and(|next| next.is_digit(radix)) {
                    return Err(self.error("unexpected `_` in a number"));
                }
            } else {
                break;
            }
            self.at += 1;
        }
        Ok(digits)
    }
}

fn integer(sign: &str, magnitude: u128) -> Option<Value> {
    if sign == "-" {
        let value = i128::try_from(magnitude).ok()?.checked_neg()?;
        return i64::try_from(value).ok().map(Value::from);
    }
    u64::try_from(magnitude).ok().map(Value::from)
}

fn negated(number: &Number) -> Option<Value> {
    if let Some(magnitude) = number.as_u64() {
        return integer("-", u128::from(magnitude));
    }
    number
        .as_i64()
        .and_then(i64::checked_neg)
        .map(Value::from)
        .or_else(|| number.as_f64().and_then(|f| Number::from_f64(-f)).map(Value::Number))
}
