//! The terms of a field's domain that hold for every record: those without variables, all of which must be true.
//!
//! `fields_get` gives a domain as a list or as a text of Python, which names fields of the record by variables (Odoo 14-19).
//! Of a field that checks companies, the text is `(<domain of the company>) + (<domain of the field>)`.

use serde_json::Value;

use crate::literal;

/// The constant terms; none where the terms are not simply joined by "and", or the text is of another form.
pub(super) fn constant_terms(domain: &Value) -> Vec<Value> {
    let items: Vec<Option<Value>> = match domain {
        Value::Array(items) => items.iter().cloned().map(Some).collect(),
        Value::String(text) => match list_in(text).and_then(items_of) {
            Some(items) => items.into_iter().map(|item| literal::parse(item).ok()).collect(),
            None => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    if items.iter().flatten().any(|item| matches!(item.as_str(), Some("|" | "!"))) {
        return Vec::new();
    }
    items.into_iter().flatten().filter(|item| item.as_array().is_some_and(|term| term.len() == 3)).collect()
}

/// The list of the field's own terms.
fn list_in(text: &str) -> Option<&str> {
    let text = text.trim();
    let own = match text.rsplit_once(") + (") {
        Some((_, own)) => own.strip_suffix(')')?,
        None => text,
    };
    own.trim().strip_prefix('[')?.strip_suffix(']')
}

/// The items of a list, by the commas that stand in no brackets and no text; `None` where brackets do not fit.
fn items_of(list: &str) -> Option<Vec<&str>> {
    let (mut items, mut start, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    let mut letters = list.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(open), letter) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            (None, ',') if depth == 0 => {
                items.push(list[start..at].trim());
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    items.push(list[start..].trim());
    (depth == 0 && quote.is_none()).then(|| items.into_iter().filter(|item| !item.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_domain_the_terms_without_variables_are_taken() {
        let own = "(company_id and ['|', ('company_id', '=', False)] or []) + ([('type_tax_use', '=', 'sale'), \
                   ('country_id', '=', tax_country_id)])";
        let deprecated = "['&', '&', ('deprecated', '=', False), ('company_id', '=', current_company_id), \
                          ('note', '!=', 'a, (b]')]";
        for (domain, terms) in [
            (json!([["type_tax_use", "=", "sale"]]), json!([["type_tax_use", "=", "sale"]])),
            (json!(["|", ["active", "=", false], ["active", "=", true]]), json!([])),
            (json!(own), json!([["type_tax_use", "=", "sale"]])),
            (json!(deprecated), json!([["deprecated", "=", false], ["note", "!=", "a, (b]"]])),
            (json!("['|', ('a', '=', 1), ('b', '=', 2)]"), json!([])),
            (json!("[('a', '=', x)] + [('b', '=', 1)]"), json!([])),
            (json!("(x) + ([])"), json!([])),
            (json!("parent.domain"), json!([])),
            (json!("[('a', '=', 'b]"), json!([])),
            (json!([]), json!([])),
            (json!(null), json!([])),
        ] {
            assert_eq!(json!(constant_terms(&domain)), terms, "{domain}");
        }
    }
}
