//! Patterns of names: `sale.*` of models, `res.partner.vat` or `*.wage` of a model's fields and methods. A `*` stands
//! for any characters; everything else for itself.

use std::fmt;

/// A pattern of model names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

/// A pattern of a model's field or method: the part before the last dot is the pattern of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    model: Pattern,
    tail: Pattern,
}

impl Pattern {
    /// Reads a pattern; `None` where the text cannot be a pattern of a name.
    pub fn read(text: &str) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '*');
        (!text.is_empty() && text.chars().all(is_plain)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, name: &str) -> bool {
        is_match(name, &self.0)
    }

    /// Whether the pattern matches every name with this prefix.
    pub(super) fn is_whole(&self, beginning: &str) -> bool {
        self.0.strip_suffix('*') == Some(beginning)
    }
}

impl Name {
    /// Reads a pattern; `None` without a dot, or where the text cannot be a pattern. A single `*` matches everything.
    pub fn read(text: &str) -> Option<Self> {
        let (model, tail) = if text == "*" { ("*", "*") } else { text.rsplit_once('.')? };
        Some(Self { model: Pattern::read(model)?, tail: Pattern::read(tail)? })
    }

    pub fn matches(&self, model: &str, tail: &str) -> bool {
        self.model.matches(model) && self.tail.matches(tail)
    }

    /// Whether it names this model itself, and not several by a pattern.
    pub(super) fn is_of(&self, model: &str) -> bool {
        self.model.as_str() == model
    }

    pub(super) fn model_matches(&self, model: &str) -> bool {
        self.model.matches(model)
    }

    pub(super) fn tail_matches(&self, tail: &str) -> bool {
        self.tail.matches(tail)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.model, self.tail)
    }
}

/// Matches without recursion: where a `*` took too little, the last one takes one more.
fn is_match(name: &str, pattern: &str) -> bool {
    let (name, pattern) = (name.as_bytes(), pattern.as_bytes());
    let (mut at, mut of, mut star) = (0, 0, None);
    while at < name.len() {
        match pattern.get(of) {
            Some(b'*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(byte) if *byte == name[at] => (at, of) = (at + 1, of + 1),
            _ => match star {
                Some((of_star, at_star)) => {
                    star = Some((of_star, at_star + 1));
                    (of, at) = (of_star + 1, at_star + 1);
                }
                None => return false,
            },
        }
    }
    pattern[of..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matched: &[&str], others: &[&str]) {
        let pattern = Pattern::read(pattern).unwrap();
        for name in matched {
            assert!(pattern.matches(name), "{pattern} {name}");
        }
        for name in others {
            assert!(!pattern.matches(name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_star_stands_for_any_run_and_the_rest_for_itself() {
        check("sale.order", &["sale.order"], &["sale.order.line", "presale.order", "saleXorder"]);
        check("sale.*", &["sale.order", "sale.order.line", "sale."], &["sale", "sales.order"]);
        check("*", &["", "a.b"], &[]);
        check("*.line*", &["a.line", "a.b.lines", "a.line.x"], &["line", "a.lin"]);
        check("a*b*c", &["abc", "aXbXbXc"], &["abcd", "acb"]);
    }

    #[test]
    fn a_name_has_a_model_and_a_tail() {
        let name = |text| Name::read(text).unwrap();
        assert!(name("res.partner.vat").matches("res.partner", "vat"));
        assert!(!name("res.partner.vat").matches("res.partner", "vat2"));
        assert!(name("*.wage").matches("hr.contract", "wage"));
        assert!(name("hr.*.x_*").matches("hr.employee", "x_secret"));
        assert!(name("*").matches("a", "b"));
        assert_eq!(
            (Name::read("wage"), Name::read("a b.c"), Pattern::read("a-b"), Pattern::read("")),
            (None, None, None, None)
        );
    }

    #[test]
    fn what_begins_so_is_named_whole_by_that_beginning_only() {
        let whole = |pattern: &str, beginning| Pattern::read(pattern).unwrap().is_whole(beginning);
        assert!(whole("ir.*", "ir.") && whole("res.users*", "res.users"));
        assert!(
            !whole("ir.cron*", "ir.") && !whole("ir.", "ir.") && !whole("*", "ir.") && !whole("res.*", "res.users")
        );
    }
}
