//! What must not be read in the log: values whose key says that they are secret, wherever they come up again.

use serde_json::Value;

const HIDDEN: &str = "***";
/// A shorter text may stand anywhere for other reasons.
const MASKED_FROM: usize = 4;

/// The words that make a key secret, in lower case.
#[derive(Debug)]
pub(super) struct Redaction {
    words: Vec<String>,
}

/// The texts that were hidden in a record, to be hidden elsewhere in it: in the sentence of an error, for example.
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Redaction {
    pub(super) fn new(words: &[String]) -> Self {
        Self { words: words.iter().filter(|word| !word.is_empty()).map(|word| word.to_lowercase()).collect() }
    }

    /// Hides every secret at any depth: the value behind a secret key, that of a condition `[key, operator, value]`, and a
    /// domain in a text that names a secret key. An empty value (false, null) stays: that it is empty is no secret.
    pub(super) fn hide(&self, value: &mut Value, secrets: &mut Secrets) {
        match value {
            Value::Array(items) => {
                if let [Value::String(key), Value::String(_), compared] = &mut items[..]
                    && self.is_secret(key)
                {
                    secrets.take(compared);
                } else {
                    items.iter_mut().for_each(|item| self.hide(item, secrets));
                }
            }
            Value::Object(entries) => {
                for (key, inner) in entries.iter_mut() {
                    let names_a_secret =
                        || key == "search_domain" && inner.as_str().is_some_and(|text| self.is_secret(text));
                    if self.is_secret(key) || names_a_secret() {
                        secrets.take(inner);
                    } else {
                        self.hide(inner, secrets);
                    }
                }
            }
            _ => {}
        }
    }

    fn is_secret(&self, key: &str) -> bool {
        let key = key.to_lowercase();
        self.words.iter().any(|word| key.contains(word))
    }
}

impl Secrets {
    fn take(&mut self, value: &mut Value) {
        if matches!(value, Value::Null | Value::Bool(_)) {
            return;
        }
        self.note(&std::mem::replace(value, Value::from(HIDDEN)));
    }

    fn note(&mut self, value: &Value) {
        match value {
            Value::String(text) if text.len() >= MASKED_FROM && text != HIDDEN => self.0.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| self.note(item)),
            Value::Object(entries) => entries.values().for_each(|inner| self.note(inner)),
            _ => {}
        }
    }

    /// Hides the secrets inside other texts.
    pub(super) fn mask(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                for secret in &self.0 {
                    if text.contains(secret.as_str()) {
                        *text = text.replace(secret.as_str(), HIDDEN);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            Value::Object(entries) => entries.values_mut().for_each(|inner| self.mask(inner)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(mut value: Value, expected: Value) {
        let redaction = Redaction::new(&["passw".to_owned(), "token".to_owned()]);
        let mut secrets = Secrets::default();
        redaction.hide(&mut value, &mut secrets);
        secrets.mask(&mut value);
        assert_eq!(value, expected);
    }

    #[test]
    fn secrets_are_hidden_at_any_depth_by_a_part_of_their_key_in_any_case() {
        check(
            json!({"name": "a", "New_Password": "x", "lines": [{"access_token": {"deep": 1}, "ref": "r"}], "password": false}),
            json!({"name": "a", "New_Password": "***", "lines": [{"access_token": "***", "ref": "r"}], "password": false}),
        );
    }

    #[test]
    fn secrets_are_hidden_in_domains_and_in_sentences() {
        check(
            json!({"domain": [["access_token", "=", "S3cret"], ["name", "=", "n"]], "message": "'token_id': 'S3cret' found no match."}),
            json!({"domain": [["access_token", "=", "***"], ["name", "=", "n"]], "message": "'token_id': '***' found no match."}),
        );
        check(json!({"search_domain": "[('access_token', '=', 'S')]"}), json!({"search_domain": "***"}));
    }
}
