//! The syntax of `search_field` and `result_field`: field names, and behind a relation the fields wanted of its
//! records.
//!
//! `["name", "order_line{product_uom_qty, product_id{default_code}}"]`, nested to a limited depth. It imports nothing
//! of planning but the name of a JSON value's kind, so that it can be fuzzed alone.

use serde_json::Value;

use crate::plan::kind_of;

const MAX_DEPTH: usize = 20;
/// More fields than any model has.
const MAX_NAMES: usize = 2_000;
/// Longer than the name of any field, in characters.
const MAX_NAME: usize = 200;

/// A field that is wanted, with the fields wanted of the records it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedField {
    pub name: String,
    /// Empty where the field is wanted as it is.
    pub within: Vec<ListedField>,
}

/// Why a list of fields cannot be read, in words that follow the parameter's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("must be a list of field names, not {0}")]
    NotAList(&'static str),
    #[error("names more than {MAX_NAMES} fields")]
    TooMany,
    #[error("must hold texts only, not {0}")]
    NotAText(&'static str),
    #[error("`{text}`: {what} at character {at}")]
    Syntax { text: String, at: usize, what: &'static str },
}

/// Reads the list that a caller sent. Repeated names are merged, with all that is wanted within them.
///
/// # Errors
/// The value is not a list of texts, is too long or too deep, or a text does not follow the syntax.
pub fn parse(value: &Value) -> Result<Vec<ListedField>, Error> {
    let items = match value {
        Value::Null | Value::Bool(false) => return Ok(Vec::new()),
        Value::String(text) if text.is_empty() => return Ok(Vec::new()),
        Value::Array(items) => items,
        other => return Err(Error::NotAList(kind_of(other))),
    };
    let names = items.iter().filter_map(Value::as_str).map(|text| 1 + text.matches(',').count()).sum::<usize>();
    if names > MAX_NAMES {
        return Err(Error::TooMany);
    }
    let mut fields = Vec::new();
    for item in items {
        let Value::String(text) = item else { return Err(Error::NotAText(kind_of(item))) };
        if is_plain(text) {
            merge(&mut fields, ListedField { name: text.clone(), within: Vec::new() });
            continue;
        }
        let chars: Vec<char> = text.chars().collect();
        let mut parser = Parser { text, chars: &chars, at: 0 };
        let field = parser.field(0)?;
        if parser.at < chars.len() {
            return Err(parser.error("nothing may follow"));
        }
        merge(&mut fields, field);
    }
    Ok(fields)
}

/// Whether a text is nothing but a name, as nearly all are.
fn is_plain(text: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(is_of_name)
}

fn merge(fields: &mut Vec<ListedField>, field: ListedField) {
    match fields.iter_mut().find(|known| known.name == field.name) {
        Some(known) => field.within.into_iter().for_each(|inner| merge(&mut known.within, inner)),
        None => fields.push(field),
    }
}

struct Parser<'t> {
    text: &'t str,
    chars: &'t [char],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn error(&self, what: &'static str) -> Error {
        Error::Syntax { text: self.text.chars().take(80).collect(), at: self.at + 1, what }
    }

    fn field(&mut self, depth: usize) -> Result<ListedField, Error> {
        self.skip();
        let start = self.at;
        while self.peek().is_some_and(|c| !matches!(c, '{' | '}' | ',') && !c.is_whitespace()) {
            self.at += 1;
        }
        let name: String = self.chars[start..self.at].iter().collect();
        if name.is_empty() {
            return Err(self.error("a field's name is due"));
        }
        if self.at - start > MAX_NAME {
            return Err(self.error("a field's name has more than 200 characters"));
        }
        self.skip();
        let mut within = Vec::new();
        if self.peek() == Some('{') {
            if depth == MAX_DEPTH {
                return Err(self.error("more than 20 levels"));
            }
            loop {
                self.at += 1;
                merge(&mut within, self.field(depth + 1)?);
                match self.peek() {
                    Some(',') => {}
                    Some('}') => break,
                    Some(_) => return Err(self.error("`,` or `}` is due")),
                    None => return Err(self.error("`}` is missing")),
                }
            }
            self.at += 1;
            self.skip();
        }
        Ok(ListedField { name, within })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn field(name: &str, within: Vec<ListedField>) -> ListedField {
        ListedField { name: name.to_owned(), within }
    }

    #[test]
    fn names_may_have_fields_within_them_to_any_depth() {
        let fields = parse(&json!(["name", "a{b, c{d,e}, f}"])).unwrap();
        let c = field("c", vec![field("d", vec![]), field("e", vec![])]);
        assert_eq!(fields, vec![field("name", vec![]), field("a", vec![field("b", vec![]), c, field("f", vec![])])]);
    }

    #[test]
    fn a_name_that_comes_twice_is_wanted_once() {
        assert_eq!(
            parse(&json!(["a", "a{b}", "a{c}"])).unwrap(),
            vec![field("a", vec![field("b", vec![]), field("c", vec![])])]
        );
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let refusal = |value: Value| parse(&value).unwrap_err().to_string();
        assert_eq!(refusal(json!(["a{b"])), "`a{b`: `}` is missing at character 4");
        assert_eq!(refusal(json!(["a{}"])), "`a{}`: a field's name is due at character 3");
        assert_eq!(refusal(json!(["a{b} c"])), "`a{b} c`: nothing may follow at character 6");
        assert_eq!(refusal(json!([""])), "``: a field's name is due at character 1");
        assert_eq!(refusal(json!("name")), "must be a list of field names, not a text");
        assert_eq!(refusal(json!([1])), "must hold texts only, not a number");
        assert_eq!(
            refusal(json!((0..3000).map(|n| format!("f{n}")).collect::<Vec<_>>())),
            "names more than 2000 fields"
        );
        assert!(refusal(json!(["a{".repeat(50)])).contains("more than 20 levels"));
    }

    fn any_field() -> impl Strategy<Value = ListedField> {
        let leaf = "[a-z_]{1,8}".prop_map(|name| field(&name, vec![]));
        leaf.prop_recursive(5, 40, 5, |inner| {
            ("[a-z_]{1,8}", prop::collection::vec(inner, 1..5)).prop_map(|(name, within)| {
                let mut merged = Vec::new();
                within.into_iter().for_each(|inner| merge(&mut merged, inner));
                ListedField { name, within: merged }
            })
        })
    }

    fn written(field: &ListedField, space: &str) -> String {
        if field.within.is_empty() {
            return format!("{space}{}{space}", field.name);
        }
        let within: Vec<String> = field.within.iter().map(|inner| written(inner, space)).collect();
        format!("{space}{}{space}{{{}}}{space}", field.name, within.join(","))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again_with_or_without_white_space(one in any_field(), space in "[ \t\n]{0,2}") {
            prop_assert_eq!(parse(&json!([written(&one, &space)])), Ok(vec![one]));
        }

        #[test]
        fn any_text_is_read_or_refused_within_itself(text in "[a-c{}, ]{0,40}|.{0,40}") {
            if let Err(Error::Syntax { at, .. }) = parse(&json!([text])) {
                prop_assert!(at >= 1 && at <= text.chars().count() + 1);
            }
        }
    }
}
