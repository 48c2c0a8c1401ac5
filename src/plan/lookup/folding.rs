//! Texts that are compared in whatever case (`[compat] ignore_case`): without blanks around them, in lower case, and in
//! one Unicode form, since a letter with an accent may be sent as one character or as two.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use serde_json::{Value, json};

/// A text as it is compared. Texts that fold to the same text are equal.
pub(in crate::plan) fn fold(text: &str) -> String {
    let lower = text.trim().to_lowercase();
    ComposingNormalizerBorrowed::new_nfc().normalize(&lower).into_owned()
}

/// A value as it is compared; other values than texts stay as they are.
pub(in crate::plan) fn folded(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.clone(), |text| Value::from(fold(text)))
}

/// The terms of a domain, one of which matches every record whose field folds to the same text as the value: Odoo keeps
/// a text in either Unicode form, and with a blank at its end. They are joined by `|`.
///
/// `=ilike` is a pattern, in which `%`, `_` and `\` are escaped (PostgreSQL; Odoo 14-19 pass it on as it is).
pub(in crate::plan) fn terms(field: &str, values: &[Value]) -> Vec<Value> {
    let mut terms = Vec::new();
    for value in values {
        let Some(text) = value.as_str() else {
            terms.push(json!([field, "=", value]));
            continue;
        };
        let composed = fold(text);
        let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(&composed).into_owned();
        let forms = if decomposed == composed { vec![composed] } else { vec![composed, decomposed] };
        for form in forms {
            let pattern = pattern(&form);
            terms.push(json!([field, "=ilike", format!("{pattern} ")]));
            terms.push(json!([field, "=ilike", pattern]));
        }
    }
    let mut domain = vec![Value::from("|"); terms.len().saturating_sub(1)];
    domain.append(&mut terms);
    domain
}

/// The pattern of `like` that stands for the text itself.
pub(in crate::plan) fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_equal_in_any_case_with_blanks_around_them_and_in_both_unicode_forms() {
        for equal in ["JOSÉ@x.com", " josé@x.com ", "Jose\u{301}@x.com", "JOSE\u{301}@X.COM\n"] {
            assert_eq!(fold(equal), "josé@x.com", "{equal:?}");
        }
        assert_ne!(fold("jose@x.com"), "josé@x.com");
        assert_ne!(fold("a b"), fold("ab"));
    }

    #[test]
    fn a_text_is_searched_for_as_a_pattern_of_itself_alone() {
        let any = |terms: &[Value]| terms.iter().any(|term| term == &json!(["ref", "=ilike", r"50\%\_a\\b"]));
        let terms = terms("ref", &[json!(r"50%_A\b")]);
        assert!(any(&terms), "{terms:?}");
        assert_eq!((terms.len(), &terms[0]), (3, &json!("|")));
    }
}
