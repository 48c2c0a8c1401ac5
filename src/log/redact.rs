//! What must not be read in the log: values whose key says that they are secret.

use serde_json::Value;

const HIDDEN: &str = "***";

/// The words that make a key secret, in lower case.
#[derive(Debug)]
pub(super) struct Redaction {
    words: Vec<String>,
}

impl Redaction {
    pub(super) fn new(words: &[String]) -> Self {
        Self { words: words.iter().filter(|word| !word.is_empty()).map(|word| word.to_lowercase()).collect() }
    }

    /// The value with every secret at any depth replaced. An empty value (false, null) stays: that it is empty is no secret.
    pub(super) fn apply(&self, mut value: Value) -> Value {
        self.hide(&mut value);
        value
    }

    fn hide(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide(item)),
            Value::Object(entries) => {
                for (key, inner) in entries.iter_mut() {
                    let key = key.to_lowercase();
                    if self.words.iter().any(|word| key.contains(word))
                        && !matches!(inner, Value::Null | Value::Bool(_))
                    {
                        *inner = Value::from(HIDDEN);
                    } else {
                        self.hide(inner);
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_at_any_depth_by_a_part_of_their_key_in_any_case() {
        let redaction = Redaction::new(&["passw".to_owned(), "token".to_owned()]);
        let value = json!({"name": "a", "New_Password": "x", "lines": [{"access_token": {"deep": 1}, "ref": "r"}], "password": false});
        let hidden = json!({"name": "a", "New_Password": "***", "lines": [{"access_token": "***", "ref": "r"}], "password": false});
        assert_eq!(redaction.apply(value), hidden);
    }
}
